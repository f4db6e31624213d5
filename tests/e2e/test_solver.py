"""A goal for tasks that no template knows is planned by the solver and runs on the real stack."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.faults.live_stack import LiveStack


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        record = client.get(f"/api/jobs/{job_id}").json()
        if record["status"] in {"completed", "failed", "cancelled"}:
            return record
        time.sleep(0.05)
    raise AssertionError(f"job {job_id} did not end")


def test_a_goal_that_only_the_users_own_tasks_can_reach_is_chained_and_run(stack: LiveStack) -> None:
    with httpx.Client(base_url=stack.api, timeout=30) as client:
        answer = client.post("/api/jobs", json={"goal": "A rhyming couplet about owls, printed in a frame of stars"})
        assert answer.status_code == 202, answer.text
        record = ended(client, answer.json()["jobId"])
    assert record["status"] == "completed", record["error"]
    assert record["plan"]["metadata"]["planner"]["mode"] == "solver"
    tasks = [node["task"] for node in record["plan"]["nodes"]]
    assert tasks[:2] == ["test_rhyme", "test_frame"]
    assert "owls" in record["result"]["test_frame"]["framed_verse"]["text"]


def test_the_same_stack_still_makes_a_video_of_a_topic(stack: LiveStack) -> None:
    with httpx.Client(base_url=stack.api, timeout=30) as client:
        graph = client.post("/api/plan", json={"goal": "A humorous explainer about black holes"}).json()["graph"]
    assert graph["nodes"][0]["task"] == "script.generateScript"
    assert not any(node["task"].startswith("test") for node in graph["nodes"])
