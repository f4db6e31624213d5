"""Derivations -> plan: nodes with sources, settings and the finishing touches. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from planner import lexicon
from planner.settle import Settled
from planner.solver.chain import Derivation, fits, is_said
from planner.solver.said import Said
from schemas.brief import Brief
from schemas.builder import PlanBuilder, Step
from schemas.capability import Manifest, Port
from schemas.contracts.table import Advertised
from schemas.plan import Plan

WORKFLOW_ID = "solved_v1"
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass
class Assembly:
    """A plan in the making: steps by task, in the order in which they were added."""

    tasks: Mapping[str, Advertised]
    manifest: Manifest
    brief: Brief
    settled: Settled
    steps: dict[str, Step] = field(default_factory=dict)
    gated: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._builder = PlanBuilder(WORKFLOW_ID, manifest=self.manifest)
        self._said = Said(self.brief)
        self._builder.request("goal", self.brief.goal)

    def add(self, task: str, derivation: Derivation, *, resolution: str | None) -> None:
        """Add a node for `task`; the tasks that it takes from were added before."""
        inputs = {
            name: self._binding(name, source.task, source.key, task) for name, source in derivation.sources.items()
        }
        inputs |= self._optional(task, bound=inputs)
        params = (self.tasks[task].capability.params or {}).get("properties", {})
        wishes: dict[str, Any] = {
            "duration_seconds": self._duration(task),
            "resolution": resolution if task in lexicon.SIZED or self.brief.resolution else None,
            "style": self.brief.style,
            "language": self.brief.language,
            "requested_variant": self.settled.variant if lexicon.VIDEO_MAKER in self.tasks else None,
        }
        concrete = {"variant": self.settled.variant} if task == lexicon.VIDEO_MAKER else {}
        step = self._builder.add(
            self._free_id(task), task, params=concrete, inputs=inputs,
            wishes={name: value for name, value in wishes.items() if name in params},
        )  # fmt: skip
        self.steps[task] = step
        if self.brief.approve and task in lexicon.APPROVED and self._builder.live(lexicon.GATE):
            port = lexicon.APPROVED[task]
            gate = self._builder.add(
                "approve", lexicon.GATE, inputs={"value": step[port]}, wishes={"question": f"Is this {port} good?"},
                timeout_s=86_400,
            )  # fmt: skip
            self.gated[step[port]] = gate[port]

    def finish(self, results: list[str]) -> Plan:
        """Register the results last, where the system offers that, and return the plan."""
        finisher = lexicon.FINISHER
        if self._builder.live(finisher) and finisher not in self.steps:
            takes = self.tasks[finisher].capability.inputs or {} if finisher in self.tasks else {}
            inputs = {name: self._newest(name, port, before=None) for name, port in takes.items()}
            bound = {name: text for name, text in inputs.items() if text}
            self._builder.add("register", finisher, inputs=bound, after=[self.steps[task] for task in results])
        return self._builder.build()

    def _optional(self, task: str, *, bound: Mapping[str, str | None]) -> dict[str, str | None]:
        """Return bindings of optional ports that something in the plan or at hand offers."""
        found: dict[str, str | None] = {}
        for name, port in (self.tasks[task].capability.inputs or {}).items():
            if not port.optional or name in bound:
                continue
            found[name] = self._newest(name, port, before=task)
            key = self._said.at_hand(name, port)
            if key is None and is_said(port):
                key = self._said.said(name, port)
            if found[name] is None and key is not None:
                found[name] = self._request(key, port)
        return found

    def _newest(self, name: str, port: Port, *, before: str | None) -> str | None:
        """Return the binding to the latest step that yields what this port takes."""
        for task in reversed([task for task in self.steps if task != before]):
            for given_name, given in (self.tasks[task].capability.outputs or {}).items():
                if fits(given, given_name, port, name):
                    return self.gated.get(self.steps[task][given_name], self.steps[task][given_name])
        return None

    def _binding(self, name: str, task: str | None, key: str, of: str) -> str | None:
        if task is None:
            return self._request(key, (self.tasks[of].capability.inputs or {})[name])
        return self.gated.get(self.steps[task][key], self.steps[task][key])

    def _request(self, key: str, port: Port) -> str | None:
        return self._builder.request(key, self._said.value(key, port))

    def _duration(self, task: str) -> float | None:
        return self.settled.duration_seconds if task in lexicon.TIMED or self.brief.duration_seconds else None

    def _free_id(self, task: str) -> str:
        stem = _NOT_IN_IDS.sub("_", task.rpartition(".")[2]).strip("_-")[:56] or "node"
        stem = stem if stem[0].isalpha() else f"n{stem}"
        taken = {step.id for step in self.steps.values()} | {"request", "approve", "register"}
        return next(name for name in (stem, *(f"{stem}_{n}" for n in range(2, 300))) if name not in taken)
