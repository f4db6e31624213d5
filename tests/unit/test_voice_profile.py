"""`voice.json`: what is accepted, what is refused, and how a voice speaks through it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worker.context import TaskError
from worker.speech.normalise import Sentence, sentences
from worker.speech.timing import Phoneme
from worker.speech.voice import Check, Utterance
from worker.voice.bases import bases, nearest
from worker.voice.matched import MatchedVoice
from worker.voice.pitch import pitch
from worker.voice.profile import LABEL, Quality, VoiceProfile, read_profile, write_profile

RATE_HZ = 22_050


def row(**changes: Any) -> dict[str, Any]:
    """A valid profile as JSON has it."""
    return {
        "base": "piper:joe", "gains_db": [3.0, -3.0] * 12, "pitch_from_hz": 90.0, "pitch_to_hz": 120.0,
        "pitch_spread_ratio": 1.0, "formant_ratio": 1.0, "length_scale": 1.1,
        "speaker": {
            "pitch_hz": 120.0, "pitch_spread_semitones": 3.0, "letters_per_s": 13.0, "spectrum_db": [0.0] * 24,
            "embedding": [0.0625] * 256,
        },
        "quality": dict.fromkeys(Quality.model_fields, 0.5),
        "origin": {
            "recordings": 1, "speech_s": 20.0, "snr_db": 30.0, "preset": "quick", "steps": 40, "seed": 1, "strength": 1.0,
        },
    } | changes  # fmt: skip


class Hum:
    """A stand-in for Piper: says every sentence as a hum of 90 Hz, 0.4 s a word."""

    name = "piper:joe"

    def speak(self, sentence: Sentence, *, length_scale: float, seed: int, check: Check) -> Utterance:
        words = len(sentence.tokens)
        widths_s = np.full(words, 0.4)
        time_s = np.arange(round(0.4 * length_scale * words * RATE_HZ)) / RATE_HZ
        sound = sum(np.cos(2 * np.pi * 90 * k * time_s) / k for k in range(1, 40))
        end_s = len(time_s) / RATE_HZ
        spans = tuple((n * end_s / words, (n + 1) * end_s / words) for n in range(words))
        return Utterance(
            (0.1 * sound).astype(np.float32), RATE_HZ, (Phoneme("m", 0.0, end_s),), spans, widths_s, 1 / RATE_HZ
        )


def test_a_profile_survives_its_file_and_says_what_it_is(tmp_path: Path) -> None:
    profile = VoiceProfile.model_validate(row())
    write_profile(tmp_path / "voice.json", profile)

    assert read_profile(tmp_path / "voice.json") == profile
    assert json.loads((tmp_path / "voice.json").read_text())["label"] == LABEL == "voice matching, not cloning"
    assert (tmp_path / "voice.json").stat().st_size < 16_000


HOSTILE = {
    "not json": "{",
    "deeply nested": "[" * 60_000,
    "too large": json.dumps(row() | {"x": "y" * 70_000}),
    "unknown field": json.dumps(row(command="rm -rf /")),
    "too loud": json.dumps(row(gains_db=[40.0] * 24)),
    "nan": json.dumps(row(length_scale=float("nan"))),
    "infinite": json.dumps(row(pitch_to_hz=float("inf"))),
    "too few bands": json.dumps(row(gains_db=[0.0] * 23)),
    "a path as base": json.dumps(row(base="piper:../../etc/passwd")),
    "another schema": json.dumps(row(schema_version=2)),
    "another label": json.dumps(row(label="perfect clone")),
    "a list": "[]",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "voice.json").write_text(text)

    with pytest.raises(TaskError) as raised:
        read_profile(tmp_path / "voice.json")

    assert raised.value.failure.code == "voice_profile_invalid"
    assert raised.value.failure.hint


def test_a_missing_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(TaskError) as raised:
        read_profile(tmp_path / "voice.json")
    assert raised.value.failure.code == "voice_profile_unreadable"


def test_a_matched_voice_speaks_at_the_pitch_and_tempo_of_the_profile() -> None:
    sentence = sentences("Five words are in here.")[0]
    voice = MatchedVoice(Hum(), VoiceProfile.model_validate(row()))

    said = voice.speak(sentence, length_scale=1.0, seed=0, check=lambda: None)

    assert voice.name == "matched:piper:joe"
    assert pitch(said.samples, RATE_HZ).median_hz == pytest.approx(120.0, rel=0.03)
    assert said.duration_s == pytest.approx(5 * 0.4 * 1.1, abs=0.001)
    assert said.duration_at(1.0) == pytest.approx(said.duration_s, abs=0.01)
    assert said.word_spans[-1][1] == pytest.approx(said.duration_s)
    plain = Hum().speak(sentence, length_scale=1.1, seed=0, check=lambda: None)
    assert np.abs(np.abs(np.fft.rfft(said.samples)) - np.abs(np.fft.rfft(plain.samples))).max() > 1.0


def test_a_profile_for_another_voice_is_not_applied() -> None:
    with pytest.raises(ValueError, match="kokoro:jm_kumo"):
        MatchedVoice(Hum(), VoiceProfile.model_validate(row(base="kokoro:jm_kumo")))


def test_the_nearest_voice_is_the_one_that_sounds_alike() -> None:
    for base in bases():
        assert nearest(bases(), embedding=base.embedding, pitch_hz=base.pitch_hz) is base
    with pytest.raises(TaskError, match="no packaged voice"):
        nearest((), embedding=bases()[0].embedding, pitch_hz=100.0)


def test_a_far_pitch_counts_against_a_voice() -> None:
    mixed = bases()[0].embedding + bases()[1].embedding
    high = max(bases(), key=lambda base: base.pitch_hz)

    assert nearest((bases()[0], high), embedding=mixed, pitch_hz=90.0).name == "piper:joe"
