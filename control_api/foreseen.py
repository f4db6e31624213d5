"""Which nodes of a plan the node cache has an answer for, before anything runs: for the quote."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from graphs.board import Board, Run, Work
from graphs.cache import key_of
from graphs.database import Database
from graphs.rows import CACHE_QUEUE
from schemas.capability import Manifest
from schemas.plan import Plan, PlanNode
from schemas.states import RunStatus

_NEW_PROFILE = {"profile": {}}  # nothing is trained on it yet, and its name changes no result


async def foreseen(plan: Plan, manifest: Manifest, database: Database, *, owner_id: UUID) -> tuple[str, ...]:
    """Return the ids of the nodes whose results are at hand, as far as their inputs can be told now.

    What a script will say is known only when it is written, so that what depends on it is not foreseen.
    """
    board, parents = Board(plan), plan.parents()
    for node in plan.nodes:
        if node.task == "profiles.resolveOrCreate" and not node.params.get("profile_id"):
            _record(board, node, _NEW_PROFILE)
    found: list[str] = []
    asked: set[str] = set()
    while True:
        due = [
            node
            for node in plan.nodes
            if node.id not in asked and node.foreach is None and all(each in board.runs for each in parents[node.id])
        ]
        asked |= {node.id for node in due}
        keys = {node.id: key for node in due if (key := _key(board, node, manifest)) is not None}
        if not keys:
            return tuple(found)
        rows = await database.all("cached_runs", owner_id=owner_id, keys=list(set(keys.values())))
        results = {row["key"]: row["result"] for row in rows}
        for node in due:
            if keys.get(node.id) in results:
                _record(board, node, results[keys[node.id]])
                found.append(node.id)


def _key(board: Board, node: PlanNode, manifest: Manifest) -> str | None:
    capability = manifest.python.get(node.task)
    if capability is None or not capability.cacheable:
        return None
    bound = {port: board.value(binding) for port, binding in node.bindings().items()}
    return key_of(Work(node, node.id, {port: value for port, value in bound.items() if value is not None}), capability)


def _record(board: Board, node: PlanNode, result: dict[str, Any]) -> None:
    board.record(Run(node.id, node.id, RunStatus.SUCCEEDED, CACHE_QUEUE, result=result))
