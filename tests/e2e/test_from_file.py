"""A file is made again: the plan of the job that made it runs once more, on the real stack."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.faults.live_stack import LiveStack, until

PLAN = {
    "workflow_id": "note",
    "nodes": [{"id": "write", "task": "test_write_file", "plane": "python", "params": {"text": "tides"}}],
    "context": {"topic": "tides"},
}


def completed(stack: LiveStack, job_id: str) -> dict[str, Any]:
    def record() -> dict[str, Any] | None:
        found = stack.get(f"/api/jobs/{job_id}")
        return found if found["status"] in {"completed", "failed"} else None

    ended = until(record, within_s=30, what="the job's end")
    assert ended is not None
    assert ended["status"] == "completed", ended["error"]
    return ended


def test_a_job_from_a_file_runs_the_plan_that_made_it(stack: LiveStack) -> None:
    first = completed(stack, stack.submit({"plan": PLAN}))
    second = completed(stack, stack.submit({"from_file": first["artifacts"][0]["id"]}))
    assert second["jobId"] != first["jobId"]
    assert second["planDigest"] == first["planDigest"]
    assert second["artifacts"][0]["sha256"] == first["artifacts"][0]["sha256"]


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        ({"from_file": "7b0c2f4e-0000-4000-8000-000000000001"}, 404, "/from_file"),
        ({"from_file": "cat.png"}, 404, "/from_file"),
        ({"from_file": "7b0c2f4e-0000-4000-8000-000000000001", "goal": "a video about tides"}, 422, "/"),
    ],
)
def test_a_file_that_is_not_there_or_not_alone_is_refused(
    stack: LiveStack, body: dict[str, Any], status: int, path: str
) -> None:
    answer = httpx.post(f"{stack.api}/api/jobs", json=body, timeout=30)
    assert answer.status_code == status
    assert answer.json()["error"].get("path", "") == path
