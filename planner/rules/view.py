"""What the rules look at: the plan with its indexes, computed once. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from schemas.capability import Manifest
from schemas.contracts.table import Advertised, advertised
from schemas.diagnostics import Code, Diagnostic
from schemas.plan import MAX_NODES, Plan, PlanNode
from schemas.planning import Constraints


@dataclass(frozen=True)
class Limits:
    """How large a plan may be. `None` is without limit."""

    max_nodes: int = MAX_NODES
    max_fan_out: int | None = None
    max_depth: int | None = None


MAX_CHOICES = 50
"""How many allowed names a diagnostic lists."""
MAX_NAME_CHARS = 128
"""Longer ones are not compared: that takes quadratic time."""
MAX_TEXT_CHARS, MAX_PATH_CHARS = 400, 1000
"""How much a diagnostic repeats of a plan."""
USER_LIMITS = Limits(max_nodes=64, max_fan_out=16, max_depth=20)
"""For plans that come from outside (RELIABILITY.md 5.7)."""


@dataclass(frozen=True)
class View:
    """A plan under a manifest and constraints, with what several rules need to know about it."""

    plan: Plan
    manifest: Manifest
    constraints: Constraints = field(default_factory=Constraints)
    limits: Limits = field(default_factory=Limits)
    _tasks: dict[str, Advertised | None] = field(default_factory=dict, repr=False)

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Node id -> its place; the first one where an id is used twice."""
        places: dict[str, int] = {}
        for place, node in enumerate(self.plan.nodes):
            places.setdefault(node.id, place)
        return places

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Place -> places of its direct successors. Edges to unknown nodes are left out."""
        following: list[dict[int, None]] = [{} for _ in self.plan.nodes]
        for edge in self.plan.edges:
            source, target = self.index.get(edge.source), self.index.get(edge.target)
            if source is not None and target is not None:
                following[source][target] = None
        return tuple(tuple(places) for places in following)

    @cached_property
    def parents(self) -> tuple[tuple[int, ...], ...]:
        """Place -> places of its direct predecessors."""
        before: list[list[int]] = [[] for _ in self.plan.nodes]
        for source, targets in enumerate(self.children):
            for target in targets:
                before[target].append(source)
        return tuple(tuple(places) for places in before)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Places in an order in which they can run. Those on and behind a cycle are missing."""
        waiting = [len(places) for places in self.parents]
        ready = [place for place, count in enumerate(waiting) if count == 0]
        for place in ready:  # grows while it is walked
            for child in self.children[place]:
                waiting[child] -= 1
                if waiting[child] == 0:
                    ready.append(child)
        return tuple(ready)

    @cached_property
    def ancestors(self) -> tuple[int, ...]:
        """Place -> bit set of all places before it. Nodes on or behind a cycle have none."""
        before = [0] * len(self.plan.nodes)
        for place in self.order:
            for parent in self.parents[place]:
                before[place] |= before[parent] | 1 << parent
        return tuple(before)

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """Place -> bit set of the places whose outputs its inputs are made from, directly or not."""
        made_from = [0] * len(self.plan.nodes)
        for place in self.order:
            for binding in self.plan.nodes[place].bindings().values():
                source = self.index.get(binding.source)
                if source is not None:
                    made_from[place] |= made_from[source] | 1 << source
        return tuple(made_from)

    def task(self, node: PlanNode) -> Advertised | None:
        """Return what the manifest advertises for the node's task; None when nothing."""
        if node.task not in self._tasks:
            self._tasks[node.task] = advertised(self.manifest, node.task)
        return self._tasks[node.task]

    def known(self) -> Iterator[tuple[int, PlanNode, Advertised]]:
        """Yield the nodes whose task is advertised."""
        for place, node in enumerate(self.plan.nodes):
            found = self.task(node)
            if found is not None:
                yield place, node, found


Rule = Callable[[View], Iterable[Diagnostic]]


def problem(code: Code, path: str, message: str, **facts: object) -> Diagnostic:
    """Return an error diagnostic; what a hostile plan makes very long is cut."""
    told = {name: _cut(value) for name, value in facts.items()}
    return Diagnostic(code=code, path=_cut(path, MAX_PATH_CHARS), message=_cut(message), **told)  # pyright: ignore[reportArgumentType]


def _cut(value: Any, most_chars: int = MAX_TEXT_CHARS) -> Any:
    if isinstance(value, str):
        return value if len(value) <= most_chars else value[:most_chars] + "..."
    return [_cut(item) for item in cast(list[Any], value)] if isinstance(value, list) else value


def choices(known: Iterable[str]) -> list[str]:
    """Return the names in order, the first of them where there are very many."""
    names = sorted(known)
    return names if len(names) <= MAX_CHOICES else [*names[:MAX_CHOICES], f"and {len(names) - MAX_CHOICES} more"]


def did_you_mean(got: str, known: Iterable[str], *, otherwise: str | None = None) -> str | None:
    """Return `did you mean X?` for the nearest known name, else `otherwise`."""
    names = [name for name in known if len(name) <= MAX_NAME_CHARS] if len(got) <= MAX_NAME_CHARS else []
    near = difflib.get_close_matches(got, names, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else otherwise


def pointer(text: str) -> str:
    """Escape one token of a JSON pointer."""
    return text.replace("~", "~0").replace("/", "~1")
