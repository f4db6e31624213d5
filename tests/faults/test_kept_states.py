"""A long task is killed in the middle, with its worker or without: the next attempt goes on where it kept."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.faults.live_stack import LiveStack, live_stack, until
from tests.oracle import broken_invariants

pytestmark = pytest.mark.slow
STEPS, EVERY, HANGS_AT = 60, 10, 35


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    environment = {
        "REELGRAPH_WORKER_TASK_PACKAGES": "worker.tasks,tests.tasks_for_tests",
        "REELGRAPH_API_TIME_SCALE": "0.1",
        "REELGRAPH_WORKER_TIME_SCALE": "0.1",
    }
    with live_stack(tmp_path_factory.mktemp("stack"), **environment) as running:
        yield running


def plan(**params: Any) -> dict[str, Any]:
    params = {"steps": STEPS, "every": EVERY, "pause_s": 0.01, **params}
    return {"plan": {"workflow_id": "count", "nodes": [
        {"id": "count", "task": "test_count", "plane": "python", "params": params}]}}  # fmt: skip


def result(stack: LiveStack, job_id: str) -> dict[str, Any]:
    until(lambda: stack.get(f"/api/jobs/{job_id}")["status"] == "completed", within_s=60, what="the job's end")
    with psycopg.connect(stack.dsn) as connection:
        row = connection.execute("select result -> 'value' from node_run where job_id = %s", (job_id,)).fetchone()
    assert row is not None
    return row[0]


def kept_step(stack: LiveStack, job_id: str) -> int:
    with psycopg.connect(stack.dsn) as connection:
        row = connection.execute(
            "select (checkpoint ->> 'step')::int from node_run where job_id = %s", (job_id,)
        ).fetchone()
    return (row and row[0]) or 0


@pytest.mark.parametrize("target", ["child", "worker"])
def test_the_next_attempt_goes_on_and_ends_like_an_undisturbed_one(stack: LiveStack, target: str) -> None:
    undisturbed = result(stack, stack.submit(plan()))
    job_id = stack.submit(plan(hang_at=HANGS_AT))
    until(lambda: kept_step(stack, job_id) == 30, within_s=30, what="the third checkpoint")
    if target == "worker":
        stack.kill("worker")
    else:
        for pid in stack.worker_pids():
            os.kill(pid, signal.SIGKILL)
    resumed = result(stack, job_id)
    assert (resumed["began_at"], resumed["attempt"]) == (30, 2)
    assert resumed["digest"] == undisturbed["digest"]
    gone = [key for key in (str(one.object_name) for one in stack.s3().list_objects("artifacts", recursive=True))
            if job_id in key and "/checkpoints/" in key]  # fmt: skip
    assert gone == []
    assert not broken_invariants(stack.dsn, stack.s3())


@pytest.mark.parametrize(("edited", "began_at"), [({}, 30), ({"count": {"salt": "x", "refuse_at": None}}, 0)])
def test_a_retry_goes_on_unless_params_were_edited(stack: LiveStack, edited: dict[str, Any], began_at: int) -> None:
    job_id = stack.submit(plan(refuse_at=HANGS_AT))
    until(lambda: stack.get(f"/api/jobs/{job_id}")["status"] == "failed", within_s=30, what="the job fails")
    assert kept_step(stack, job_id) == 30
    assert stack.post(f"/api/jobs/{job_id}/retry", {"params": edited}).status_code == 202
    assert result(stack, job_id)["began_at"] == began_at
