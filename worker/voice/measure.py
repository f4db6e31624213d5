"""How good a matched voice is, on speech that training never saw: likeness, spectrum, pitch and words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.av.audio import resampled
from worker.speech.timing import Speech
from worker.speech.voice import Check
from worker.voice.bands import distance_db, spectrum_db
from worker.voice.encoder import RATE_HZ, SpeakerEncoder, similarity
from worker.voice.heard import transcribe, word_error_rate
from worker.voice.pitch import pitch
from worker.voice.profile import Quality
from worker.voice.recording import speech_only


def measured(
    *,
    before: Speech,
    after: Speech,
    text: str,
    lesson: NDArray[np.float32],
    held_out: NDArray[np.float32],
    judge: SpeakerEncoder,
    check: Check,
) -> Quality:
    """Return the quality of `after`, the matched voice, beside `before`, the untouched base voice.

    Args:
        text: what both say.
        lesson, held_out: the speaker's own speech, float32 [T] at 16 kHz.
    """
    aim = judge.embed(held_out)
    spectrum = spectrum_db(held_out, RATE_HZ)
    pitch_hz = pitch(held_out, RATE_HZ).median_hz or pitch(lesson, RATE_HZ).median_hz
    figures: dict[str, float] = {}
    for name, speech in (("_base", before), ("", after)):
        check()
        sound = resampled(speech.samples, speech.rate_hz, to_hz=RATE_HZ)
        spoken = speech_only(sound)
        semitones = 12.0 * np.log2((pitch(speech.samples, speech.rate_hz).median_hz or 1.0) / pitch_hz)
        figures[f"similarity{name}"] = similarity(judge.embed(spoken), aim)
        figures[f"spectrum_distance{name}_db"] = distance_db(spectrum_db(spoken, RATE_HZ), spectrum)
        figures[f"pitch_error{name}_semitones"] = abs(float(semitones))
        figures[f"word_error_rate{name}"] = word_error_rate(text, transcribe(sound, check=check).words)
    return Quality(held_out_s=len(held_out) / RATE_HZ, similarity_self=similarity(judge.embed(lesson), aim), **figures)
