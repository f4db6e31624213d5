"""Tries a template without a running system: sample params made from its schema, every fixed task live. Pure."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from pydantic import ValidationError

from schemas.builder import PlanBuilder, Step
from schemas.capability import Capability, Manifest
from schemas.contracts.table import contracts
from schemas.errors import UnsatisfiableGoal
from schemas.template import TemplateParams

Schema = Mapping[str, Any]
_SAMPLE_TEXT = "a sample"
_REFERENCES = {
    "images": "s3://uploads/sample/picture.png",
    "image": "s3://uploads/sample/picture.png",
    "audio": "s3://uploads/sample/speech.wav",
    "video": "s3://uploads/sample/video.mp4",
    "svg": "s3://uploads/sample/drawing.svg",
    "model3d": "s3://uploads/sample/model.glb",
}
_MAX_DEPTH = 8


class NoSample(Exception):
    """Raised when no sample params can be made up; `fields` is field name -> why."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {why}" for name, why in fields.items()))
        self.fields = dict(fields)


class TrialBuilder(PlanBuilder):
    """A builder that remembers from which line of a file each node and each task was added."""

    def __init__(self, workflow_id: str, *, manifest: Manifest, file: str) -> None:
        super().__init__(workflow_id, manifest=manifest)
        self.lines: dict[str, int] = {}
        self.lines_of_tasks: dict[str, int] = {}
        self._file = file

    def add(self, id: str, task: str, **options: Any) -> Step:
        line = self._line()
        if line is not None:
            self.lines[id] = line
            self.lines_of_tasks.setdefault(task, line)
        return super().add(id, task, **options)

    def _line(self) -> int | None:
        frame = inspect.currentframe()
        while frame is not None:
            if frame.f_code.co_filename == self._file:
                return frame.f_lineno
            frame = frame.f_back
        return None


def build_fault(error: Exception, params: TemplateParams) -> str:
    """Return a sentence about what a template raised when it was built with these params."""
    shown = json.dumps(params.model_dump(mode="json", exclude_unset=True), ensure_ascii=False)
    if isinstance(error, UnsatisfiableGoal):
        return f"the plan that it builds with the params {shown} has no node"
    if not isinstance(error, ValidationError):
        return f"built with the params {shown} it raises {type(error).__name__}: {error}"
    first = error.errors(include_url=False)[0]
    return f"built with the params {shown} it makes a wrong {'.'.join(map(str, first['loc']))}: {first['msg']}"


@cache
def fixed_tasks() -> Manifest:
    """Return a manifest in which every task with a fixed contract is live."""
    planes: dict[str, dict[str, Capability]] = {"node": {}, "python": {}}
    for name, contract in contracts().items():
        if name != contract.alias:
            planes[contract.plane][name] = Capability(
                description=contract.description,
                inputs=contract.inputs,
                outputs=contract.outputs,
                params=contract.params,
            )
    return Manifest(node=planes["node"], python=planes["python"])


def sample_params(
    params: type[TemplateParams], given: Mapping[str, Any] | None = None, *, only_smallest: bool = False
) -> list[TemplateParams]:
    """Return the smallest params (what must be said) and, when they differ, the fullest (everything is said).

    A field's own `Field(examples=[...])` comes first, then its default, then what its type and bounds allow.

    Args:
        given: values that are set as they are in both.

    Raises:
        NoSample: what was made up, or given, does not validate.
    """
    schema = params.model_json_schema()
    found: list[TemplateParams] = []
    for fullest in (False,) if only_smallest else (False, True):
        values = {**_object(schema, schema, fullest=fullest, depth=0), **(given or {})}
        try:
            sample = params.model_validate(values)
        except ValidationError as error:
            problems = error.errors(include_url=False)
            raise NoSample({".".join(map(str, item["loc"])) or "params": item["msg"] for item in problems}) from error
        if sample not in found:
            found.append(sample)
    return found


def _object(schema: Schema, root: Schema, *, fullest: bool, depth: int) -> dict[str, Any]:
    required = schema.get("required", ())
    return {
        name: _value(field, root, name=name, fullest=fullest, depth=depth + 1)
        for name, field in schema.get("properties", {}).items()
        if fullest or name in required
    }


def _value(schema: Schema, root: Schema, *, name: str, fullest: bool, depth: int) -> Any:
    """Return a value that this schema allows; `name` tells which strings are references to media."""
    if depth > _MAX_DEPTH:
        return None
    if schema.get("examples"):
        return schema["examples"][-1 if fullest else 0]
    if schema.get("default") not in (None, "", [], {}, True, False):
        return schema["default"]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            schema = next((one for one in schema[choice] if one.get("type") != "null"), schema[choice][0])
            return _value(schema, root, name=name, fullest=fullest, depth=depth + 1)
    if "$ref" in schema:
        target: Any = root
        for key in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[key]
        return _value(cast(Schema, target), root, name=name, fullest=fullest, depth=depth + 1)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][-1 if fullest else 0]
    match schema.get("type"):
        case "boolean":
            return not schema.get("default", not fullest)
        case "integer" | "number":
            return _number(schema, fullest=fullest)
        case "array":
            items = schema.get("prefixItems") or [schema.get("items", {})] * max(1, schema.get("minItems", 0))
            return [_value(one, root, name=name, fullest=fullest, depth=depth + 1) for one in items]
        case "object":
            return _object(schema, root, fullest=fullest, depth=depth)
        case "null":
            return None
        case _:
            text = _REFERENCES.get(name, _SAMPLE_TEXT)
            return text.ljust(schema.get("minLength", 0), "e")[: schema.get("maxLength", len(text) + 400)]


def _number(schema: Schema, *, fullest: bool) -> float:
    """Return the lower or the upper end of what is allowed, 1 where there is no end."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    ends = [end for end in (low if above is None else above, high if below is None else below) if end is not None]
    inside = 1 if schema["type"] == "integer" or len(ends) < 2 else (ends[1] - ends[0]) / 2
    lowest, highest = low if above is None else above + inside, high if below is None else below - inside
    number = next((end for end in ((highest, lowest) if fullest else (lowest, highest)) if end is not None), 1)
    step = schema.get("multipleOf")
    return number if step is None else -(-number // step) * step
