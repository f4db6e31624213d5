"""What every voice offers: it speaks one sentence at a tempo. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from worker.speech.normalise import Sentence
from worker.speech.timing import Phoneme

Check = Callable[[], None]
"""Raises `TaskCancelled` when the job was cancelled."""


@dataclass(frozen=True)
class Utterance:
    """One spoken sentence, times from its own start.

    Attributes:
        samples: float32 [T] in [-1, 1], mono.
        phonemes: gap-free from 0 to T / rate_hz; empty when the voice gives none.
        word_spans: (start_s, end_s) of every token of the sentence.
        widths_s: float64 [N], lengths of its parts at length scale 1, which are rounded to `frame_s`.
        rounding: how the voice rounds them, `np.ceil` or `np.rint`.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    phonemes: tuple[Phoneme, ...]
    word_spans: tuple[tuple[float, float], ...]
    widths_s: NDArray[np.float64]
    frame_s: float
    rounding: np.ufunc = np.ceil

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz

    def duration_at(self, length_scale: float) -> float:
        """Return how long the sentence would be at another length scale, in seconds."""
        return float(self.rounding(self.widths_s / self.frame_s * length_scale).sum()) * self.frame_s


class Voice(Protocol):
    """Something that speaks; `name` is what users write, e.g. `piper:joe`."""

    @property
    def name(self) -> str: ...

    def speak(self, sentence: Sentence, *, length_scale: float, seed: int, check: Check) -> Utterance:
        """Speak the sentence; a length scale of 1.0 is the voice's own tempo, more is slower."""
        ...
