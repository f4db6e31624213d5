"""Reads the manifest that a request brings along. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from planner.rules.view import pointer
from schemas.capability import Manifest
from schemas.errors import ValidationFailed
from schemas.text import clean_json

_ROOT = "/capabilities_manifest"
_SECTIONS = {"node": "node", "control": "node", "python": "python", "data": "python"}


def read_manifest(document: Mapping[str, Any]) -> Manifest:
    """Return the manifest in the seed's shape, `{"node": {TASK: {...}}, "python": {TASK: {...}}}`.

    Patterns in its params schemas are dropped: a foreign regular expression could stall the API process.

    Raises:
        ValidationFailed: it is not a manifest; names the first place.
    """
    cleaned = _without_patterns(clean_json(dict(document), path=_ROOT))
    unknown = sorted(set(cleaned) - set(_SECTIONS))
    if unknown:
        raise ValidationFailed(
            f"a manifest has the sections 'node' and 'python', not {unknown[0]!r}",
            path=f"{_ROOT}/{pointer(unknown[0])}",
            got=unknown[0],
            allowed=["node", "python"],
        )
    sections: dict[str, Any] = {}
    for name, entries in cleaned.items():
        sections[_SECTIONS[name]] = {**sections.get(_SECTIONS[name], {}), **entries} if _is_map(entries) else entries
    try:
        return Manifest.model_validate(sections)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = _ROOT + "".join(f"/{pointer(str(token))}" for token in first["loc"])
        raise ValidationFailed(
            f"this is not a manifest: {first['msg']}", path=path, got=str(first.get("input"))[:200]
        ) from error


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def _without_patterns(value: Any, *, named: bool = False) -> Any:
    """Drop `pattern` and `patternProperties` where they are keywords, not where they are names of properties."""
    if isinstance(value, dict):
        return {
            key: _without_patterns(
                item, named=key in {"properties", "node", "python", "inputs", "outputs"} and not named
            )
            for key, item in value.items()
            if named or key not in {"pattern", "patternProperties"}
        }
    if isinstance(value, list):
        return [_without_patterns(item) for item in value]
    return value
