"""The learned filter and the speaker encoder through which it is learned."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.voice.bands import BANDS, MAX_GAIN_DB, filtered, spectrum_db
from worker.voice.encoder import RATE_HZ, SpeakerEncoder, crop_starts, encoder, mel_bands, similarity
from worker.voice.filter_training import FilterState, FilterStep, train_filter, untrained
from worker.voice.training import checkpointed, restored

STEPS = 16


def hum(hz: float = 110.0) -> NDArray[np.float32]:
    """Three seconds of gliding harmonics and a breath of noise."""
    time_s = np.arange(3 * RATE_HZ) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(hz * (1 + 0.1 * np.sin(2 * np.pi * time_s))) / RATE_HZ
    breath = np.random.default_rng(4).standard_normal(len(time_s)) * 0.02
    sound = sum(np.cos(k * phase) / k for k in range(1, 50)) + breath
    return (0.1 * sound).astype(np.float32)


@pytest.fixture(scope="module")
def judge() -> SpeakerEncoder:
    return encoder()


def train(
    judge: SpeakerEncoder, target: NDArray[np.float32], *, start: FilterState | None = None, steps: int = STEPS
) -> tuple[FilterState, list[FilterStep]]:
    seen: list[FilterStep] = []
    gap = spectrum_db(target, RATE_HZ) - spectrum_db(hum(), RATE_HZ)
    state = train_filter(
        judge, base=hum(), target=judge.embed(target), spectrum_db=gap, start=start or untrained(), steps=steps, seed=5,
        report=seen.append,
    )  # fmt: skip
    return state, seen


def test_the_mel_bands_are_those_of_librosa() -> None:
    librosa = pytest.importorskip("librosa")

    np.testing.assert_allclose(mel_bands(), librosa.filters.mel(sr=RATE_HZ, n_fft=400, n_mels=40), atol=1e-6)


def test_an_embedding_is_a_unit_vector_that_does_not_depend_on_level(judge: SpeakerEncoder) -> None:
    loud, quiet = judge.embed(hum()), judge.embed(hum() * np.float32(0.05))

    assert np.linalg.norm(loud) == pytest.approx(1.0, abs=1e-5)
    assert similarity(loud, quiet) > 0.999
    assert crop_starts(100) == [0]
    assert crop_starts(400)[-1] == 240


def test_a_known_filter_is_learned_from_the_voice_it_makes(judge: SpeakerEncoder) -> None:
    target = filtered(hum(), RATE_HZ, 9.0 * np.sin(np.arange(BANDS) / 2.5))

    state, seen = train(judge, target)

    gains_db = np.array(state.gains_db)
    before, after = judge.embed(hum()), judge.embed(filtered(hum(), RATE_HZ, gains_db))
    assert similarity(after, judge.embed(target)) > similarity(before, judge.embed(target)) + 0.02
    assert seen[-1].loss < 0.6 * seen[0].loss
    assert np.corrcoef(gains_db, 9.0 * np.sin(np.arange(BANDS) / 2.5))[0, 1] > 0.5
    assert np.abs(gains_db).max() <= MAX_GAIN_DB


def test_a_training_stopped_and_resumed_equals_one_that_never_stopped(judge: SpeakerEncoder, tmp_path: Path) -> None:
    target = hum(170.0)
    whole, _ = train(judge, target, steps=6)
    half, _ = train(judge, target, steps=3)

    checkpointed(tmp_path / "training.json", half, key="same")
    kept = restored(tmp_path / "training.json", key="same")
    resumed, seen = train(judge, target, start=kept, steps=6)

    assert kept == half
    assert [step.state.step for step in seen] == [4, 5, 6]
    assert asdict(resumed) == asdict(whole)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"key": "same"}', '{"key": "same", "step": 3, "x": [1]}', '{"key": "other"}']
)
def test_a_checkpoint_of_something_else_is_ignored(text: str, tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(text)

    assert restored(tmp_path / "training.json", key="same") is None
    assert restored(None, key="same") is None
