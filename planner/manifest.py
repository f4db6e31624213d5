"""Reads the manifest that a request brings along. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from planner.rules.view import pointer, problem
from schemas.capability import Manifest
from schemas.diagnostics import Code, Diagnostic
from schemas.errors import ValidationFailed
from schemas.text import clean_json

MOST = 50
_ROOT = "/capabilities_manifest"
_SECTIONS = {"node": "node", "control": "node", "python": "python", "data": "python"}


def read_manifest(document: Mapping[str, Any]) -> Manifest:
    """Return the manifest in the seed's shape, `{"node": {TASK: {...}}, "python": {TASK: {...}}}`.

    Patterns in its params schemas are dropped: a foreign regular expression could stall the API process.

    Raises:
        ValidationFailed: it is not a manifest, or a task stands in both planes; names every place.
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
    problems = list(_twice(sections))
    try:
        manifest = Manifest.model_validate(sections)
    except ValidationError as error:
        for item in error.errors(include_url=False)[:MOST]:
            path = _ROOT + "".join(f"/{pointer(str(token))}" for token in item["loc"])
            problems.append(problem(Code.INVALID_PARAM, path, item["msg"], got=str(item.get("input"))[:200]))
        raise _refused(problems) from error
    if problems:
        raise _refused(problems)
    return manifest


def _twice(sections: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """Yield the tasks that stand in both planes: nobody could say which one is meant."""
    node, python = (sections.get(name) for name in ("node", "python"))
    for task in sorted(set(node) & set(python)) if isinstance(node, dict) and isinstance(python, dict) else ():
        yield problem(
            Code.WRONG_PLANE, f"{_ROOT}/python/{pointer(task)}", f"{task} is advertised in both planes", got=task,
            allowed=["node", "python"], hint="leave it in the plane that runs it",
        )  # fmt: skip


def _refused(problems: list[Diagnostic]) -> ValidationFailed:
    first = problems[0]
    return ValidationFailed(
        f"this is not a manifest: {first.message}", path=first.path, got=first.got, diagnostics=problems
    )


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
