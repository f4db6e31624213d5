"""When what is said: words and phonemes with times, and the speech that carries them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Word:
    """A spoken word as written, with its punctuation, in seconds from the start of the audio."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Phoneme:
    """A spoken sound in IPA (Piper/espeak symbols; pauses as ` ` or punctuation), in seconds."""

    symbol: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Speech:
    """Narration.

    Attributes:
        samples: float32 [T] in [-1, 1], mono, at `rate_hz`.
        words: in order, never overlapping; every word of the text has one.
        phonemes: in order; empty when the voice gives no phoneme times.
        voice: what spoke it, e.g. `piper:joe`.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    words: tuple[Word, ...]
    phonemes: tuple[Phoneme, ...]
    voice: str

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz
