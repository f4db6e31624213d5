"""The registry of control-plane nodes: one async function with typed params and a declared contract."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, get_type_hints
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.capability import Capability, Manifest, Port
from schemas.contracts.table import contracts
from schemas.outcome import TaskFailure
from schemas.states import FailureKind


class Params(BaseModel):
    """Typed params of a control-plane node: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Profile(BaseModel):
    """A profile row as nodes and users see it."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    loraId: str | None = None
    voiceId: str | None = None
    createdAt: str | None = None
    lora: dict[str, Any] | None = Field(default=None, description="The LoRA's file as a reference; for nodes.")
    voice: dict[str, Any] | None = Field(default=None, description="The voice's file as a reference; for nodes.")


class Profiles(Protocol):
    """What nodes may do with profiles; always within the job owner's rows."""

    async def get(self, profile_id: str) -> Profile | None: ...

    async def create(self, profile_id: UUID, *, name: str) -> Profile:
        """Create it, or return it when this id exists: safe to repeat."""
        ...


class JobOutputs(Protocol):
    """What nodes may do with artifacts of their own job."""

    async def register(self, artifact_ids: list[str]) -> list[dict[str, Any]]:
        """Mark artifacts of this job as its outputs and return `[{id, kind, uri, name}]`: safe to repeat."""
        ...


class Children(Protocol):
    """Runs blocking or untrusted work in a child process without credentials, never in the API process."""

    async def call(self, target: str, argument: dict[str, Any], *, timeout_s: float) -> Any:
        """Return `module:function(argument)` as run in a warm child; JSON in, JSON out.

        Raises:
            NodeError: the function raised NodeError there, the child died (`crash`) or it took too long (`timeout`).
        """
        ...


class NodeError(Exception):
    """Raised by a control-plane node that cannot go on; its kind decides whether it is tried again."""

    def __init__(
        self, code: str, message: str, *, kind: FailureKind = FailureKind.INPUT, hint: str | None = None, **facts: Any
    ) -> None:
        super().__init__(message)
        self.failure = TaskFailure(kind=kind, code=code, message=message[:2000], hint=hint, **facts)


@dataclass(frozen=True)
class NodeContext:
    """What a control-plane node may use. It has no side effects but through these.

    Attributes:
        request: the plan's `context` (goal, topic, style, inputs ...).
        manifest: the live capabilities at this moment.
        progress: report 0.0 to 1.0 with an optional stage; lossy, only meaningful for slow nodes.
        log: a durable line in the job's log.
    """

    job_id: str
    node_id: str
    owner_id: str
    attempt: int
    request: Mapping[str, Any]
    manifest: Manifest
    profiles: Profiles
    outputs: JobOutputs
    children: Children
    progress: Callable[..., None]
    log: Callable[[str], None]


Inputs = dict[str, Any]
Outputs = dict[str, Any]
NodeFunction = Callable[[NodeContext, Any, Inputs], Awaitable[Outputs]]
Available = Callable[[], str | None]


@dataclass(frozen=True)
class Node:
    """A registered control-plane node. A `slow` one (over 0.5 s) never runs inside an advance."""

    name: str
    version: str
    function: NodeFunction
    params: type[Params]
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    description: str
    slow: bool
    gate: bool
    available: Available

    def capability(self) -> Capability:
        """Return the manifest entry."""
        reason = self.available()
        return Capability(
            enabled=reason is None,
            reason=reason,
            description=self.description,
            inputs=dict(self.inputs),
            outputs=dict(self.outputs),
            params=self.params.model_json_schema(),
            version=self.version,
            slow=self.slow,
        )


@dataclass
class NodeRegistry:
    """Node task name -> node. A taken name or a wrong signature raises at declaration and says the fix."""

    nodes: dict[str, Node] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        if node.name in self.nodes:
            raise ValueError(f"node {node.name!r} is registered twice: rename one of them")
        self.nodes[node.name] = node

    def get(self, name: str) -> Node:
        """Return the node; KeyError lists the known names."""
        if name not in self.nodes:
            raise KeyError(f"no control-plane node {name!r}; known: {', '.join(sorted(self.nodes))}")
        return self.nodes[name]


REGISTRY = NodeRegistry()


def node(
    name: str,
    *,
    version: str = "1",
    description: str | None = None,
    inputs: Mapping[str, Port] | None = None,
    outputs: Mapping[str, Port] | None = None,
    slow: bool = False,
    gate: bool = False,
    available: Available = lambda: None,
    registry: NodeRegistry | None = None,
) -> Callable[[NodeFunction], NodeFunction]:
    """Register `async function(ctx, params, inputs) -> outputs` as a control-plane node.

    Args:
        name: `domain.verbNoun`; ports come from `schemas/contracts` when the name has a contract.
        slow: it may take over 0.5 s (LLM, sandbox); it runs beside the engine with retries and a time-out.
        gate: a person answers it; the function returns the question instead of outputs.

    Raises:
        ValueError: the name is taken, or the ports differ from the contract.
        TypeError: the signature is not `async (ctx, params: Params, inputs)`.
    """

    def register(function: NodeFunction) -> NodeFunction:
        contract = contracts().get(name)
        if contract is not None and contract.plane != "node":
            raise ValueError(f"{name!r} is a data-plane name: register it in worker/tasks")
        if contract is None and (inputs is None or outputs is None):
            raise ValueError(f"{name!r} has no contract in schemas/contracts: pass inputs= and outputs=")
        if contract is not None and (inputs is not None or outputs is not None):
            raise ValueError(f"ports of {name!r} are fixed in schemas/contracts: drop inputs= and outputs=")
        (registry or REGISTRY).add(
            Node(
                name=name,
                version=version,
                function=function,
                params=_params_type(name, function),
                inputs=MappingProxyType(dict(contract.inputs if contract else inputs or {})),
                outputs=MappingProxyType(dict(contract.outputs if contract else outputs or {})),
                description=description or (contract.description if contract else inspect.getdoc(function) or ""),
                slow=slow,
                gate=gate,
                available=available,
            )
        )
        return function

    return register


def discover(*packages: str) -> NodeRegistry:
    """Import every module of the node packages (default `graphs.nodes`) and return the filled registry."""
    for package_name in packages or ("graphs.nodes",):
        package = importlib.import_module(package_name)
        for module in pkgutil.iter_modules(package.__path__, prefix=f"{package_name}."):
            importlib.import_module(module.name)
    return REGISTRY


def _params_type(name: str, function: NodeFunction) -> type[Params]:
    names = list(inspect.signature(function).parameters)
    wanted = f"async def {function.__name__}(ctx: NodeContext, params: MyParams, inputs: Inputs) -> Outputs"
    if names != ["ctx", "params", "inputs"] or not inspect.iscoroutinefunction(function):
        raise TypeError(f"declare {name!r} as {wanted}; got ({', '.join(names)})")
    hint = get_type_hints(function).get("params")
    if not (isinstance(hint, type) and issubclass(hint, Params)):
        raise TypeError(f"declare {name!r} as {wanted}; params must be annotated with a subclass of Params")
    return hint
