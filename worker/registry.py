"""The task registry: a task is one function with typed params, declared contract and honest availability.

It knows no broker, no database and no S3: `worker/context.py` is all a task sees.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict

from schemas.capability import Capability, Port, Resources
from schemas.contracts.table import contracts
from worker.context import TaskContext


class Params(BaseModel):
    """Typed params of a task: frozen, unknown fields refused. Bounds and defaults become the UI form."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Inputs = dict[str, Any]
"""Port name -> value; a media port holds an `ArtifactRef` dict whose `path` is a local file."""
Outputs = dict[str, Any]
"""Port name -> value; a media port holds the dict that `ctx.save` returned."""
TaskFunction = Callable[[TaskContext, Any, Inputs], Outputs]
Models = Callable[[], Mapping[str, str]]
"""Returns id -> sha256 of the models that a run would use here and now."""
Available = Callable[[], str | None]
"""Returns None when the backend can run here and now, else a reason a person can act on."""


@dataclass(frozen=True)
class Backend:
    """What does the work of a variant: its name on the card, and whether it can run here.

    Attributes:
        name: a name, or a function that tells which of several backends would run here and now.
    """

    name: str | Callable[[], str]
    available: Available = lambda: None

    def shown(self) -> str:
        """Return the name of what would really run."""
        return self.name if isinstance(self.name, str) else self.name()


@dataclass(frozen=True)
class Task:
    """A registered task."""

    name: str
    version: str
    description: str
    function: TaskFunction | None
    params: type[Params]
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    variants: Mapping[str, Backend]
    available: Available
    resources: Resources
    queue: str
    idle_timeout_s: float
    cacheable: bool = False
    models: Models = dict
    reason: str | None = None

    def capability(self) -> Capability:
        """Return the manifest entry: enabled only for what can run here and now.

        A task whose own look at the machine raises is disabled with that; the others are none the worse.
        """
        try:
            return self._capability()
        except Exception as error:  # anybody's code
            reason = f"it cannot tell whether it can run here: {type(error).__name__}: {error}"[:500]
            return Capability(
                enabled=False, reason=reason, description=self.description, inputs=dict(self.inputs),
                outputs=dict(self.outputs), params=self.params.model_json_schema(), version=self.version, workers=1,
            )  # fmt: skip

    def _capability(self) -> Capability:
        reason = self.reason or self.available()
        live = {name: backend for name, backend in self.variants.items() if backend.available() is None}
        if reason is None and self.variants and not live:
            reason = "; ".join(f"{name}: {backend.available()}" for name, backend in self.variants.items())
        shown = live if reason is None else {}
        named = {name: backend for name, backend in shown.items() if name != "default"}
        return Capability(
            enabled=reason is None,
            reason=reason,
            description=self.description,
            inputs=dict(self.inputs),
            outputs=dict(self.outputs),
            params=self.params.model_json_schema(),
            variants=tuple(named) if named else None,
            backends={name: backend.shown() for name, backend in shown.items()} or None,
            resources=self.resources,
            version=self.version,
            workers=1,
            cacheable=self.cacheable,
            models=dict(self.models()) if reason is None else {},
        )


@dataclass
class Registry:
    """Task name -> task. A taken name or a wrong signature raises at declaration and says the fix."""

    tasks: dict[str, Task] = field(default_factory=dict)

    def add(self, task: Task) -> None:
        if task.name in self.tasks:
            raise ValueError(f"task {task.name!r} is registered twice: rename one of them")
        self.tasks[task.name] = task

    def get(self, name: str) -> Task:
        """Return the task.

        Raises:
            KeyError: no task has this name or alias; the message lists the known names.
        """
        for task in self.tasks.values():
            contract = contracts().get(task.name)
            if task.name == name or (contract is not None and contract.alias == name):
                return task
        raise KeyError(f"no task {name!r}; known: {', '.join(sorted(self.tasks))}")

    def manifest(self) -> dict[str, dict[str, Any]]:
        """Return task name -> manifest entry as JSON."""
        return {name: task.capability().model_dump(mode="json", exclude_none=True) for name, task in self.tasks.items()}


REGISTRY = Registry()


