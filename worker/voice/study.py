"""What is known of a speaker: the recordings judged, split into a part to learn from and a part to be measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.context import TaskError
from worker.speech.voice import Check
from worker.voice.bands import spectrum_db
from worker.voice.encoder import SpeakerEncoder
from worker.voice.heard import transcribe
from worker.voice.pitch import pitch
from worker.voice.profile import Speaker
from worker.voice.recording import RATE_HZ, Recording, read_recording

MIN_SPEECH_S = 6.0
MAX_SPEECH_S = 300.0
"""Where reading further recordings ends."""
HELD_OUT_RATIO, MIN_HELD_OUT_S = 0.3, 2.0
_CUT_REACH_S = 0.5
_MIN_VOICED_RATIO = 0.15


@dataclass(frozen=True)
class Speech:
    """Clean speech of one person, float32 [T] at 16 kHz: `lesson` teaches, `held_out` only measures."""

    lesson: NDArray[np.float32]
    held_out: NDArray[np.float32]
    recordings: tuple[Recording, ...]
    refused: tuple[TaskError, ...]

    @property
    def speech_s(self) -> float:
        return (len(self.lesson) + len(self.held_out)) / RATE_HZ

    @property
    def snr_db(self) -> float:
        """Of the noisiest recording that is used."""
        return min(recording.snr_db for recording in self.recordings)

    @property
    def held_out_s(self) -> float:
        return len(self.held_out) / RATE_HZ


def gathered(files: Sequence[tuple[str, Path]], *, check: Check) -> Speech:
    """Return the clean speech of all usable files, (name, path) each.

    Raises:
        TaskError: why the only file cannot be used (see `recording.py`), or `too_little_speech`.
    """
    used: list[Recording] = []
    refused: list[TaskError] = []
    for name, path in files:
        try:
            recording = read_recording(path, name=name, check=check)
            refusal = recording.refusal()
        except TaskError as error:
            recording, refusal = None, error
        if refusal is not None:
            refused.append(refusal)
        elif recording is not None:
            used.append(recording)
        if sum(one.speech_s for one in used) >= MAX_SPEECH_S:
            break
    if not used and refused:
        raise refused[0]
    speech = np.concatenate([one.speech for one in used]) if used else np.zeros(0, np.float32)
    if len(speech) < MIN_SPEECH_S * RATE_HZ:
        each = ", ".join(f"{one.name}: {one.speech_s:.1f} s of {one.duration_s:.1f} s" for one in used[:8])
        raise TaskError(
            "too_little_speech", "there is too little clean speech to learn a voice", path="inputs.audio",
            got=f"{len(speech) / RATE_HZ:.1f} s ({each or 'no recording'})", allowed=f"at least {MIN_SPEECH_S:g} s",
            hint="Record 10 to 30 seconds of one person reading aloud.",
            detail="; ".join(error.failure.message for error in refused) or None,
        )  # fmt: skip
    cut = _cut(speech)
    return Speech(speech[:cut], speech[cut:], tuple(used), tuple(refused))


def _cut(speech: NDArray[np.float32]) -> int:
    """Return where the held-out part begins: the quietest moment near 70 % of the speech."""
    held_out = max(MIN_HELD_OUT_S * RATE_HZ, HELD_OUT_RATIO * len(speech))
    about, reach, frame = len(speech) - int(held_out), int(_CUT_REACH_S * RATE_HZ), RATE_HZ // 100
    starts = range(max(frame, about - reach), about + 1, frame)
    return min(starts, key=lambda at: float(np.square(speech[at : at + 3 * frame], dtype=np.float64).sum()))


def studied(lesson: NDArray[np.float32], encoder: SpeakerEncoder, *, check: Check) -> Speaker:
    """Return what float32 [T] at 16 kHz of one person's speech tells about them.

    Raises:
        TaskError: `not_speech`, when no words are in it, or nothing in it has a pitch.
    """
    heard = transcribe(lesson, check=check)
    refusal = heard.refusal()
    if refusal is not None:
        raise refusal
    check()
    track = pitch(lesson, RATE_HZ)
    if track.voiced_ratio < _MIN_VOICED_RATIO:
        raise TaskError(
            "not_speech", "the recording has no voiced sounds: a whisper cannot be matched", path="inputs.audio",
            got=f"{track.voiced_ratio:.0%} voiced", allowed=f"at least {_MIN_VOICED_RATIO:.0%}",
        )  # fmt: skip
    return Speaker(
        pitch_hz=track.median_hz,
        pitch_spread_semitones=track.spread_semitones,
        letters_per_s=heard.letters_per_s,
        spectrum_db=tuple(spectrum_db(lesson, RATE_HZ).tolist()),
        embedding=tuple(encoder.embed(lesson).tolist()),
    )
