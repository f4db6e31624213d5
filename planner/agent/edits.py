"""The edits a model can make to a draft, and how its answer is read. Pure: an answer is data until it was checked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from planner.rules.view import did_you_mean, pointer, problem
from schemas.contracts.table import Advertised
from schemas.diagnostics import Code, Diagnostic
from schemas.errors import ValidationFailed
from schemas.plan import NodeId
from schemas.text import clean_json

MAX_EDITS = 64
"""Edits of one answer; what comes behind them is refused."""
_OFFERED_EDITS = 32
"""What the schema allows: a small model that is held to it would not stop by itself."""
MAX_ANSWER_CHARS = 64_000


class _Edit(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AddNode(_Edit):
    """Add a node that runs an advertised task."""

    op: Literal["add_node"]
    id: NodeId = Field(description="A new short name for the node.")
    task: str = Field(max_length=128, description="A task of the list, spelled as there.")


class Bind(_Edit):
    """Say where an input port of a node gets its value."""

    op: Literal["bind"]
    node: NodeId
    port: str = Field(max_length=128)
    source: str = Field(max_length=256, description="`request.KEY` or `NODE.PORT`.")


class SetParam(_Edit):
    """Set one param of a node; null takes it away."""

    op: Literal["set_param"]
    node: NodeId
    name: str = Field(max_length=128)
    value: Any


class RemoveNode(_Edit):
    """Remove a node and every binding to it."""

    op: Literal["remove_node"]
    node: NodeId


class Finish(_Edit):
    """Say that the plan is complete."""

    op: Literal["finish"]


Edit = AddNode | Bind | SetParam | RemoveNode | Finish
OPERATIONS = ("add_node", "bind", "set_param", "remove_node", "finish")
_EDIT: TypeAdapter[Edit] = TypeAdapter(Annotated[Edit, Field(discriminator="op")])


def answer_schema(tasks: Iterable[Advertised]) -> dict[str, Any]:
    """Return the JSON Schema of an answer in which only these tasks, their ports and their params can be named.

    Written by hand without `$ref` and with `anyOf`: what every provider and llama.cpp's grammar understand. Lengths and
    patterns are left to the check of each edit: as a grammar they slow a small model down.
    """
    tasks = list(tasks)
    text = node = {"type": "string"}
    value = {"anyOf": [{"type": kind} for kind in ("string", "number", "boolean", "null")]}
    ports = {name for item in tasks for name in item.capability.inputs or ()}
    params = {name for item in tasks for name in (item.capability.params or {}).get("properties", ())}
    shapes: dict[str, dict[str, Any]] = {
        "add_node": {"id": node, "task": _one_of({item.name for item in tasks})},
        "bind": {"node": node, "port": _one_of(ports), "source": text},
        "set_param": {"node": node, "name": _one_of(params), "value": value},
        "remove_node": {"node": node},
        "finish": {},
    }
    edits = [
        {
            "type": "object",
            "properties": {"op": {"type": "string", "enum": [name]}, **fields},
            "required": ["op", *fields],
            "additionalProperties": False,
        }
        for name, fields in shapes.items()
    ]
    listed = {"type": "array", "items": {"anyOf": edits}, "minItems": 1, "maxItems": _OFFERED_EDITS}
    return {
        "title": "edit_plan",
        "description": "The edits to make to the plan, in order.",
        "type": "object",
        "properties": {"edits": listed},
        "required": ["edits"],
        "additionalProperties": False,
    }


def _one_of(names: set[str]) -> dict[str, Any]:
    return {"type": "string", "enum": sorted(names)} if names else {"type": "string"}


def read_answer(text: str) -> list[Edit | Diagnostic]:
    """Return the edits that an answer spells, in order; in the place of a malformed one what is wrong with it.

    What comes behind `finish` is left out. Of an answer that was cut off the whole edits are read.
    """
    found = _listed(text[:MAX_ANSWER_CHARS])
    if isinstance(found, Diagnostic):
        return [found]
    edits, is_whole = found
    read: list[Edit | Diagnostic] = []
    for place, item in enumerate(edits[:MAX_EDITS]):
        read.append(_read(item, f"/edits/{place}"))
        if isinstance(read[-1], Finish):
            return read
    if len(edits) > MAX_EDITS or not is_whole:
        reason = "the answer was cut off here" if not is_whole else f"at most {MAX_EDITS} edits fit into one answer"
        read.append(_malformed(f"/edits/{len(read)}", reason))
    return read


def _listed(text: str) -> tuple[list[Any], bool] | Diagnostic:
    """Return the edits as JSON values, and whether the answer is whole."""
    match = re.search(r"\{.*\}", text, re.DOTALL)
    if match is None:
        return _malformed("/", "the answer holds no JSON object")
    try:
        document = clean_json(json.loads(match.group()), strict=False)
    except (ValueError, RecursionError, ValidationFailed) as wrong:
        begun = _begun(text)
        return (begun, False) if begun else _malformed("/", f"the JSON cannot be read: {str(wrong)[:200]}")
    edits = document.get("edits", [document] if "op" in document else None)
    if not isinstance(edits, list) or not edits:
        return _malformed("/edits", "the answer has no list `edits`")
    return cast("list[Any]", edits), True


def _begun(text: str) -> list[Any]:
    """Return the whole items of a list `edits` that ends too early."""
    start = re.search(r'"edits"\s*:\s*\[\s*', text)
    items: list[Any] = []
    at = start.end() if start else len(text)
    decoder = json.JSONDecoder()
    while at < len(text) and text[at] == "{":
        try:
            item, at = decoder.raw_decode(text, at)
            items.append(clean_json(item, strict=False))
        except (ValueError, RecursionError, ValidationFailed):
            break
        at = re.compile(r"[\s,]*").match(text, at).end()  # type: ignore[union-attr]
    return items


def _read(item: Any, path: str) -> Edit | Diagnostic:
    try:
        return _EDIT.validate_python(item)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"].startswith("union_tag"):
            got = str(cast("dict[str, Any]", item).get("op"))[:100] if isinstance(item, dict) else str(item)[:100]
            hint = did_you_mean(got, OPERATIONS, otherwise="use one of the allowed operations")
            return problem(
                Code.INVALID_PARAM, f"{path}/op", f"there is no operation {got!r}", got=got, allowed=list(OPERATIONS),
                hint=hint,
            )  # fmt: skip
        where = path + "".join(f"/{pointer(str(token))}" for token in first["loc"][1:])
        return problem(Code.INVALID_PARAM, where, first["msg"], got=str(first.get("input"))[:200])


def _malformed(path: str, message: str) -> Diagnostic:
    hint = 'answer with one JSON object only: {"edits": [...]}'
    return problem(Code.INVALID_PARAM, path, message, allowed=list(OPERATIONS), hint=hint)
