"""Speaks a narration: sentences through a voice, joined with natural pauses, fitted into a duration."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from schemas.states import FailureKind
from worker.context import TaskError
from worker.speech import kokoro, piper
from worker.speech.fitting import length_scale
from worker.speech.normalise import Sentence, sentences
from worker.speech.timing import Phoneme, Speech, Word
from worker.speech.voice import Check, Utterance, Voice

if TYPE_CHECKING:
    from worker.voice.profile import VoiceProfile

DEFAULT_VOICE = "piper:joe"
VOICE_VARIABLE = "REELGRAPH_VOICE"
MAX_TEXT_CHARS = 20_000
MIN_LEVEL = 0.01  # RMS of spoken audio; joe has 0.05 to 0.15
PEAK = 0.89  # -1 dBFS
_SAME_TEMPO = 0.01


def default_voice() -> str:
    """Return who speaks when nobody is named: `REELGRAPH_VOICE`, else `piper:joe`."""
    return os.environ.get(VOICE_VARIABLE, "").strip() or DEFAULT_VOICE


def available(voice: str | None = None) -> str | None:
    """Return why the voice, by default `default_voice()`, cannot run here, in words a person can act on, or None."""
    name = voice or default_voice()
    if name == DEFAULT_VOICE:
        return piper.available()
    if name.startswith(kokoro.PREFIX):
        return kokoro.available(name)
    return f"no voice {name!r}; there is {DEFAULT_VOICE} and {', '.join(kokoro.PREFIX + one for one in kokoro.VOICES)}"


def speaking_rate_wps() -> float:
    """Return the words a second of `piper:joe` at its own tempo, pauses included.

    Source: measured with piper-tts 1.8.0 and joe 1.0.0: 3.0, 3.3 and 3.7 over the three texts of
    `tests/integration/test_speech.py`; figures and units take it down to 1.9, as one written word is several spoken.
    """
    return 3.1


def synthesize(
    text: str,
    *,
    voice: str | None = None,
    profile: Path | VoiceProfile | None = None,
    duration_s: float | None = None,
    workdir: Path,
    check: Check,
    seed: int = 0,
) -> Speech:
    """Speak `text`, every word of it.

    Args:
        voice: `piper:joe` or `kokoro:NAME`; by default `default_voice()`.
        profile: a speaker to sound like, or their `voice.json`; its base voice speaks, whatever `voice` says, at the
            speaker's tempo.
        duration_s: fit the speech into this many seconds by a tempo of 0.8 to 1.25; a text that is too long for
            that stays longer, and one that is too short stays shorter.
        workdir: folder of the attempt; unused by voices that need no files.
        check: raises when the job was cancelled.
        seed: the same seed, text and duration speak the same samples.

    Raises:
        TaskError: `nothing_to_say`, `text_too_long`, `voice_unavailable`, `voice_failed`, `voice_timeout`,
            `silent_speech`, `voice_profile_unreadable` or `voice_profile_invalid`.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise TaskError(
            "text_too_long",
            "the narration is too long",
            got=len(text),
            allowed=MAX_TEXT_CHARS,
        )
    parts = sentences(text)
    if not parts:
        raise TaskError(
            "nothing_to_say", "the narration has no word that can be spoken", path="narrative", got=text[:80],
            allowed="text in Latin letters or numbers",
        )  # fmt: skip
    speaker = _matched(profile) if profile else _voice(voice or default_voice())
    spoken = _speak(parts, speaker, 1.0, seed=seed, check=check)
    scale = length_scale(lambda scale: _end_s(parts, spoken, scale), duration_s=duration_s) if duration_s else 1.0
    if abs(scale - 1.0) > _SAME_TEMPO:
        spoken = _speak(parts, speaker, scale, seed=seed, check=check)
    speech = _joined(parts, spoken, scale, voice=speaker.name)
    level = float(np.sqrt(np.mean(np.square(speech.samples))))
    if level < MIN_LEVEL:
        raise TaskError(
            "silent_speech",
            "the voice gave silence",
            kind=FailureKind.BUG,
            got=round(level, 5),
        )
    return speech


def _voice(name: str) -> Voice:
    reason = available(name)
    if reason is not None:
        raise TaskError(
            "voice_unavailable",
            reason,
            kind=FailureKind.DEPENDENCY,
            path="voice",
            got=name,
        )
    return kokoro.voice(name) if name.startswith(kokoro.PREFIX) else piper.joe()


def _matched(profile: Path | VoiceProfile) -> Voice:
    from worker.voice.matched import MatchedVoice
    from worker.voice.profile import read_profile

    if isinstance(profile, Path):
        profile = read_profile(profile)
    return MatchedVoice(_voice(profile.base), profile)


def _speak(parts: Sequence[Sentence], voice: Voice, scale: float, *, seed: int, check: Check) -> list[Utterance]:
    spoken: list[Utterance] = []
    for part in parts:
        check()
        spoken.append(voice.speak(part, length_scale=scale, seed=seed, check=check))
    return spoken


def _end_s(parts: Sequence[Sentence], spoken: Sequence[Utterance], scale: float) -> float:
    """Return when the last word would end at another length scale, from what was spoken at scale 1."""
    ends = [utterance.duration_at(scale) for utterance in spoken]
    quiet = [utterance.duration_s - utterance.word_spans[-1][1] for utterance in spoken]
    pauses = sum(max(0.0, scale * part.pause_s - left_s) for part, left_s in zip(parts[:-1], quiet[:-1], strict=True))
    return sum(ends) + pauses - quiet[-1]


def _joined(parts: Sequence[Sentence], spoken: Sequence[Utterance], scale: float, *, voice: str) -> Speech:
    """Join sentences; the silence that a voice leaves after a sentence counts as part of the pause."""
    rate_hz = spoken[0].rate_hz
    samples: list[NDArray[np.float32]] = []
    words: list[Word] = []
    phonemes: list[Phoneme] = []
    at = 0
    for index, (part, utterance) in enumerate(zip(parts, spoken, strict=True)):
        start_s = at / rate_hz
        for token, (word_start_s, word_end_s) in zip(part.tokens, utterance.word_spans, strict=True):
            words.append(Word(token.text, start_s + word_start_s, start_s + word_end_s))
        phonemes += [Phoneme(p.symbol, start_s + p.start_s, start_s + p.end_s) for p in utterance.phonemes]
        samples.append(utterance.samples)
        at += len(utterance.samples)
        if index + 1 < len(parts):
            left_s = utterance.duration_s - utterance.word_spans[-1][1]
            missing = round(max(0.0, scale * part.pause_s - left_s) * rate_hz)
            samples.append(np.zeros(missing, np.float32))
            if missing and phonemes:
                phonemes.append(Phoneme(" ", at / rate_hz, (at + missing) / rate_hz))
            at += missing
    joined = np.concatenate(samples)
    peak = float(np.max(np.abs(joined)))
    if peak > 0:
        joined = (joined * (PEAK / peak)).astype(np.float32)
    return Speech(joined, rate_hz, tuple(words), tuple(phonemes), voice)
