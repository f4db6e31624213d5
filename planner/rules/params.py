"""Rules about params: the task's JSON Schema, what a rendering must say, and the constraints of the request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from planner.lexicon import CONCRETE_PARAMS
from planner.rules.view import View, choices, did_you_mean, pointer, problem
from schemas.diagnostics import Code, Diagnostic
from schemas.resolution import ALLOWED, parse_resolution


def params_fit_the_schema(view: View) -> Iterator[Diagnostic]:
    validators: dict[str, Any] = {}
    for place, node, found in view.known():
        if not found.capability.params:
            continue
        if found.name not in validators:
            validators[found.name] = compiled(json.dumps(found.capability.params, sort_keys=True))
        validator = validators[found.name]
        if isinstance(validator, str):
            yield problem(
                Code.INVALID_PARAM,
                f"/nodes/{place}/task",
                f"the params schema that is advertised for {node.task} is not a usable JSON Schema: {validator}",
                got=node.task,
                hint="correct `params` in the manifest",
            )
            continue
        for error in _errors(validator, node.params):
            yield from _told(place, node.params, error)


def renderings_are_concrete(view: View) -> Iterator[Diagnostic]:
    for place, node, found in view.known():
        for name in CONCRETE_PARAMS.get(found.name, ()):
            if node.params.get(name) is None:
                yield problem(
                    Code.INVALID_PARAM,
                    f"/nodes/{place}/params/{name}",
                    f"{node.task} must say its {name}",
                    allowed=list(found.capability.variants or ()) if name == "variant" else None,
                    hint=f"set {name!r} in the node's params",
                )
        resolution = node.params.get("resolution")
        if isinstance(resolution, str) and parse_resolution(resolution) is None:
            yield problem(
                Code.INVALID_PARAM,
                f"/nodes/{place}/params/resolution",
                f"{resolution!r} is not a resolution that can be served",
                got=resolution,
                allowed=ALLOWED,
                hint=f"use {ALLOWED}",
            )


def constraints_are_kept(view: View) -> Iterator[Diagnostic]:
    limit_s = view.constraints.max_duration_seconds
    largest = parse_resolution(view.constraints.max_resolution or "")
    for place, node in enumerate(view.plan.nodes):
        duration = node.params.get("duration_seconds")
        if limit_s is not None and isinstance(duration, (int, float)) and duration > limit_s:
            yield problem(
                Code.CONSTRAINT_VIOLATED,
                f"/nodes/{place}/params/duration_seconds",
                f"{duration:g} s is longer than the {limit_s:g} s that are allowed",
                got=duration,
                allowed=limit_s,
                hint=f"use {limit_s:g}",
            )
        text = node.params.get("resolution")
        size = parse_resolution(text) if isinstance(text, str) else None
        if largest is not None and size is not None and size.pixels > largest.pixels:
            yield problem(
                Code.CONSTRAINT_VIOLATED,
                f"/nodes/{place}/params/resolution",
                f"{text} is larger than the {view.constraints.max_resolution} that is allowed",
                got=text,
                allowed=view.constraints.max_resolution,
                hint=f"use {view.constraints.max_resolution!r}",
            )


@lru_cache(maxsize=512)
def compiled(schema: str) -> Any:
    """Return the validator of a schema given as JSON text, or a sentence that says why there is none.

    References to other documents are never fetched.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing import Registry

    document = json.loads(schema)
    try:
        Draft202012Validator.check_schema(document)
    except SchemaError as error:
        return error.message
    except RecursionError:
        return "it is nested too deeply"
    return Draft202012Validator(document, registry=Registry())


def _errors(validator: Any, params: dict[str, Any]) -> list[Any]:
    from referencing.exceptions import Unresolvable

    try:
        return list(validator.iter_errors(params))
    except (Unresolvable, RecursionError) as error:
        return [f"the params schema cannot be followed: {type(error).__name__}"]


def _told(place: int, params: dict[str, Any], error: Any) -> Iterator[Diagnostic]:
    base = f"/nodes/{place}/params"
    if isinstance(error, str):
        yield problem(Code.INVALID_PARAM, base, error, hint="correct `params` of this task in the manifest")
        return
    path = base + "".join(f"/{pointer(str(token))}" for token in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = sorted(error.schema.get("properties", {}))
        for name in sorted(set(error.instance) - set(known)):
            yield problem(
                Code.INVALID_PARAM,
                f"{path}/{pointer(name)}",
                f"there is no param {name!r}",
                got=name,
                allowed=choices(known),
                hint=did_you_mean(name, known, otherwise="remove it"),
            )
        return
    if error.validator == "required":
        gone = [name for name in error.validator_value if name not in error.instance]
        yield problem(
            Code.INVALID_PARAM,
            path,
            error.message,
            allowed=sorted(error.validator_value),
            hint=f"add {', '.join(repr(name) for name in gone)}",
        )
        return
    value = error.validator_value
    hint = f"the params schema of the task asks for {error.validator}: {_short(value)}"
    if _is_choice(error):
        hint = did_you_mean(error.instance, map(str, value), otherwise=f"use one of {_short(value)}")
    yield problem(Code.INVALID_PARAM, path, _short(error.message), got=_short(error.instance), allowed=value, hint=hint)


def _is_choice(error: Any) -> bool:
    return error.validator == "enum" and isinstance(error.instance, str)


def _short(value: Any) -> Any:
    """Cut a long text, so that a diagnostic never repeats a megabyte."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return value if len(text) <= 300 else text[:300] + "..."
