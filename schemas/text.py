"""JSON-safe text and numbers: what cannot be stored in Postgres or a checkpoint never gets in. Pure."""

from __future__ import annotations

import math
from typing import Any

from schemas.errors import ValidationFailed

MAX_INT = 2**53
MAX_DEPTH = 64


def clean_text(text: str) -> str:
    """Return `text` without NUL and lone surrogates (each would kill a Postgres write)."""
    if "\x00" not in text and text.isascii():
        return text
    return text.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")


def clean_json(value: Any, *, path: str = "", strict: bool = True, depth: int = 0) -> Any:
    """Return `value` as JSON that Postgres, msgpack and JavaScript all take.

    NUL and lone surrogates are removed from strings and keys. NaN, infinities, integers beyond 2**53 and
    unknown types are refused when `strict`, else replaced by None (LLM and third-party output).

    Raises:
        ValidationFailed: with the JSON pointer of the first value that cannot be carried.
    """
    if depth > MAX_DEPTH:
        raise ValidationFailed(f"nested deeper than {MAX_DEPTH} levels", path=path, allowed=MAX_DEPTH)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        if abs(value) <= MAX_INT:
            return int(value)
        if strict:
            raise ValidationFailed("integer is too large", path=path, allowed=f"-2**53 to 2**53 ({MAX_INT})")
        return None
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        if strict:
            raise ValidationFailed("number is not finite", path=path, got=str(value), allowed="a finite number")
        return None
    if isinstance(value, dict):
        return {
            clean_text(str(key)): clean_json(item, path=f"{path}/{key}", strict=strict, depth=depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [
            clean_json(item, path=f"{path}/{index}", strict=strict, depth=depth + 1) for index, item in enumerate(value)
        ]
    if strict:
        raise ValidationFailed(f"{type(value).__name__} is not JSON", path=path)
    return None
