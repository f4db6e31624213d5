"""Capabilities: what the running system can do now, as contracts with typed ports. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MEDIA_KINDS = frozenset(
    {"image", "audio", "video", "model3d", "svg", "lora", "voice", "script", "text", "json", "scene", "animation"}
)
JsonType = Literal["string", "number", "integer", "boolean", "object", "array"]
VALUE_TYPES = frozenset({"string", "number", "integer", "boolean"})


class Port(BaseModel):
    """One named input or output of a task.

    A list port has `type: array` and the kind of its items. A port without a kind has its name as kind.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: JsonType | None = None
    kind: str | None = None
    optional: bool = False
    description: str = ""

    @property
    def is_value(self) -> bool:
        """True for a plain value that the brief can fill from the goal."""
        return self.kind is None and self.type in VALUE_TYPES

    def kind_of(self, name: str) -> str:
        return self.kind or name


def fitted(ports: Mapping[str, Port], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return input values as their ports take them: a single-valued port takes the first file of a request's list."""
    return {
        name: value[0] if name in ports and ports[name].type != "array" and _are_files(value) else value
        for name, value in values.items()
    }


def _are_files(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "uri" in item for item in value)


class Resources(BaseModel):
    """What one run of a task needs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    gpu: bool = False
    vram_gib: float = 0.0
    memory_gib: float = 0.5
    disk_gib: float = 0.0


class Machine(BaseModel):
    """What one worker has for a task that it offers. A figure that it cannot tell is None."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    worker: str
    vram_gib: float | None = Field(default=None, description="Of its largest GPU; 0 without one.")
    disk_free_gib: float | None = Field(default=None, description="Where it keeps scratch files.")


class Capability(BaseModel):
    """A task as the manifest advertises it. Unknown keys are ignored; `enabled` is true unless said otherwise."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    enabled: bool = True
    reason: str | None = None
    description: str = ""
    inputs: dict[str, Port] | None = None
    outputs: dict[str, Port] | None = None
    params: dict[str, Any] | None = Field(default=None, description="JSON Schema of the params.")
    variants: tuple[str, ...] | None = None
    backends: dict[str, str] | None = Field(default=None, description="Variant (or `default`) -> what does the work.")
    resources: Resources = Resources()
    version: str = "1"
    workers: int = 0
    machines: tuple[Machine, ...] = Field(default=(), description="The live workers that offer the task.")
    slow: bool = False
    cacheable: bool = Field(default=False, description="Equal inputs, params and models give an equal result.")
    models: dict[str, str] = Field(default_factory=dict, description="Id of a model that it uses -> sha256.")


class Manifest(BaseModel):
    """All capabilities by plane: `node` runs in the API process, `python` on workers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    node: dict[str, Capability] = Field(default_factory=dict)
    python: dict[str, Capability] = Field(default_factory=dict)

    def find(self, task: str) -> tuple[Literal["node", "python"], Capability] | None:
        """Return the plane and capability of `task`, or None."""
        if task in self.node:
            return "node", self.node[task]
        if task in self.python:
            return "python", self.python[task]
        return None


class Contract(BaseModel):
    """The ports, params and description of a task name that this project fixes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plane: Literal["node", "python"]
    description: str
    inputs: dict[str, Port]
    outputs: dict[str, Port]
    params: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    alias: str | None = Field(default=None, description="Another accepted spelling of the task name.")


def port(type_: JsonType, kind: str | None = None, *, optional: bool = False, description: str = "") -> Port:
    """Return a port; the short spelling used in contract files."""
    return Port(type=type_, kind=kind, optional=optional, description=description)
