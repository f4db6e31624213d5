"""The plan: the immutable graph document `langgraph.v1`, in every accepted spelling, emitted in one. No I/O."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from schemas.text import MAX_INT, clean_json

NodeId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Plane = Literal["node", "python"]
MAX_NODES = 256
_BINDING = re.compile(r"^([A-Za-z][A-Za-z0-9_-]*)\.([A-Za-z][A-Za-z0-9_.-]*)$")
_PLANES = {"control": "node", "data": "python"}


def _plane(value: Any) -> Any:
    return _PLANES.get(value, value) if isinstance(value, str) else value


class Binding(BaseModel):
    """Where an input port gets its value: `request.KEY` or `NODE.PORT`."""

    model_config = ConfigDict(frozen=True)

    source: str
    port: str

    @property
    def from_request(self) -> bool:
        return self.source == "request"


def parse_binding(text: str) -> Binding | None:
    """Return the binding that `text` spells, or None when it spells none."""
    match = _BINDING.match(text)
    return Binding(source=match[1], port=match[2]) if match else None


class PlanNode(BaseModel):
    """A step of a plan: a task with params and input bindings."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: NodeId
    task: str = Field(validation_alias=AliasChoices("task", "service"), max_length=128)
    plane: Annotated[Plane, BeforeValidator(_plane)]
    params: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict, description="Input port -> `request.KEY` or `NODE.PORT`.")
    foreach: str | None = Field(default=None, description="`NODE.PORT` or `request.KEY`: one run per list item.")
    progress_weight: float = Field(default=1.0, gt=0, le=1000)
    timeout_s: float = Field(default=900.0, gt=0, le=86_400)
    max_attempts: int = Field(default=5, ge=1, le=12)
    cache: Literal["on", "off"] = Field(default="on", description="Whether an equal result may be taken over.")

    def bindings(self) -> dict[str, Binding]:
        """Return the well-formed input bindings by port."""
        parsed = {port: parse_binding(text) for port, text in self.inputs.items()}
        return {port: binding for port, binding in parsed.items() if binding is not None}


class Edge(BaseModel):
    """`to` starts after `from` succeeded."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    source: str = Field(alias="from")
    target: str = Field(alias="to")


class Plan(BaseModel):
    """A graph document. `metadata.digest` is the sha256 of its canonical JSON without `metadata`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["langgraph.v1"] = Field(default="langgraph.v1", alias="schema")
    workflow_id: str = Field(validation_alias=AliasChoices("workflow_id", "workflowId"), max_length=128)
    nodes: tuple[PlanNode, ...] = Field(min_length=1, max_length=MAX_NODES)
    edges: tuple[Edge, ...] = ()
    context: dict[str, Any] = Field(default_factory=dict, description="What `request.KEY` binds to.")
    metadata: dict[str, Any] = Field(default_factory=dict)

    def emitted(self) -> dict[str, Any]:
        """Return the plan in the one emitted spelling, with its digest in `metadata`."""
        body = self.model_dump(mode="json", by_alias=True)
        body["metadata"] = {**self.metadata, "digest": self.digest()}
        return body

    def digest(self) -> str:
        """Return `sha256:HEX` of the canonical JSON without `metadata`."""
        body = self.model_dump(mode="json", by_alias=True, exclude={"metadata"})
        return "sha256:" + sha256_of(body)

    def node(self, node_id: str) -> PlanNode:
        """Return the node with this id.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)

    def parents(self) -> dict[str, list[str]]:
        """Return each node's direct predecessors, in edge order without repeats."""
        parents: dict[str, list[str]] = {node.id: [] for node in self.nodes}
        for edge in self.edges:
            if edge.target in parents and edge.source not in parents[edge.target]:
                parents[edge.target].append(edge.source)
        return parents


def canonical(value: Any) -> bytes:
    """Return the one byte string for a JSON value: sorted keys, no blanks, UTF-8, `20.0` written as `20`.

    JavaScript knows one kind of number, so a plan that a page hands back keeps its digest.
    """
    return json.dumps(
        _plain_numbers(clean_json(value)), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()


def sha256_of(value: Any) -> str:
    """Return the hex sha256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_INT:
        return int(value)
    if isinstance(value, dict):
        return {key: _plain_numbers(item) for key, item in value.items()}
    return [_plain_numbers(item) for item in value] if isinstance(value, list) else value
