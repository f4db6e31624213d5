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
    """

    samples: NDArray[np.float32]
    rate_hz: int
    phonemes: tuple[Phoneme, ...]
    word_spans: tuple[tuple[float, float], ...]


class Voice(Protocol):
    """Something that speaks.

    Attributes:
        name: as users write it, e.g. `piper:joe`.
        timing: where its times come from: `aligned` (exact) or `estimated`.
    """

    @property
    def name(self) -> str: ...

    @property
    def timing(self) -> str: ...

    def speak(self, sentence: Sentence, *, length_scale: float, seed: int, check: Check, audio: bool) -> Utterance:
        """Speak the sentence.

        Args:
            length_scale: 1.0 is the voice's own tempo; larger is slower, not always in proportion.
            audio: False asks only how long it would be; the samples may then be silence.
        """
        ...
