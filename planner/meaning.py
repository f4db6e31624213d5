"""Meaning of short texts as static word vectors, so that a task can be found by its description. CPU, no model runs.

The vectors are those of the package WordLlama (32,000 tokens x 256, MIT), averaged over a text's tokens and
normalised: the cosine of two texts is the dot product of their vectors.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
DIMENSIONS = 256
_FILLER = re.compile(
    r"\b(?:please|pls|thanks?(?: you)?|i(?:'d| would) like|i want|i need|can you|could you|would you|give me|make me|"
    r"bitte|por favor|s'il (?:te|vous) pla[îi]t)\b",
    re.IGNORECASE,
)


def similarity(texts: list[str], others: list[str]) -> NDArray[np.float32]:
    """Return the cosines, shape (len(texts), len(others)), each in -1..1; 0 for a text without a known word."""
    if not texts or not others:
        return np.zeros((len(texts), len(others)), np.float32)
    return np.stack([_vector(text) for text in texts]) @ np.stack([_vector(text) for text in others]).T


@lru_cache(maxsize=4096)
def _vector(text: str) -> Vector:
    weights, tokenizer = _model()
    ids = tokenizer.encode(_FILLER.sub(" ", text)[:2000], add_special_tokens=False).ids
    if not ids:
        return np.zeros(DIMENSIONS, np.float32)
    mean = weights[ids].astype(np.float32).mean(axis=0)
    norm = float(np.linalg.norm(mean))
    return mean / norm if norm else mean


@cache
def _model() -> tuple[NDArray[np.float32], Any]:
    """Read the packaged files directly: the package's own loader asks a model hub for what it carries already."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    spec = find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package wordllama is missing: run make setup")
    folder = Path(next(iter(spec.submodule_search_locations)))
    tensors = load_file(folder / "weights" / "l2_supercat_256.safetensors")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    return next(iter(tensors.values())), tokenizer
