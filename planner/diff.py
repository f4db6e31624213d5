"""What differs between two plans, for people who refine one. Pure; judges neither of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from planner.rules.view import pointer
from schemas.plan import Plan, PlanNode
from schemas.planning import PlanChange, PlanDiff

_SHOWN_CHARS, _SHOWN_CHANGES = 40, 6


def diff(before: Plan, after: Plan) -> PlanDiff:
    """Return what `after` changes: nodes, their params and bindings, the context and edges, in the plans' order.

    How progress is weighed and how often a node is tried is left out.
    """
    old, new = ({node.id: node for node in plan.nodes} for plan in (before, after))
    added = tuple(name for name in new if name not in old)
    removed = tuple(name for name in old if name not in new)
    kept = [name for name in new if name in old]
    params = [change for name in kept for change in _changes(_params(old[name]), _params(new[name]))]
    bindings = [change for name in kept for change in _changes(_wiring(old[name]), _wiring(new[name]))]
    context = _changes(
        *({f"/context/{pointer(key)}": value for key, value in plan.context.items()} for plan in (before, after))
    )
    old_edges, new_edges = ([f"{edge.source} -> {edge.target}" for edge in plan.edges] for plan in (before, after))
    return PlanDiff(
        summary=_summary(added, removed, [*params, *bindings, *context]),
        nodes_added=added,
        nodes_removed=removed,
        params=tuple(params),
        bindings=tuple(bindings),
        context=tuple(context),
        edges_added=tuple(edge for edge in new_edges if edge not in old_edges),
        edges_removed=tuple(edge for edge in old_edges if edge not in new_edges),
    )


def _params(node: PlanNode) -> dict[str, Any]:
    return {f"/nodes/{node.id}/params/{pointer(name)}": value for name, value in node.params.items()}


def _wiring(node: PlanNode) -> dict[str, Any]:
    """Return what a node does and what it gets, by path."""
    inputs = {f"/nodes/{node.id}/inputs/{pointer(name)}": text for name, text in node.inputs.items()}
    return {f"/nodes/{node.id}/task": node.task, f"/nodes/{node.id}/foreach": node.foreach, **inputs}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[PlanChange]:
    return [
        PlanChange(path=path, before=before.get(path), after=after.get(path))
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    ]


def _summary(added: tuple[str, ...], removed: tuple[str, ...], changes: list[PlanChange]) -> str:
    parts = [f"adds {', '.join(added)}"] if added else []
    parts += [f"removes {', '.join(removed)}"] if removed else []
    told = [_told(change) for change in changes]
    parts += told[:_SHOWN_CHANGES]
    if len(told) > _SHOWN_CHANGES:
        parts.append(f"and {len(told) - _SHOWN_CHANGES} more")
    return "; ".join(parts) if parts else "the plan stays as it was"


def _name(path: str) -> str:
    """Return `render.fps` for `/nodes/render/params/fps` and `topic` for `/context/topic`."""
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[2:]]
    return ".".join(token for place, token in enumerate(tokens) if not (place == 1 and token in {"params", "inputs"}))


def _told(change: PlanChange) -> str:
    """Say a change in a few words; of a long value only that it differs."""
    name, before, after = _name(change.path), _shown(change.before), _shown(change.after)
    return f"{name} {before} -> {after}" if max(len(before), len(after)) <= _SHOWN_CHARS else f"{name} differs"


def _shown(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or "none"
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
