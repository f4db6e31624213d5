"""Draws a plan as a tree of lines for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.plan import Plan, PlanNode

_PLACES = {"node": "api", "python": "worker"}


def tree(plan: Plan) -> list[str]:
    """Return a line for each node: its id below the last node it waits for, its task, where it runs, what it gets."""
    parents = plan.parents()
    order = _order(parents)
    earlier = {id: [one for one in order[:place] if one in parents[id]] for place, id in enumerate(order)}
    above = {id: waits[-1] for id, waits in earlier.items() if waits}
    below: dict[str | None, list[str]] = {}
    for id in order:
        below.setdefault(above.get(id), []).append(id)
    drawn = list(_branch(None, below, ""))
    nodes = {node.id: node for node in plan.nodes}
    wide = max(len(stem + id) for stem, id in drawn)
    widest = max(len(_task(node)) for node in plan.nodes)
    lines: list[str] = []
    for stem, id in drawn:
        node = nodes[id]
        others = [other for other in parents[id] if other != above.get(id) and not _binds(node, other)]
        columns = f"{stem + id:<{wide}}  {_task(node):<{widest}}  {_PLACES[node.plane]:<6}  {_details(node, others)}"
        lines.append(columns.rstrip())
    return lines


def _branch(root: str | None, below: dict[str | None, list[str]], stem: str) -> Iterator[tuple[str, str]]:
    children = below.get(root, [])
    for id in children:
        last = id == children[-1]
        yield ("" if root is None else stem + ("└─ " if last else "├─ ")), id
        yield from _branch(id, below, "" if root is None else stem + ("   " if last else "│  "))


def _order(parents: dict[str, list[str]]) -> list[str]:
    """Return the ids so that each comes after those it waits for; those on a cycle come last."""
    order: list[str] = []
    left = list(parents)
    while ready := [id for id in left if set(parents[id]) <= set(order)]:
        order += ready
        left = [id for id in left if id not in ready]
    return order + left


def _task(node: PlanNode) -> str:
    return f"{node.task} x each" if node.foreach else node.task


def _binds(node: PlanNode, other: str) -> bool:
    return any(text.startswith(f"{other}.") for text in (*node.inputs.values(), node.foreach or ""))


def _details(node: PlanNode, others: list[str]) -> str:
    parts = [f"{port} <- {text}" for port, text in node.inputs.items()]
    parts += [f"each of {node.foreach}"] if node.foreach else []
    parts += [f"{name}={_short(value)}" for name, value in node.params.items()]
    return ", ".join([*parts, *(f"after {other}" for other in others)])


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"
