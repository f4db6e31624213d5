"""Rules about the shape of the graph: ids, edges, cycles, what can never start, what is of no use, size."""

from __future__ import annotations

from collections.abc import Iterator

from planner.rules.view import View, choices, did_you_mean, problem
from schemas.capability import MEDIA_KINDS
from schemas.contracts.table import contracts
from schemas.diagnostics import Code, Diagnostic

# Kinds of the fixed contracts that only another node can use.
_INTERMEDIATE = frozenset({"scene", "animation"})
_RESULTS = (MEDIA_KINDS - _INTERMEDIATE) | {"artifacts", "publication", "memory"}


def ids_are_unique(view: View) -> Iterator[Diagnostic]:
    for place, node in enumerate(view.plan.nodes):
        if view.index[node.id] != place:
            first = view.index[node.id]
            yield problem(
                Code.DUPLICATE_ID,
                f"/nodes/{place}/id",
                f"the id {node.id!r} is already that of node {first}",
                got=node.id,
                hint=f"rename it, for example {node.id + '_2'!r}",
            )
        if node.id == "request":
            yield problem(
                Code.DUPLICATE_ID,
                f"/nodes/{place}/id",
                "`request` is the name of the request's values and cannot be a node",
                got=node.id,
                hint="rename the node",
            )


def edges_join_known_nodes(view: View) -> Iterator[Diagnostic]:
    for place, edge in enumerate(view.plan.edges):
        for end, name in (("from", edge.source), ("to", edge.target)):
            if name not in view.index:
                yield problem(
                    Code.UNKNOWN_NODE,
                    f"/edges/{place}/{end}",
                    f"no node has the id {name!r}",
                    got=name,
                    allowed=choices(view.index),
                    hint=did_you_mean(name, view.index, otherwise="add the node or remove the edge"),
                )


def nothing_waits_for_itself(view: View) -> Iterator[Diagnostic]:
    numbers = {(view.index.get(edge.source), view.index.get(edge.target)): n for n, edge in enumerate(view.plan.edges)}
    for ring in _rings(view):
        steps = list(zip(ring, [*ring[1:], ring[0]], strict=True))
        closing = max(steps, key=lambda step: numbers[step])  # the one written last is the likely mistake
        start = (steps.index(closing) + 1) % len(ring)
        names = [view.plan.nodes[place].id for place in (*ring[start:], *ring[:start], ring[start])]
        yield problem(
            Code.CYCLE,
            f"/edges/{numbers[closing]}",
            f"these nodes wait for each other: {' -> '.join(names)}",
            got=names,
            hint=f"remove one of these edges, for example {names[-2]} -> {names[-1]}",
        )


def everything_can_start(view: View) -> Iterator[Diagnostic]:
    on_ring = {place for ring in _rings(view) for place in ring}
    ghosts: dict[int, str] = {}
    for edge in view.plan.edges:
        target = view.index.get(edge.target)
        if target is not None and edge.source not in view.index:
            ghosts[target] = edge.source
    stuck = set(range(len(view.plan.nodes))) - set(view.order) - on_ring
    for place in sorted(stuck | set(ghosts)):
        if place in on_ring or view.index[view.plan.nodes[place].id] != place:
            continue
        reason = f"it waits for {ghosts[place]!r}, which does not exist" if place in ghosts else "it waits for a cycle"
        hint = f"add {ghosts[place]!r} or remove the edge" if place in ghosts else "remove an edge of the cycle"
        node, message = view.plan.nodes[place], f"can never start: {reason}"
        yield problem(Code.UNREACHABLE_NODE, f"/nodes/{place}", f"{node.id!r} {message}", got=node.id, hint=hint)
    if len(view.plan.nodes) > 1:
        for place in _of_no_use(view):
            if not view.parents[place]:
                node = view.plan.nodes[place]
                yield problem(
                    Code.UNREACHABLE_NODE,
                    f"/nodes/{place}",
                    f"nothing leads to {node.id!r} or away from it",
                    got=node.id,
                    hint="connect it with edges or remove it",
                )


def everything_is_of_use(view: View) -> Iterator[Diagnostic]:
    for place in _of_no_use(view):
        node = view.plan.nodes[place]
        found = view.task(node)
        yields = sorted(found.capability.outputs or ()) if found else []
        yield problem(
            Code.DEAD_END,
            f"/nodes/{place}",
            f"nobody uses what {node.id!r} yields ({', '.join(yields) or 'nothing'}) and it is not a result",
            got=node.id,
            hint="bind its output to another node or remove it",
        )


def the_plan_is_not_too_large(view: View) -> Iterator[Diagnostic]:
    limits, count = view.limits, len(view.plan.nodes)
    if count > limits.max_nodes:
        yield problem(
            Code.CONSTRAINT_VIOLATED,
            "/nodes",
            f"the plan has {count} nodes, at most {limits.max_nodes} are allowed",
            got=count,
            allowed=limits.max_nodes,
            hint="split it into several jobs",
        )
    for place, children in enumerate(view.children):
        if limits.max_fan_out is not None and len(children) > limits.max_fan_out:
            yield problem(
                Code.CONSTRAINT_VIOLATED,
                f"/nodes/{place}",
                f"{len(children)} nodes follow {view.plan.nodes[place].id!r}, at most {limits.max_fan_out} may",
                got=len(children),
                allowed=limits.max_fan_out,
                hint="fan out over a list with `foreach`, or split it into several jobs",
            )
    depth = _depth(view)
    if limits.max_depth is not None and depth > limits.max_depth:
        yield problem(
            Code.CONSTRAINT_VIOLATED,
            "/edges",
            f"{depth} nodes follow one after the other, at most {limits.max_depth} may",
            got=depth,
            allowed=limits.max_depth,
            hint="let independent nodes run beside each other, or split it into several jobs",
        )


def _of_no_use(view: View) -> list[int]:
    """Return the last nodes of a fixed task whose outputs are no result."""
    found: list[int] = []
    for place, node, task in view.known():
        outputs = task.capability.outputs or {}
        kinds = {port.kind_of(name) for name, port in outputs.items()}
        fixed_and_last = node.task in contracts() and not view.children[place] and view.index[node.id] == place
        if fixed_and_last and not kinds & _RESULTS:
            found.append(place)
    return found


def _depth(view: View) -> int:
    depths = [0] * len(view.plan.nodes)
    for place in view.order:
        depths[place] = 1 + max((depths[parent] for parent in view.parents[place]), default=0)
    return max(depths)


def _rings(view: View) -> list[list[int]]:
    """Return disjoint cycles, each as its places in order; one at least where there is any."""
    left = set(range(len(view.plan.nodes))) - set(view.order)
    rings: list[list[int]] = []
    while True:
        waiting = {place: [parent for parent in view.parents[place] if parent in left] for place in left}
        free = {place for place, parents in waiting.items() if not parents}
        if free:
            left -= free
            continue
        if not left:
            return rings
        trail, place = [min(left)], min(left)
        while True:  # every node left waits for another one left, so walking back must meet itself
            place = waiting[place][0]
            if place in trail:
                ring = trail[trail.index(place) :][::-1]
                break
            trail.append(place)
        rings.append(ring)
        left -= set(ring)
