"""The packaged voices as starting points: what is known of each, which are installed, which is nearest to a speaker.

What is known is measured once per release of the voice packages and kept in `bases.json`, written by
`python -m bench.voice --bases`, so that training lets only the chosen voice speak.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from schemas.states import FailureKind
from worker.context import TaskError
from worker.speech.synthesize import available
from worker.voice.encoder import similarity

FILE = Path(__file__).with_name("bases.json")
LESSON = (
    "The old keeper opened the door and looked out across the water. A small boat was coming home before the storm, "
    "and he waved his lamp until the sailors saw the light. Rice is often served in round bowls."
)
"""What the base says while the filter is trained."""
EXAM = (
    "My neighbor grows tomatoes behind her house. Every summer she gives us a basket full of them, and we cook a big "
    "pot of soup for the whole street."
)
"""What it says when the result is measured; no part of the training."""
_SEMITONE_COST = 0.005  # of similarity: moving the pitch far costs naturalness


@dataclass(frozen=True)
class BaseVoice:
    """What is known of a packaged voice when it says `LESSON`.

    Attributes:
        pitch_hz: its median.
        embedding: unit vector float32 [256] of the speaker encoder.
    """

    name: str
    pitch_hz: float
    embedding: NDArray[np.float32]


@cache
def bases() -> tuple[BaseVoice, ...]:
    """Return all that are known, installed or not."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(BaseVoice(name, row["pitch_hz"], np.array(row["embedding"], np.float32)) for name, row in rows.items())


def installed() -> tuple[BaseVoice, ...]:
    """Return those that can speak here."""
    return tuple(base for base in bases() if available(base.name) is None)


def nearest(candidates: Sequence[BaseVoice], *, embedding: NDArray[np.float32], pitch_hz: float) -> BaseVoice:
    """Return the one that sounds most alike, far moves of the pitch counted against it.

    Raises:
        TaskError: `voice_unavailable`, when there is none.
    """
    if not candidates:
        raise TaskError(
            "voice_unavailable", "no packaged voice is installed here", kind=FailureKind.DEPENDENCY,
            hint="run `make tools`",
        )  # fmt: skip

    def likeness(base: BaseVoice) -> float:
        semitones = abs(12.0 * float(np.log2(base.pitch_hz / pitch_hz)))
        return similarity(base.embedding, embedding) - _SEMITONE_COST * semitones

    return max(candidates, key=likeness)
