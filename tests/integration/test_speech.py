"""The real voice `piper:joe`: times, tempo, cancel, crash and intelligibility."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.wer import transcribe, word_error_rate
from worker.context import TaskCancelled, TaskContext, TaskError
from worker.speech import piper
from worker.speech.synthesize import available, speaking_rate_wps, synthesize
from worker.speech.timing import Speech
from worker.tasks.synthesize_speech import SpeechParams, synthesize_speech

pytestmark = pytest.mark.skipif(available() is not None and not os.environ.get("CI"), reason=str(available()))

TEXTS = (
    ("Black holes are places where gravity wins every argument. Not even light, the fastest thing there is, can leave "
    "once it crosses the edge. Of the many we know, one sits in the middle of the Milky Way, and it weighs as much "
    "as 4 million suns. Don't worry: it is 26,000 light-years away."),
    ("Coffee keeps you awake because it blocks the signal that tells your brain it is tired. The first cup of the day "
    "works best about 90 minutes after you wake up. After 5 hours, half of it is still in your blood."),
    ("The lighthouse stood alone on the cliff. Every night its lamp swept across the sea, and every sailor knew what "
    "it meant: home is close, but the rocks are closer. \"Keep to the left,\" the old keeper used to say."),
)  # fmt: skip
HARD = 'Dr. Smith flew 300 km/h at -20°C in 1999 & paid $5.20; "well-known" GPUs of the U.S. weigh 5kg (about 50%).'


def never() -> None:
    """A check that never cancels."""


def spoken(text: str, tmp_path: Path, duration_s: float | None = None) -> Speech:
    return synthesize(text, duration_s=duration_s, workdir=tmp_path, check=never)


@pytest.mark.parametrize("text", [TEXTS[0], HARD])
def test_every_word_has_a_time_in_order(text: str, tmp_path: Path) -> None:
    speech = spoken(text, tmp_path)

    assert " ".join(word.text for word in speech.words) == text
    assert all(word.start_s < word.end_s for word in speech.words)
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in pairwise(speech.words))
    assert speech.words[-1].end_s <= speech.duration_s


def test_phonemes_cover_the_audio_to_the_sample(tmp_path: Path) -> None:
    speech = spoken(TEXTS[0], tmp_path)

    assert speech.phonemes[0].start_s == 0.0
    assert speech.phonemes[-1].end_s == pytest.approx(speech.duration_s, abs=0.5 / speech.rate_hz)
    gaps = [b.start_s - a.end_s for a, b in pairwise(speech.phonemes)]
    assert np.abs(gaps).max() < 0.5 / speech.rate_hz


def test_words_are_louder_than_the_pauses_between_sentences(tmp_path: Path) -> None:
    speech = spoken(TEXTS[0], tmp_path)
    ends = [index for index, word in enumerate(speech.words[:-1]) if word.text.endswith(".")]

    def level(start_s: float, end_s: float) -> float:
        part = speech.samples[round(start_s * speech.rate_hz) : round(end_s * speech.rate_hz)]
        return float(np.sqrt(np.mean(part**2)))

    assert len(ends) == 3
    for index in ends:
        word, following = speech.words[index], speech.words[index + 1]
        assert 0.25 <= following.start_s - word.end_s <= 0.55
        assert level(word.start_s, word.end_s) > 10 * level(word.end_s + 0.1, following.start_s - 0.1)


@pytest.mark.parametrize("duration_s", [15.5, 18.0, 20.0, 22.0])
def test_narration_ends_shortly_before_the_wanted_duration(duration_s: float, tmp_path: Path) -> None:
    speech = spoken(TEXTS[0], tmp_path, duration_s)

    assert 0.3 <= duration_s - speech.words[-1].end_s <= 1.0
    assert speech.duration_s <= duration_s


def test_a_text_that_is_too_long_keeps_all_its_words(tmp_path: Path) -> None:
    speech = spoken(TEXTS[0], tmp_path, 5.0)

    assert " ".join(word.text for word in speech.words) == TEXTS[0]
    assert speech.duration_s > 5.0


def test_the_same_seed_speaks_the_same_samples(tmp_path: Path) -> None:
    first = spoken("The same again, please.", tmp_path)
    spoken("Something else.", tmp_path)
    piper.joe().close()

    assert np.array_equal(first.samples, spoken("The same again, please.", tmp_path).samples)


def test_a_cancelled_job_stops_speaking_at_once(tmp_path: Path) -> None:
    spoken("Warm.", tmp_path)
    calls = 0

    def cancelled() -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise TaskCancelled

    started = time.monotonic()
    with pytest.raises(TaskCancelled):
        synthesize(TEXTS[0], workdir=tmp_path, check=cancelled)
    assert time.monotonic() - started < 2.0
    assert len(spoken("And it speaks again.", tmp_path).words) == 4


def test_a_killed_voice_process_is_started_again(tmp_path: Path) -> None:
    spoken("Warm.", tmp_path)
    first = piper.joe().pid
    assert first is not None
    killer = threading.Timer(0.2, os.kill, (first, signal.SIGKILL))
    killer.start()

    speech = spoken(TEXTS[0], tmp_path)

    killer.join()
    assert len(speech.words) == len(TEXTS[0].split())
    assert piper.joe().pid not in (None, first)


def test_a_voice_process_that_always_dies_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    script = tmp_path / "dying.py"
    script.write_text("import sys; print('{\"ready\": true}', flush=True); input(); sys.exit('no more voice')")
    from worker.speech.normalise import sentences

    with pytest.raises(TaskError) as raised:
        piper.PiperVoice([sys.executable, str(script)]).speak(
            sentences("Hello.")[0], length_scale=1.0, seed=0, check=never
        )

    assert raised.value.failure.code == "voice_failed"
    assert "no more voice" in (raised.value.failure.detail or "")


def test_the_voice_process_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from worker.speech import piper;"
        "from worker.speech.synthesize import synthesize;"
        "synthesize('Hello.', workdir=Path('.'), check=lambda: None); print(piper.joe().pid, flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    parent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    pid = int(parent.stdout)

    ends_at = time.monotonic() + 5
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < ends_at, "the voice process outlived its parent"
        threading.Event().wait(0.05)


def test_a_text_without_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no word"):
        spoken("🚀 — 你好 …", tmp_path)


@pytest.mark.parametrize("text", TEXTS)
def test_whisper_understands_the_voice(text: str, tmp_path: Path) -> None:
    speech = spoken(text, tmp_path)

    assert word_error_rate(text, transcribe(speech.samples, speech.rate_hz)) <= 0.15


def test_the_speaking_rate_is_that_of_the_voice(tmp_path: Path) -> None:
    speeches = [spoken(text, tmp_path) for text in TEXTS]

    rate = sum(len(s.words) for s in speeches) / sum(s.duration_s for s in speeches)
    assert rate == pytest.approx(speaking_rate_wps(), rel=0.1)


def test_the_task_saves_audio_with_its_times(tmp_path: Path) -> None:
    ctx = TaskContext(job_id="local", node_id="speak", attempt=1, workdir=tmp_path, emit=lambda _: None)
    inputs = {"script": {"stage": "A hill.", "narrative": "One small step. Then 2 more."}}

    audio = synthesize_speech(ctx, SpeechParams(), inputs)["audio"]

    assert audio["kind"] == "audio"
    assert Path(audio["path"]).stat().st_size > 50_000
    assert audio["media"]["voice"] == "piper:joe"
    assert [word for word, _, _ in audio["media"]["words"]] == ["One", "small", "step.", "Then", "2", "more."]
    assert audio["media"]["phonemes"][-1][2] == pytest.approx(audio["media"]["duration_s"], abs=0.002)
