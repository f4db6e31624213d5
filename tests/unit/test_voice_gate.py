"""What is refused before a voice is trained, and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.av.audio import write_wav
from worker.context import TaskCancelled, TaskError
from worker.voice import availability
from worker.voice.heard import Transcript, word_error_rate
from worker.voice.recording import RATE_HZ, Recording, read_recording, speech_only
from worker.voice.study import MIN_SPEECH_S, gathered

SECONDS = 8


def babble(seconds: float = SECONDS, *, level: float = 0.3) -> NDArray[np.float32]:
    """A sound that a voice detector takes for speech: syllables of a gliding buzz."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(130 + 25 * np.sin(2 * np.pi * 0.7 * time_s)) / RATE_HZ
    formant = 500 + 300 * np.sin(2 * np.pi * 1.3 * time_s)
    sound = sum(np.exp(-((k * 130 - formant) ** 2) / 9e4) * np.sin(k * phase) for k in range(1, 24))
    syllables = np.clip(np.sin(2 * np.pi * 3 * time_s) + 0.6, 0, 1) * (np.sin(2 * np.pi * 0.4 * time_s) > -0.6)
    sound = sound * syllables
    return (level * sound / np.abs(sound).max()).astype(np.float32)


def saved(folder: Path, samples: NDArray[np.float32], name: str = "take.wav") -> Path:
    write_wav(folder / name, samples, RATE_HZ)
    return folder / name


def refusal(path: Path) -> TaskError:
    with pytest.raises(TaskError) as raised:
        gathered([(path.name, path)], check=lambda: None)
    return raised.value


def test_enough_clean_speech_is_split_into_lesson_and_held_out(tmp_path: Path) -> None:
    speech = gathered([("take.wav", saved(tmp_path, babble(20)))], check=lambda: None)

    assert speech.speech_s > 10
    assert speech.held_out_s == pytest.approx(0.3 * speech.speech_s, abs=0.6)
    assert speech.held_out_s >= 2


@pytest.mark.parametrize(
    ("sound", "code"),
    [
        (np.zeros(SECONDS * RATE_HZ, np.float32), "silent_recording"),
        (babble() * np.float32(0.001), "silent_recording"),
        (np.clip(babble(level=4.0), -0.9, 0.9).astype(np.float32), "clipped_recording"),
        (babble(3), "too_little_speech"),
        ((0.2 * np.sin(np.arange(SECONDS * RATE_HZ) * 2 * np.pi * 220 / RATE_HZ)).astype(np.float32), "no_speech"),
    ],
    ids=["silence", "all but silence", "overdriven", "three seconds", "a tone"],
)
def test_what_cannot_teach_a_voice_is_refused_with_its_numbers(
    sound: NDArray[np.float32], code: str, tmp_path: Path
) -> None:
    failure = refusal(saved(tmp_path, sound)).failure

    assert failure.code == code
    assert failure.got
    assert failure.allowed
    assert failure.hint


def test_noise_around_the_speech_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).standard_normal(20 * RATE_HZ).astype(np.float32)

    failure = refusal(saved(tmp_path, babble(20) + np.float32(0.06) * noise)).failure

    assert failure.code in {"noisy_recording", "no_speech"}


def test_the_seconds_of_every_recording_are_told_when_there_is_too_little(tmp_path: Path) -> None:
    files = [(f"{name}.wav", saved(tmp_path, babble(2.5), f"{name}.wav")) for name in ("one", "two")]

    with pytest.raises(TaskError) as raised:
        gathered(files, check=lambda: None)

    assert "one.wav" in str(raised.value.failure.got)
    assert "two.wav" in str(raised.value.failure.got)
    assert f"{MIN_SPEECH_S:g} s" in str(raised.value.failure.allowed)


def test_a_bad_recording_among_good_ones_is_left_out(tmp_path: Path) -> None:
    good, bad = saved(tmp_path, babble(20), "good.wav"), saved(tmp_path, np.zeros(RATE_HZ, np.float32), "bad.wav")

    speech = gathered([("bad.wav", bad), ("good.wav", good)], check=lambda: None)

    assert [one.name for one in speech.recordings] == ["good.wav"]
    assert [one.failure.code for one in speech.refused] == ["silent_recording"]


def test_what_is_no_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "take.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEfmt nonsense" * 40)

    assert refusal(tmp_path / "take.wav").failure.code == "undecodable"


def test_reading_stops_when_the_job_is_cancelled(tmp_path: Path) -> None:
    def cancelled() -> None:
        raise TaskCancelled

    with pytest.raises(TaskCancelled):
        read_recording(saved(tmp_path, babble()), name="take.wav", check=cancelled)


def test_pauses_do_not_count_as_speech() -> None:
    paused = np.concatenate([babble(4), np.zeros(6 * RATE_HZ, np.float32), babble(4)])

    assert len(speech_only(paused)) / RATE_HZ < 8.5


@pytest.mark.parametrize(
    ("words", "probability", "refused"),
    [(("you",), 0.9, True), (("word",) * 20, 0.3, True), (("word",) * 20, 0.8, False), ((), 0.0, True)],
)
def test_words_must_be_heard_and_sure(words: tuple[str, ...], probability: float, refused: bool) -> None:
    assert (Transcript(words, probability, 8.0).refusal() is not None) is refused


def test_word_errors_are_counted() -> None:
    assert word_error_rate("The neighbor's house.", ("the", "neighbors", "house")) == 0.0
    assert word_error_rate("one two three four", ("one", "too", "three")) == 0.5


def test_a_recording_without_speech_says_how_long_it_is() -> None:
    failure = Recording("take.wav", np.zeros(0, np.float32), 12.0, 0.0, 0.0).refusal()
    assert failure is not None
    assert "12.0 s" in str(failure.failure.got)


def test_a_worker_without_the_models_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "weights_file", lambda: None)
    monkeypatch.setattr(availability, "find_spec", lambda name: None)

    reason = availability.available()

    assert reason is not None
    assert all(part in reason for part in ("torch", "webrtcvad-wheels", "Resemblyzer", "make models"))
