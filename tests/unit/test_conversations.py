"""Conversations: limits, unknown ids, and life without Redis."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from control_api.conversations import MAX_BYTES, MAX_TURNS, Conversations
from graphs.template_registry import load_templates
from planner.plan import plan
from schemas.capability import Manifest
from schemas.contracts.table import contracts
from schemas.errors import DependencyDown, IllegalState, NotFound
from schemas.planning import PlanRequest, PlanResponse

ME, SOMEONE_ELSE = UUID(int=1), UUID(int=2)
GOAL = "a 20 second video about tides"
TEMPLATES = load_templates().by_name
MANIFEST = Manifest.model_validate(
    {plane: {name: {} for name, known in contracts().items() if known.plane == plane} for plane in ("node", "python")}
)


class MemoryRedis(Redis):
    """Keeps values and their time to live; nothing else is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, tuple[bytes, int]] = {}

    async def get(self, name: Any) -> Any:
        return self.kept[name][0] if name in self.kept else None

    async def set(self, name: Any, value: Any, **options: Any) -> Any:
        self.kept[name] = (value, options["ex"])
        return True


@pytest.fixture
def redis() -> MemoryRedis:
    return MemoryRedis()


async def said(redis: Redis, goal: str, *, owner: UUID = ME, **fields: Any) -> PlanResponse:
    """Plan as the API does."""
    conversations = Conversations(redis)
    turn = await conversations.opened(PlanRequest(goal=goal, **fields), owner=owner)
    return await conversations.closed(turn, plan(turn.request, manifest=MANIFEST, templates=TEMPLATES), owner=owner)


async def test_a_wish_changes_the_last_request_and_is_told_as_a_diff(redis: MemoryRedis) -> None:
    first = await said(redis, GOAL)
    assert (first.diff, first.changes) == (None, None)
    second = await said(redis, "make it shorter", conversation=first.conversation)
    third = await said(redis, "longer, in German", conversation=first.conversation)
    assert first.conversation == second.conversation == third.conversation
    assert second.changes == ("duration: 20 s -> 10 s",)
    assert third.changes == ("duration: 10 s -> 20 s", "language: en -> de")
    assert third.diff is not None
    assert "render.duration_seconds 10 -> 20" in third.diff.summary
    assert third.graph["context"]["language"] == "de"


async def test_a_length_starts_from_what_was_planned_not_from_what_was_asked(redis: MemoryRedis) -> None:
    first = await said(redis, "a 60 second video about tides", constraints={"max_duration_seconds": 30})
    second = await said(redis, "shorter", conversation=first.conversation)
    assert second.changes == ("duration: 30 s -> 15 s",)


async def test_a_conversation_is_kept_for_an_hour_and_only_for_its_user(redis: MemoryRedis) -> None:
    first = await said(redis, GOAL)
    assert [seconds for _, seconds in redis.kept.values()] == [3600]
    for owner, id in ((SOMEONE_ELSE, first.conversation), (ME, str(uuid4())), (ME, "../x")):
        with pytest.raises(NotFound) as refused:
            await said(redis, "shorter", owner=owner, conversation=id)
        assert refused.value.body.path == "/conversation"
        assert "60 minutes" in str(refused.value.body.hint)


async def test_a_full_conversation_says_how_to_go_on(redis: MemoryRedis) -> None:
    first = await said(redis, GOAL)
    for number in range(1, MAX_TURNS):
        await said(redis, f"{number + 1} seconds", conversation=first.conversation)
    with pytest.raises(IllegalState) as refused:
        await said(redis, "shorter", conversation=first.conversation)
    assert str(refused.value.body.hint).endswith("a 20 second video about tides")


async def test_a_turn_too_large_to_keep_is_planned_without_a_conversation(redis: MemoryRedis) -> None:
    response = await said(redis, GOAL, inputs={"notes": "x" * MAX_BYTES})
    assert response.graph["nodes"]
    assert response.conversation is None
    assert redis.kept == {}


async def test_losing_redis_loses_the_conversation_and_not_the_plan() -> None:
    gone = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    response = await said(gone, GOAL)
    assert response.graph["nodes"]
    assert response.conversation is None
    with pytest.raises(DependencyDown, match="conversations"):
        await said(gone, "shorter", conversation=str(uuid4()))
    await gone.aclose()
