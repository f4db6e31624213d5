"""PlanBuilder: how an author writes a plan. Edges follow from bindings; what is not advertised is named, not used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.capability import Manifest
from schemas.contracts.table import advertised, contracts
from schemas.diagnostics import Code, Diagnostic, Severity
from schemas.errors import UnsatisfiableGoal
from schemas.plan import Edge, Plan, PlanNode, parse_binding


@dataclass(frozen=True)
class Step:
    """A node that was added. `step["video"]` spells the binding to its output port `video`."""

    id: str

    def __getitem__(self, port: str) -> str:
        return f"{self.id}.{port}"


class PlanBuilder:
    """Collects nodes against a manifest and builds one plan."""

    def __init__(self, workflow_id: str, *, manifest: Manifest, context: Mapping[str, Any] | None = None) -> None:
        self.workflow_id = workflow_id
        self.manifest = manifest
        self.notes: list[Diagnostic] = []
        self._context: dict[str, Any] = dict(context or {})
        self._nodes: list[PlanNode] = []
        self._after: list[tuple[str, str]] = []
        self._missing: list[Diagnostic] = []

    def live(self, task: str) -> bool:
        """Tell whether the task is advertised and enabled."""
        found = advertised(self.manifest, task)
        return found is not None and found.capability.enabled

    def request(self, key: str, value: Any) -> str | None:
        """Put `value` into the context and return its binding `request.KEY`; None and what is empty is absent."""
        if value is None or value in ("", [], ()):
            return None
        self._context[key] = list(value) if isinstance(value, tuple) else value
        return f"request.{key}"

    def note(self, code: Code, message: str, *, path: str, got: Any = None, hint: str | None = None) -> None:
        """Tell the user something that does not refuse the plan."""
        self.notes.append(
            Diagnostic(code=code, path=path, message=message, severity=Severity.WARNING, got=got, hint=hint)
        )

    def add(
        self,
        id: str,
        task: str,
        *,
        params: Mapping[str, Any] | None = None,
        wishes: Mapping[str, Any] | None = None,
        inputs: Mapping[str, str | None] | None = None,
        offers: Mapping[str, str | None] | None = None,
        after: Iterable[Step | None] = (),
        foreach: str | None = None,
        weight: float = 1.0,
        timeout_s: float = 900.0,
        max_attempts: int = 5,
    ) -> Step:
        """Add a node; a task that is not live is remembered and refused by `build` together with all others.

        Args:
            id: unique in the plan.
            params: set as they are; None is left out.
            wishes: set only where the live task's schema knows the param; None is left out.
            inputs: port -> binding; None is left out.
            offers: like `inputs`, bound only where the live task has such a port.
            after: steps that must be done before, beyond those that `inputs` name.
            weight: share of the job's progress, relative to the other nodes.
        """
        step = Step(id)
        found = advertised(self.manifest, task)
        if found is None or not found.capability.enabled:
            self._missing.append(not_live(task, self.manifest))
            return step
        known = (found.capability.params or {}).get("properties", {})
        ports = found.capability.inputs or {}
        bound = {port: text for port, text in (inputs or {}).items() if text}
        bound |= {port: text for port, text in (offers or {}).items() if text and port in ports}
        settings = {key: value for key, value in (params or {}).items() if value is not None}
        settings |= {key: value for key, value in (wishes or {}).items() if value is not None and key in known}
        self._after += [(other.id, id) for other in after if other is not None]
        self._nodes.append(
            PlanNode(
                id=id,
                task=found.name,
                plane=found.plane,
                params=settings,
                inputs=bound,
                foreach=foreach,
                progress_weight=weight,
                timeout_s=timeout_s,
                max_attempts=max_attempts,
            )
        )
        return step

    def build(self) -> Plan:
        """Return the plan: edges from bindings and `after` without the implied ones, weights that sum to 1.

        Raises:
            UnsatisfiableGoal: a task that the plan cannot do without is not live, each is named; or it has no nodes.
        """
        if self._missing:
            names = ", ".join(sorted({str(item.got) for item in self._missing}))
            raise UnsatisfiableGoal(f"this needs {names}, which is not available here", diagnostics=self._missing)
        if not self._nodes:
            message = f"{self.workflow_id} adds no node for these params"
            raise UnsatisfiableGoal(
                message, diagnostics=[Diagnostic(code=Code.UNSATISFIABLE_GOAL, path="/nodes", message=message)]
            )
        total = sum(node.progress_weight for node in self._nodes)
        weighted = [node.model_copy(update={"progress_weight": node.progress_weight / total}) for node in self._nodes]
        return Plan(
            workflow_id=self.workflow_id, nodes=tuple(weighted), edges=tuple(self._edges()), context=self._context
        )

    def _edges(self) -> list[Edge]:
        pairs = list(self._after)
        for node in self._nodes:
            for text in (*node.inputs.values(), node.foreach or ""):
                binding = parse_binding(text)
                if binding is not None and not binding.from_request:
                    pairs.append((binding.source, node.id))
        order = {node.id: index for index, node in enumerate(self._nodes)}
        unique = sorted(set(pairs), key=lambda pair: (order.get(pair[0], -1), order.get(pair[1], -1)))
        return [Edge.model_validate({"from": a, "to": b}) for a, b in _without_implied(unique)]


def _without_implied(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs of a directed acyclic graph that no longer path stands for."""
    following: dict[str, list[str]] = {}
    for source, target in pairs:
        following.setdefault(source, []).append(target)

    def leads(start: str, goal: str) -> bool:
        open_, seen = [node for node in following.get(start, ()) if node != goal], set[str]()
        while open_:
            node = open_.pop()
            if node == goal:
                return True
            if node not in seen:
                seen.add(node)
                open_ += following.get(node, ())
        return False

    return [(source, target) for source, target in pairs if not leads(source, target)]


def not_live(task: str, manifest: Manifest) -> Diagnostic:
    """Return why `task` cannot be used under this manifest, and what to do about it."""
    found = advertised(manifest, task)
    section = found.plane if found else contracts()[task].plane if task in contracts() else "python"
    path = f"/capabilities_manifest/{section}/{task}"
    if found is not None:
        reason = found.capability.reason or "no reason was given"
        return Diagnostic(
            code=Code.TASK_DISABLED, path=path, message=f"{task} is disabled: {reason}", got=task, hint=reason
        )
    return Diagnostic(
        code=Code.UNKNOWN_TASK,
        path=path,
        message=f"{task} is not advertised by any running part of the system",
        got=task,
        allowed=sorted([*manifest.node, *manifest.python]),
        hint=f"start a worker that offers {task}" if section == "python" else f"enable {task} in the API process",
    )
