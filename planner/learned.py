"""What a goal wants as a small classifier tells it: sentence vector, words and what the patterns found, weighed.

The patterns of `planner/wish_words.py` know spellings; this one knows paraphrases. It is trained on labelled goals
(`planner/data/goals_*.jsonl` and the benchmark's dev cases) by `python -m bench.train_reader`, one logistic
regression a deliverable; `planner/data/reader.npz` holds the weights. It sees only the goal's text.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planner.meaning import DIMENSIONS, vector
from schemas.brief import Deliverable

WEIGHTS = Path(__file__).parent / "data" / "reader.npz"
BUCKETS = 2**14
_WORD = re.compile(r"[^\W\d_]+|\d")
_KINDS = tuple(Deliverable)


def weigh(goal: str, found: Collection[Deliverable], *, is_guess: bool) -> dict[Deliverable, float]:
    """Return deliverable -> probability, 0..1, that the goal wants it.

    Args:
        found: what the patterns read.
        is_guess: whether they found no name for it.
    """
    known, dense, words = _weights()
    buckets = word_buckets(goal)
    logits = dense.T @ dense_features(goal, found, is_guess=is_guess)
    if len(buckets):
        logits = logits + words[buckets].astype(np.float32).sum(axis=0) / np.sqrt(len(buckets))
    return {Deliverable(name): float(1 / (1 + np.exp(-logit))) for name, logit in zip(known, logits, strict=True)}


def dense_features(goal: str, found: Collection[Deliverable], *, is_guess: bool) -> NDArray[np.float32]:
    """Return shape (512 + number of deliverables + 2,): the vector, what was found, whether guessed, and a 1."""
    flags = [float(kind in found) for kind in _KINDS]
    return np.concatenate([vector(goal) * np.sqrt(DIMENSIONS), np.array([*flags, float(is_guess), 1.0])]).astype(
        np.float32
    )


def word_buckets(goal: str) -> NDArray[np.int64]:
    """Return the hashed buckets of the goal's words, pairs of words and four-letter pieces, each once."""
    words = _WORD.findall(goal.lower()[:1500])
    pieces = {word[at : at + 4] for word in (f"<{each}>" for each in words) for at in range(len(word) - 3)}
    pairs = {f"{left} {right}" for left, right in pairwise(words)}
    return np.array(sorted({zlib.crc32(text.encode()) % BUCKETS for text in {*words, *pairs, *pieces}}), np.int64)


@cache
def _weights() -> tuple[tuple[str, ...], NDArray[np.float32], NDArray[np.float16]]:
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        return tuple(stored["names"].tolist()), stored["dense"], stored["words"]
