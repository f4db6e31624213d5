"""The quote: what a plan will take, from recorded runs where there are any. Pure."""

from __future__ import annotations

from collections.abc import Collection

from planner.rules.view import View, problem
from schemas.capability import Manifest
from schemas.diagnostics import Code, Diagnostic
from schemas.plan import Plan, PlanNode
from schemas.planning import Constraints, Estimate, NodeEstimate, Statistics
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
_720P = 1280 * 720


def estimate(
    plan: Plan,
    *,
    manifest: Manifest,
    statistics: Statistics,
    cached: Collection[str] = (),
    vram_gib_available: float | None = None,
) -> Estimate:
    """Return seconds per node and along the critical path, and memory.

    Args:
        statistics: `TASK/VARIANT` or `TASK` -> recorded seconds.
        cached: ids of nodes whose result is at hand already.
        vram_gib_available: of the largest GPU; None when nobody said.
    """
    view = View(plan, manifest)
    nodes = [_node(view, node, statistics, cached) for node in plan.nodes]
    path = _critical(view, [node.p50_s for node in nodes])
    too_large = [node.node for node in nodes if vram_gib_available is not None and node.vram_gib > vram_gib_available]
    return Estimate(
        p50_s=round(sum(nodes[place].p50_s for place in path), 3),
        p90_s=round(sum(nodes[place].p90_s for place in path), 3),
        work_p50_s=round(sum(node.p50_s for node in nodes), 3),
        work_p90_s=round(sum(node.p90_s for node in nodes), 3),
        vram_gib=max(node.vram_gib for node in nodes),
        critical_path=tuple(plan.nodes[place].id for place in path),
        nodes=tuple(nodes),
        cached=tuple(node.node for node in nodes if node.source == "cached"),
        does_not_fit=tuple(too_large),
    )


def over_budget(quote: Estimate, constraints: Constraints) -> list[Diagnostic]:
    """Return what the quote says against the constraints."""
    budget_s = constraints.max_seconds
    found = [
        problem(Code.OVER_BUDGET, "/nodes", f"{node!r} needs more GPU memory than any worker has", got=node)
        for node in quote.does_not_fit
    ]
    if budget_s is not None and quote.p50_s > budget_s:
        slowest = max(quote.nodes, key=lambda node: node.p50_s)
        found.append(
            problem(
                Code.OVER_BUDGET,
                "/constraints/max_seconds",
                f"this takes about {quote.p50_s:.0f} s ({slowest.node} alone {slowest.p50_s:.0f} s), "
                f"more than the {budget_s:g} s that are allowed",
                got=quote.p50_s,
                allowed=budget_s,
                hint="ask for a shorter or smaller result, or raise max_seconds",
            )
        )
    return found


def _node(view: View, node: PlanNode, statistics: Statistics, cached: Collection[str]) -> NodeEstimate:
    found = view.task(node)
    vram_gib = found.capability.resources.vram_gib if found is not None else 0.0
    recorded = statistics.get(f"{node.task}/{node.params.get('variant')}") or statistics.get(node.task)
    if node.id in cached:
        return NodeEstimate(node=node.id, task=node.task, p50_s=0, p90_s=0, source="cached")
    if recorded is not None:
        return NodeEstimate(
            node=node.id,
            task=node.task,
            p50_s=recorded.p50_s,
            p90_s=recorded.p90_s,
            vram_gib=vram_gib,
            source="recorded",
            runs=recorded.runs,
        )
    p50_s, p90_s = _default_s(node)
    return NodeEstimate(node=node.id, task=node.task, p50_s=p50_s, p90_s=p90_s, vram_gib=vram_gib, source="default")


def _default_s(node: PlanNode) -> tuple[float, float]:
    duration_s, variant = node.params.get("duration_seconds"), node.params.get("variant")
    if isinstance(duration_s, (int, float)) and variant in _REAL_TIME:
        size = parse_resolution(str(node.params.get("resolution", "720p")))
        per_s = _REAL_TIME[variant] * (size.pixels / _720P if size else 1.0)
        return round(5 + per_s * duration_s, 3), round(10 + 2 * per_s * duration_s, 3)
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
