"""The quote: what a plan will take, from recorded runs where there are any. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from typing import Any, Literal

from planner.rules.view import View, problem
from planner.scaling import PIXELS_720P, START_S, scaled
from schemas.capability import Machine, Manifest, Resources
from schemas.diagnostics import Code, Diagnostic
from schemas.plan import Plan, PlanNode, parse_binding
from schemas.planning import Constraints, Estimate, Misfit, NodeEstimate, Statistics
from schemas.resolution import parse_resolution

_DEFAULTS_S: dict[str, tuple[float, float]] = {
    "script.generateScript": (6.0, 20.0),
    "profiles.resolveOrCreate": (0.1, 0.5),
    "profiles.loadExisting": (0.1, 0.5),
    "planner.selectPipeline": (0.1, 0.5),
    "artifacts.registerOutputs": (0.1, 0.5),
    "gate.approve": (0.0, 0.0),
    "train_lora": (900.0, 2400.0),
    "train_voice": (600.0, 1800.0),
}
"""Seconds p50, p90 before anything was recorded. Guesses of the right order, shown as `default`."""
_CONTROL_S, _DATA_S = (2.0, 10.0), (20.0, 90.0)
_REAL_TIME = {"svd": 2.0, "sadtalker": 3.0}
"""Seconds of work per second of 720p video on two cores: the figures the embedded backends are held to."""
_WHAT = {"vram": "of GPU memory", "disk": "of free disk"}


def estimate(
    plan: Plan,
    *,
    manifest: Manifest,
    statistics: Statistics,
    cached: Collection[str] = (),
) -> Estimate:
    """Return seconds per node and along the critical path, memory, and what fits on none of the manifest's workers.

    Args:
        statistics: `TASK/VARIANT` or `TASK` -> recorded seconds.
        cached: ids of nodes whose result is at hand already.
    """
    view = View(plan, manifest)
    nodes = [_node(view, node, statistics, cached) for node in plan.nodes]
    path = _critical(view, [node.p50_s for node in nodes])
    return Estimate(
        p50_s=round(sum(nodes[place].p50_s for place in path), 3),
        p90_s=round(sum(nodes[place].p90_s for place in path), 3),
        work_p50_s=round(sum(node.p50_s for node in nodes), 3),
        work_p90_s=round(sum(node.p90_s for node in nodes), 3),
        vram_gib=max(node.vram_gib for node in nodes),
        disk_gib=max(node.disk_gib for node in nodes),
        critical_path=tuple(plan.nodes[place].id for place in path),
        nodes=tuple(nodes),
        cached=tuple(node.node for node in nodes if node.source == "cached"),
        does_not_fit=tuple(misfit for node in plan.nodes if node.id not in cached for misfit in _misfits(view, node)),
    )


def over_budget(quote: Estimate, constraints: Constraints) -> list[Diagnostic]:
    """Return what the quote says against the workers and the constraints, with the figures."""
    return [*_without_room(quote), *_too_hungry(quote, constraints), *_too_slow(quote, constraints)]


def _without_room(quote: Estimate) -> Iterator[Diagnostic]:
    places = {node.node: place for place, node in enumerate(quote.nodes)}
    for node, misfits in groupby(quote.does_not_fit, key=lambda misfit: misfit.node):
        lacks = [
            f"{item.worker} has {item.available_gib:g} of {item.needed_gib:g} GiB {_WHAT[item.resource]}"
            for item in misfits
        ]
        yield problem(
            Code.OVER_BUDGET,
            f"/nodes/{places[node]}",
            f"{node!r} fits on no worker: {'; '.join(lacks)}",
            got=node,
            hint="start a worker with more room, or ask for a smaller result",
        )


def _too_hungry(quote: Estimate, constraints: Constraints) -> Iterator[Diagnostic]:
    for name, limit_gib in (("vram", constraints.max_vram_gib), ("disk", constraints.max_disk_gib)):
        for place, node in enumerate(quote.nodes):
            needed_gib = node.vram_gib if name == "vram" else node.disk_gib
            if limit_gib is not None and needed_gib > limit_gib:
                yield problem(
                    Code.OVER_BUDGET,
                    f"/nodes/{place}",
                    f"{node.node!r} needs {needed_gib:g} GiB {_WHAT[name]}, {limit_gib:g} are allowed",
                    got=needed_gib,
                    allowed=limit_gib,
                    hint=f"raise max_{name}_gib, or ask for a smaller result",
                )


def _too_slow(quote: Estimate, constraints: Constraints) -> Iterator[Diagnostic]:
    budget_s = constraints.max_seconds
    if budget_s is not None and quote.p50_s > budget_s:
        slowest = max(quote.nodes, key=lambda node: node.p50_s)
        yield problem(
            Code.OVER_BUDGET,
            "/constraints/max_seconds",
            f"this takes about {quote.p50_s:.0f} s ({slowest.node} alone {slowest.p50_s:.0f} s), "
            f"more than the {budget_s:g} s that are allowed",
            got=quote.p50_s,
            allowed=budget_s,
            hint="ask for a shorter or smaller result, or raise max_seconds",
        )


def _misfits(view: View, node: PlanNode) -> list[Misfit]:
    """Return what every worker lacks that offers the task; nothing when one of them has room, or nobody said."""
    found = view.task(node)
    if found is None:
        return []
    lacking = [_lacks(node.id, machine, found.capability.resources) for machine in found.capability.machines]
    return [misfit for misfits in lacking for misfit in misfits] if all(lacking) else []


def _lacks(node: str, machine: Machine, needs: Resources) -> list[Misfit]:
    both: tuple[tuple[Literal["vram", "disk"], float, float | None], ...] = (
        ("vram", needs.vram_gib, machine.vram_gib),
        ("disk", needs.disk_gib, machine.disk_free_gib),
    )
    return [
        Misfit(node=node, worker=machine.worker, resource=name, needed_gib=needed_gib, available_gib=available_gib)
        for name, needed_gib, available_gib in both
        if available_gib is not None and needed_gib > available_gib
    ]


def _node(view: View, node: PlanNode, statistics: Statistics, cached: Collection[str]) -> NodeEstimate:
    if node.id in cached:
        return NodeEstimate(node=node.id, task=node.task, p50_s=0, p90_s=0, source="cached")
    found = view.task(node)
    needs = found.capability.resources if found is not None else Resources()
    recorded = statistics.get(f"{node.task}/{node.params.get('variant')}") or statistics.get(node.task)
    p50_s, p90_s, runs = scaled(recorded, node.params) if recorded is not None else (*_default_s(node), 0)
    items = _items(view, node)
    return NodeEstimate(
        node=node.id,
        task=node.task,
        p50_s=round(items * p50_s, 3),
        p90_s=round(items * p90_s, 3),
        vram_gib=needs.vram_gib,
        disk_gib=needs.disk_gib,
        source="recorded" if recorded is not None else "default",
        runs=runs,
    )


def _items(view: View, node: PlanNode) -> int:
    """Return how many runs a fan-out makes, one after the other at worst; 1 while only a run can tell."""
    over = parse_binding(node.foreach) if node.foreach else None
    items: Any = view.plan.context.get(over.port) if over is not None and over.from_request else None
    return len(items) if isinstance(items, list) else 1


def _default_s(node: PlanNode) -> tuple[float, float]:
    duration_s, variant = node.params.get("duration_seconds"), node.params.get("variant")
    if isinstance(duration_s, (int, float)) and variant in _REAL_TIME:
        size = parse_resolution(str(node.params.get("resolution", "720p")))
        per_s = _REAL_TIME[variant] * (size.pixels / PIXELS_720P if size else 1.0)
        return round(START_S + per_s * duration_s, 3), round(2 * (START_S + per_s * duration_s), 3)
    return _DEFAULTS_S.get(node.task, _CONTROL_S if node.plane == "node" else _DATA_S)


def _critical(view: View, seconds: list[float]) -> list[int]:
    """Return the places of the longest chain, first to last."""
    finish = [0.0] * len(seconds)
    before: list[int | None] = [None] * len(seconds)
    for place in view.order:
        before[place] = max(view.parents[place], key=lambda parent: finish[parent], default=None)
        earlier = before[place]
        finish[place] = seconds[place] + (finish[earlier] if earlier is not None else 0.0)
    # The last of equals: a chain is shown with what comes after it even when that takes no time.
    place: int | None = max(view.order, key=lambda item: (finish[item], view.order.index(item)))
    path: list[int] = []
    while place is not None:
        path.append(place)
        place = before[place]
    return path[::-1]