def task(
    name: str,
    *,
    version: str = "1",
    description: str | None = None,
    inputs: Mapping[str, Port] | None = None,
    outputs: Mapping[str, Port] | None = None,
    variants: Mapping[str, Backend] | None = None,
    available: Available = lambda: None,
    resources: Resources | None = None,
    queue: str = "cpu",
    idle_timeout_s: float = 60.0,
    cacheable: bool = False,
    models: Models = dict,
    registry: Registry | None = None,
) -> Callable[[TaskFunction], TaskFunction]:
    """Register `function(ctx, params, inputs) -> outputs` as a task.

    Ports come from the fixed contract when the name has one, else from `inputs` and `outputs`.

    Args:
        name: `verb_noun`; the seeds' spelling where a seed names the task.
        version: raise it when the meaning of params or outputs changes.
        description: one sentence; the planner matches goals against it.
        variants: variant -> backend; the key `default` names the backend of a task without variants.
        available: whether the whole task can run here.
        queue: `cpu` or `gpu`.
        idle_timeout_s: seconds without a sign of life after which the child is killed.
        cacheable: equal params, inputs and models give an equal result, so that a later job may take it over.
        models: the models that a run would use; they are part of what names a cached result.

    Raises:
        ValueError: the name is taken, or the ports differ from the contract.
        TypeError: the signature is not `(ctx, params: Params, inputs)`.
    """

    def register(function: TaskFunction) -> TaskFunction:
        contract = contracts().get(name)
        if contract is not None and contract.plane != "python":
            raise ValueError(f"{name!r} is a control-plane name: register it in graphs/nodes")
        if contract is not None:
            for side, given, fixed in (("inputs", inputs, contract.inputs), ("outputs", outputs, contract.outputs)):
                if given is not None and dict(given) != fixed:
                    raise ValueError(f"{side} of {name!r} differ from schemas/contracts: drop the argument")
        elif inputs is None or outputs is None:
            raise ValueError(f"{name!r} has no contract in schemas/contracts: pass inputs= and outputs=")
        doc = inspect.getdoc(function) or ""
        (registry or REGISTRY).add(
            Task(
                name=name,
                version=version,
                description=description or (contract.description if contract else doc.partition("\n")[0]),
                function=function,
                params=_params_type(name, function),
                inputs=MappingProxyType(dict(contract.inputs if contract else inputs or {})),
                outputs=MappingProxyType(dict(contract.outputs if contract else outputs or {})),
                variants=MappingProxyType(dict(variants or {})),
                available=available,
                resources=resources or Resources(),
                queue=queue,
                idle_timeout_s=idle_timeout_s,
                cacheable=cacheable,
                models=models,
            )
        )
        return function

    return register


def missing(name: str, *, reason: str, registry: Registry | None = None) -> None:
    """Advertise a task of the contract table as disabled, with what a person can do about it."""
    contract = contracts()[name]
    (registry or REGISTRY).add(
        Task(
            name=name,
            version="1",
            description=contract.description,
            function=None,
            params=Params,
            inputs=contract.inputs,
            outputs=contract.outputs,
            variants={},
            available=lambda: None,
            resources=Resources(),
            queue="gpu",
            idle_timeout_s=60.0,
            reason=reason,
        )
    )


def discover(*packages: str) -> Registry:
    """Import every module of the task packages (default `worker.tasks`) and return the filled registry."""
    for package_name in packages or ("worker.tasks",):
        package = importlib.import_module(package_name)
        for module in pkgutil.iter_modules(package.__path__, prefix=f"{package_name}."):
            importlib.import_module(module.name)
    return REGISTRY


def _params_type(name: str, function: TaskFunction) -> type[Params]:
    names = list(inspect.signature(function).parameters)
    fix = f"declare {name!r} as def {function.__name__}(ctx: TaskContext, params: MyParams, inputs: Inputs) -> Outputs"
    if names != ["ctx", "params", "inputs"]:
        raise TypeError(f"{fix}; got ({', '.join(names)})")
    hint = get_type_hints(function).get("params")
    if not (isinstance(hint, type) and issubclass(hint, Params)):
        raise TypeError(f"{fix}; params must be annotated with a subclass of worker.registry.Params")
    return hint
