"""Planning with a language model through the API: jobs in state `planning`, refusals, cancels, and a killed process."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
import pytest

from compose.services import Addresses
from tests.apps import Api, Client, running_api
from tests.fake_models import FakeModels, Told
from tests.fake_worker import FakeWorker

GOAL = "A 20-second video about black holes"
GOOD: list[dict[str, Any]] = [
    {"op": "add_node", "id": "script", "task": "script.generateScript"},
    {"op": "bind", "node": "script", "port": "topic", "source": "request.topic"},
    {"op": "add_node", "id": "render", "task": "render_video"},
    {"op": "bind", "node": "render", "port": "script", "source": "script.script"},
    {"op": "finish"},
]
WRONG = [{"op": "add_node", "id": "x", "task": "delete_all"}, {"op": "finish"}]


@dataclass
class Script:
    """What the fake model says: the same edits at every question, after it was let go."""

    edits: list[dict[str, Any]] = field(default_factory=lambda: GOOD)
    status: int | None = None
    free: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)

    def __call__(self, told: Told) -> str | int:
        self.asked.set()
        self.free.wait(20)
        return self.status or json.dumps({"edits": self.edits})


@pytest.fixture
def script() -> Script:
    made = Script()
    made.free.set()
    return made


@pytest.fixture
def model(script: Script) -> Iterator[FakeModels]:
    with FakeModels(script).serving() as server:
        yield server
        script.free.set()


@pytest.fixture
def worker(addresses: Addresses) -> Iterator[FakeWorker]:
    with FakeWorker(addresses) as running:
        yield running


@asynccontextmanager
async def connected(api: Api) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(base_url=api.url, timeout=20) as http:
        yield Client(http)


def settings(model: FakeModels) -> dict[str, str]:
    return {"PLANNER_LLM": "ollama:fake", "PLANNER_LLM_BASE_URL": model.url}


def mode_of(record: dict[str, Any]) -> str:
    return record["plan"]["metadata"]["planner"]["mode"]


async def heard(script: Script) -> None:
    assert await asyncio.to_thread(script.asked.wait, 15)


async def test_a_goal_is_planned_by_the_model_after_the_answer_and_runs(
    addresses: Addresses, worker: FakeWorker, model: FakeModels, script: Script
) -> None:
    script.free.clear()
    with running_api(addresses, **settings(model)) as api:
        async with connected(api) as client:
            answer = await client.http.post(
                "/api/jobs", json={"goal": GOAL, "mode": "llm"}, headers={"Idempotency-Key": "once"}
            )
            assert (answer.status_code, answer.json()["status"]) == (202, "planning")
            job_id = answer.json()["jobId"]
            await heard(script)
            status = await client.get(f"/api/status/{job_id}")
            assert (status["status"], status["nodes"], status["progress"]) == ("planning", [], 0.0)
            assert (await client.get(f"/api/jobs/{job_id}"))["estimate"] is None
            assert await client.submit({"goal": GOAL, "mode": "llm"}, key="once") == job_id
            script.free.set()
            await client.reaches(job_id, "completed", within_s=40)
            record = await client.get(f"/api/jobs/{job_id}")
            assert record["plan"]["metadata"]["planner"] == {"mode": "llm", "model": "ollama:fake", "rounds": 0}
            assert record["estimate"]["p50_s"] > 0
            log = await client.log(job_id)
    assert [item["type"] for item in log[:3]] == ["job.queued", "job.planned", "job.running"]
    assert [item["status"] for item in log[:3]] == ["planning", "running", "running"]
    assert "ollama:fake" in log[1]["data"]["rationale"]


async def test_a_dry_run_asks_the_model_and_the_event_loop_goes_on(
    addresses: Addresses, worker: FakeWorker, model: FakeModels, script: Script
) -> None:
    script.free.clear()
    with running_api(addresses, **settings(model)) as api:
        async with connected(api) as client:
            asking = asyncio.create_task(client.http.post("/api/plan", json={"goal": GOAL, "mode": "llm"}))
            await heard(script)
            async with asyncio.timeout(2):
                assert (await client.http.get("/health")).status_code == 200
            script.free.set()
            answer = await asking
            assert answer.status_code == 200, answer.text
            assert answer.json()["graph"]["metadata"]["planner"]["mode"] == "llm"
            model.asked.clear()
            other = await client.http.post("/api/plan", json={"goal": GOAL})
            assert other.json()["graph"]["metadata"]["planner"]["mode"] != "llm"
    assert model.asked == []


async def test_a_model_that_is_wrong_or_down_leaves_the_goal_to_the_solver(
    addresses: Addresses, worker: FakeWorker, model: FakeModels, script: Script
) -> None:
    with running_api(addresses, **settings(model)) as api:
        async with connected(api) as client:
            for script.edits, script.status in ((WRONG, None), (GOOD, 500)):
                job_id = await client.submit({"goal": GOAL, "mode": "llm"})
                await client.reaches(job_id, "running")
                record = await client.get(f"/api/jobs/{job_id}")
                assert mode_of(record) == "solver"
                assert "delete_all" not in json.dumps(record["plan"]["nodes"])


async def test_a_refusal_ends_the_job_failed_with_its_code_and_it_cannot_be_retried(
    addresses: Addresses, worker: FakeWorker, model: FakeModels, script: Script
) -> None:
    script.edits = WRONG
    with running_api(addresses, **settings(model)) as api:
        async with connected(api) as client:
            job_id = await client.submit({"goal": "Make a 3D model of a lantern", "mode": "llm"})
            status = await client.reaches(job_id, "failed")
            assert status["error"]["code"] == "unsatisfiable_goal"
            assert status["error"]["diagnostics"]
            assert [item["type"] for item in await client.log(job_id)] == ["job.queued", "job.failed"]
            again = await client.http.post(f"/api/jobs/{job_id}/retry")
            assert (again.status_code, again.json()["error"]["code"]) == (409, "illegal_state")


async def test_what_is_wrong_with_the_request_is_refused_at_once_and_leaves_no_job(
    addresses: Addresses, worker: FakeWorker, model: FakeModels
) -> None:
    foreign = {"goal": GOAL, "mode": "llm", "inputs": {"images": ["s3://models/secret.bin"]}}
    with running_api(addresses, **settings(model)) as api:
        async with connected(api) as client:
            for body, code in ((foreign, "unsafe_input"), ({"goal": " ", "mode": "llm"}, "validation_error")):
                answer = await client.http.post("/api/jobs", json=body)
                assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
            assert (await client.get("/api/jobs"))["items"] == []
    assert model.asked == []


async def test_a_job_is_cancelled_at_once_while_the_model_thinks(
    addresses: Addresses, worker: FakeWorker, model: FakeModels, script: Script
) -> None:
    script.free.clear()
    with running_api(addresses, TIME_SCALE="1.0", **settings(model)) as api:
        async with connected(api) as client:
            job_id = await client.submit({"goal": GOAL, "mode": "llm"})
            await heard(script)
            assert (await client.http.post(f"/api/jobs/{job_id}/cancel")).status_code == 202
            await client.reaches(job_id, "cancelled", within_s=3)
            assert (await client.log(job_id))[-1]["type"] == "job.cancelled"


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_a_job_is_planned_again_after_the_api_ended_while_the_model_thought(
    addresses: Addresses, worker: FakeWorker, model: FakeModels, script: Script, how: str
) -> None:
    script.free.clear()
    with running_api(addresses, **settings(model)) as first:
        async with connected(first) as client:
            job_id = await client.submit({"goal": GOAL, "mode": "llm"})
        await heard(script)
        if how == "killed":
            first.kill()
        await asyncio.to_thread(first.stop)
    script.free.set()
    with running_api(addresses, **settings(model)) as second:
        async with connected(second) as client:
            await client.reaches(job_id, "running")
            assert mode_of(await client.get(f"/api/jobs/{job_id}")) == "llm"
            log = await client.log(job_id)
    assert [item["type"] for item in log].count("job.planned") == 1


async def test_a_job_whose_planning_ended_three_processes_is_not_tried_again(
    addresses: Addresses, worker: FakeWorker, model: FakeModels
) -> None:
    with running_api(addresses) as first:  # it has no model, so the job waits
        with psycopg.connect(addresses.dsn, autocommit=True) as db:
            db.execute("alter table job alter column takeovers set default 3")
        async with connected(first) as client:
            with running_api(addresses, **settings(model)) as second:
                async with connected(second) as other:
                    job_id = await other.submit({"goal": GOAL, "mode": "llm"})
                    status = await client.reaches(job_id, "failed")
    assert status["error"]["code"] == "poisoned"
    assert model.asked == []


async def test_without_a_model_the_mode_is_refused_with_the_setting_to_set(
    addresses: Addresses, worker: FakeWorker
) -> None:
    with running_api(addresses) as api:
        async with connected(api) as client:
            for path in ("/api/plan", "/api/jobs"):
                answer = await client.http.post(path, json={"goal": GOAL, "mode": "llm"})
                error = answer.json()["error"]
                assert (answer.status_code, error["code"], error["path"]) == (422, "validation_error", "/mode")
                assert "REELGRAPH_API_PLANNER_LLM" in error["hint"]
                assert "solver" in error["allowed"]
            assert (await client.get("/api/jobs"))["items"] == []
