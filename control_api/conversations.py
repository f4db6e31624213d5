"""Short conversations: the last planning request and plan of a user, kept in Redis, so that a wish can change them.

Losing Redis loses conversations and nothing else: a goal that names none is planned all the same.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from graphs.facades import parse_uuid
from planner.diff import diff
from planner.refine import merged, refine
from schemas.errors import DependencyDown, IllegalState, NotFound
from schemas.plan import Plan
from schemas.planning import PlanRequest, PlanResponse

log = structlog.get_logger()
KEY = "rg:conversation:{owner}:{id}"
KEPT_FOR_S = 3600
MAX_TURNS = 20
MAX_BYTES = 64 * 1024
PATIENCE_S = 1.0


class Remembered(BaseModel):
    """What Redis holds of a conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    turns: int
    request: PlanRequest
    graph: dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """A request with everything that was said before it. `changes` is None in the first turn."""

    id: str
    number: int
    request: PlanRequest
    changes: tuple[str, ...] | None = None
    before: Plan | None = None


class Conversations:
    """The conversations of all users."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def opened(self, request: PlanRequest, *, owner: UUID) -> Turn:
        """Return the turn that a request is: the first of a conversation, or a change of the last one.

        Raises:
            NotFound: the conversation is unknown, over, or someone else's.
            IllegalState: it has as many turns as it can have.
            DependencyDown: Redis, which holds it, cannot be reached.
            ValidationFailed: the goal outgrows its limit.
        """
        if request.conversation is None:
            return Turn(str(uuid4()), 1, request)
        last = await self._read(request.conversation, owner=owner)
        if last.turns >= MAX_TURNS:
            raise IllegalState(
                f"this conversation has {last.turns} turns, which is the most",
                path="/conversation",
                got=last.turns,
                allowed=MAX_TURNS,
                hint=f"start another one, with the goal: {last.request.goal[:1000]}",
            )
        before, given = Plan.model_validate(last.graph), merged(last.request, request)
        seconds, size = _last_param(before, "duration_seconds", (int, float)), _last_param(before, "resolution", (str,))
        refined = refine(given.request, request.goal, duration_seconds=seconds, resolution=size)
        changes = (*given.changes, *refined.changes)
        return Turn(request.conversation, last.turns + 1, refined.request, changes, before)

    async def closed(self, turn: Turn, response: PlanResponse, *, owner: UUID) -> PlanResponse:
        """Remember the turn and return the response with its conversation, and with what changed.

        A turn too large to keep, or that Redis does not take, is answered without a conversation.
        """
        remembered = Remembered(turns=turn.number, request=turn.request, graph=response.graph)
        kept = await self._write(turn.id, remembered.model_dump_json(exclude_unset=True).encode(), owner=owner)
        told: dict[str, Any] = {"conversation": turn.id} if kept else {}
        if turn.before is not None:
            told |= {"changes": turn.changes, "diff": diff(turn.before, Plan.model_validate(response.graph))}
        return response.model_copy(update=told)

    async def _read(self, id: str, *, owner: UUID) -> Remembered:
        unknown = NotFound(
            "no such conversation",
            path="/conversation",
            got=id[:64],
            hint=f"one is kept for {KEPT_FOR_S // 60} minutes after its last turn: say the whole goal without it",
        )
        try:
            parse_uuid(id, what="conversation")
            async with asyncio.timeout(PATIENCE_S):
                text = await self._redis.get(KEY.format(owner=owner, id=id))
        except NotFound:
            raise unknown from None
        except (RedisError, OSError, TimeoutError) as error:
            raise DependencyDown(
                "the store of conversations cannot be reached",
                path="/conversation",
                retry_after_s=2,
                hint="say the whole goal without it",
            ) from error
        try:
            if text is None:
                raise unknown
            return Remembered.model_validate_json(text)
        except ValidationError:
            raise unknown from None

    async def _write(self, id: str, text: bytes, *, owner: UUID) -> bool:
        """Tell whether it was kept."""
        if len(text) > MAX_BYTES:
            return False
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._redis.set(KEY.format(owner=owner, id=id), text, ex=KEPT_FOR_S)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("conversation.lost", error=type(error).__name__)
            return False
        return True


def _last_param(plan: Plan, name: str, types: tuple[type, ...]) -> Any:
    """Return the last value of one of these types that a node has for this param, in plan order."""
    return next((node.params[name] for node in reversed(plan.nodes) if isinstance(node.params.get(name), types)), None)
