"""Checkpoints behind the engine: written to Postgres, taken over by another process, fenced against a third."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from graphs.checkpoints import Checkpoints, checkpoint_pool, postgres_saver
from graphs.compiler import compile_plan, read, start, write
from schemas.plan import Plan

OWNER = "00000000-0000-0000-0000-000000000001"
PLAN = Plan.model_validate(
    {
        "workflow_id": "w",
        "nodes": [{"id": name, "task": "t", "plane": "python"} for name in "abc"],
        "edges": [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}],
    }
)
Process = Callable[..., Any]


@pytest.fixture
async def process(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Process]:
    """Start the checkpoints of a process by its runner name."""
    monkeypatch.setitem(os.environ, "LANGGRAPH_STRICT_MSGPACK", "true")
    async with AsyncExitStack() as stack:

        async def begin(runner: str, *, flush_every_s: float = 0.0) -> Checkpoints:
            pool = checkpoint_pool(database, runner=runner)
            await pool.open()
            stack.push_async_callback(pool.close)
            return Checkpoints(postgres_saver(pool), flush_every_s=flush_every_s)

        yield begin


@pytest.fixture
def job_id(database: str) -> str:
    """A running job that the runner `one` owns."""
    found = str(uuid4())
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(
            "insert into job (id, tenant_id, owner_id, status, title, mode, request, request_hash, plan, plan_digest,"
            " graph_version, deadline_at, runner) values (%s, %s, %s, 'running', 't', 'plan', '{}', '', '{}', 'd', 1,"
            " now() + interval '1 hour', 'one')",
            (found, OWNER, OWNER),
        )
    return found


def owned_by(database: str, job_id: str, runner: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("update job set runner = %s where id = %s", (runner, job_id))


def stored(database: str, job_id: str) -> int:
    with psycopg.connect(database) as db:
        row = db.execute("select count(*) from checkpoints where thread_id = %s", (job_id,)).fetchone()
    assert row is not None
    return row[0]


async def first_advance(checkpoints: Checkpoints, job_id: str, *, ended: bool = False) -> None:
    """Open, start and write node a, close: one advance under epoch 1."""
    await checkpoints.open(job_id, epoch=1)
    graph = compile_plan(PLAN, checkpoints.hot)
    await start(graph, job_id)
    await write(graph, job_id, ["a"])
    await checkpoints.close(job_id, epoch=1, ended=ended)


async def test_another_process_goes_on_where_the_first_stopped(process: Process, job_id: str, database: str) -> None:
    await first_advance(await process("one"), job_id)
    assert stored(database, job_id) == 1
    owned_by(database, job_id, "two")
    other = await process("two")
    await other.open(job_id, epoch=2)
    graph = compile_plan(PLAN, other.hot)
    progress, due = await read(graph, job_id)
    assert progress == {"announced": {"a": 1, "b": 1}, "done": {"a": 1}}
    assert not due
    progress = await write(graph, job_id, ["b"])
    assert "c" in progress["announced"]


async def test_the_hot_checkpoint_is_used_while_nobody_else_advanced(process: Process, job_id: str) -> None:
    checkpoints = await process("one")
    await first_advance(checkpoints, job_id)
    thread = checkpoints.hot.threads[job_id]
    await checkpoints.open(job_id, epoch=2)
    assert checkpoints.hot.threads[job_id] is thread
    await checkpoints.open(job_id, epoch=9)  # others advanced it meanwhile: read again
    assert checkpoints.hot.threads[job_id] is not thread


async def test_a_process_that_lost_the_job_cannot_write_its_checkpoint(
    process: Process, job_id: str, database: str
) -> None:
    checkpoints = await process("one")
    owned_by(database, job_id, "two")
    with pytest.raises(psycopg.errors.SerializationFailure, match="does not own"):
        await first_advance(checkpoints, job_id)
    assert stored(database, job_id) == 0


async def test_an_ended_job_leaves_no_checkpoint(process: Process, job_id: str, database: str) -> None:
    checkpoints = await process("one")
    await first_advance(checkpoints, job_id)
    await checkpoints.open(job_id, epoch=2)
    await checkpoints.close(job_id, epoch=2, ended=True)
    assert stored(database, job_id) == 0
    assert job_id not in checkpoints.hot.threads


async def test_a_short_job_is_never_written(process: Process, job_id: str, database: str) -> None:
    checkpoints = await process("one", flush_every_s=60.0)
    await first_advance(checkpoints, job_id)
    assert stored(database, job_id) == 0
    await checkpoints.open(job_id, epoch=2)
    await checkpoints.close(job_id, epoch=2, ended=True)
    assert stored(database, job_id) == 0


def test_a_saver_without_strict_deserialisation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANGGRAPH_STRICT_MSGPACK", raising=False)
    with pytest.raises(RuntimeError, match="LANGGRAPH_STRICT_MSGPACK"):
        postgres_saver(checkpoint_pool("postgresql://nowhere", runner="x"))
