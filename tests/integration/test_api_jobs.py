"""Jobs over REST with the real engine, Postgres, Valkey and S3; the worker is `tests/fake_worker.py`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.apps import Api, Client, Rows, echo, noop, plan, running_api
from tests.fake_worker import FakeWorker

GATE = {"id": "gate", "task": "gate.approve", "plane": "node", "inputs": {"value": "request.script"},
        "params": {"question": "Good?"}}  # fmt: skip
USE = {"id": "use", "task": "read_script", "plane": "python", "inputs": {"script": "gate.script"}}
SCRIPT = {"stage": "A void.", "narrative": "Nothing is here."}


def six() -> dict[str, Any]:
    """Three control nodes, three on the worker: the shape of `train_and_generate_v1`."""
    ids = ["script", "profile", "train_lora", "train_voice", "render", "register"]
    nodes = [noop(i) if i in {"train_lora", "train_voice", "render"} else echo(i) for i in ids]
    pairs = [("script", "profile"), ("profile", "train_lora"), ("profile", "train_voice")]
    return plan(*nodes, edges=[*pairs, ("train_lora", "render"), ("train_voice", "render"), ("render", "register")])


def node(status: dict[str, Any], node_id: str) -> dict[str, Any]:
    return next(item for item in status["nodes"] if item["id"] == node_id)


async def test_a_submitted_plan_runs_to_its_end_with_a_log_without_gaps(client: Client) -> None:
    job_id = await client.submit({"plan": six()})
    status = await client.reaches(job_id, "completed")
    assert status["progress"] == 1.0
    assert status["error"] is None
    assert {item["status"] for item in status["nodes"]} == {"completed"}
    log = await client.log(job_id)
    types = [item["type"] for item in log]
    assert types[:3] == ["job.queued", "job.planned", "job.running"]
    assert types[-1] == "job.completed"
    done = [item["node"] for item in log if item["type"] == "node.completed"]
    assert sorted(done) == sorted(["script", "profile", "train_lora", "train_voice", "render", "register"])
    assert log[-1]["seq"] == status["seq"]


async def test_a_template_with_params_becomes_its_job(client: Client) -> None:
    params = {"topic": "the moon", "approve": True, "variant": "sadtalker", "duration_seconds": 7}
    job_id = await client.submit({"template": "generate_v1", "params": params})
    record = await client.get(f"/api/jobs/{job_id}")
    assert record["mode"] == "template"
    assert record["title"] == "the moon"
    assert record["variant"] == "sadtalker"
    render = next(item for item in record["plan"]["nodes"] if item["id"] == "render")
    assert render["params"]["duration_seconds"] == 7
    await client.http.post(f"/api/jobs/{job_id}/cancel")


async def test_a_goal_becomes_a_job_with_its_title_plan_and_quote(client: Client) -> None:
    goal = "Generate a 20-second humorous explainer about black holes."
    job_id = await client.submit({"goal": goal})
    record = await client.get(f"/api/jobs/{job_id}")
    assert record["title"] == record["goal"] == goal
    assert record["mode"] == "goal"
    assert record["plan"]["metadata"]["digest"] == record["planDigest"]
    assert {item["node"] for item in record["estimate"]["nodes"]} == {item["id"] for item in record["plan"]["nodes"]}
    await client.http.post(f"/api/jobs/{job_id}/cancel")


async def test_the_seed_endpoint_accepts_the_seeds_body(client: Client) -> None:
    body = {
        "mode": "generate", "topic": "tides", "variant": "svd", "options": {"durationSeconds": 5, "resolution": "720p"},
    }  # fmt: skip
    job_id = await client.submit(body, to="/api/generate")
    status = await client.get(f"/api/status/{job_id}")
    assert (status["mode"], status["variant"], status["profileId"]) == ("generate", "svd", None)
    await client.http.post(f"/api/jobs/{job_id}/cancel")


async def test_a_dry_run_returns_a_plan_and_makes_no_job(client: Client, rows: Rows) -> None:
    before = rows.db.execute("select count(*) as n from job").fetchone()
    answer = await client.http.post("/api/plan", json={"goal": "a 5 second video about rain"})
    assert answer.status_code == 200
    assert {"graph", "estimate", "rationale", "mermaid", "diagnostics"} <= set(answer.json())
    assert rows.db.execute("select count(*) as n from job").fetchone() == before


async def test_the_same_key_and_body_give_the_same_job(client: Client, rows: Rows) -> None:
    body = {"plan": plan(echo("a"))}
    ids = await asyncio.gather(*(client.submit(body, key="same") for _ in range(5)))
    assert len(set(ids)) == 1
    found = rows.db.execute("select count(*) as n from job where idempotency_key = 'same'").fetchone()
    assert found == {"n": 1}


async def test_the_list_pages_by_cursor_newest_first_and_filters(client: Client) -> None:
    ids = [await client.submit({"plan": plan(echo("a"), goal=f"paging 50%_ {n}")}) for n in range(5)]
    for job_id in ids:
        await client.reaches(job_id, "completed")
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await client.get("/api/jobs", search="paging 50%_", limit=2, **cursor)
        assert len(page["items"]) <= 2
        seen += [item["jobId"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == ids[::-1]
    assert (await client.get("/api/jobs", search="paging 50x"))["items"] == []
    both = await client.get("/api/jobs", search="paging", status=["completed", "failed"], mode="plan")
    assert len(both["items"]) == 5
    assert (await client.get("/api/jobs", search="paging", status="running"))["items"] == []
    assert (await client.get("/api/jobs", search="paging", variant="svd"))["items"] == []


async def test_the_record_tells_plan_result_and_what_every_node_took(client: Client) -> None:
    job_id = await client.submit({"plan": plan(echo("a", params={"value": 3}), noop("b", params={"value": 4}))})
    await client.reaches(job_id, "completed")
    record = await client.get(f"/api/jobs/{job_id}")
    assert record["result"] == {"b": {"value": {"n": 4, "attempt": 1, "got": None}}}
    assert set(record["actual"]) == {"a", "b"}
    assert record["artifacts"] == record["approvals"] == []


async def test_events_can_be_read_in_pages_after_a_seq(client: Client) -> None:
    job_id = await client.submit({"plan": six()})
    await client.reaches(job_id, "completed")
    whole = await client.log(job_id)
    page = await client.get(f"/api/jobs/{job_id}/events", after=3, limit=2)
    assert page["items"] == whole[3:5]
    assert page["next"] == 5
    assert (await client.get(f"/api/jobs/{job_id}/events", after=len(whole)))["items"] == []


async def test_a_cancel_stops_the_running_node_and_may_be_repeated(client: Client, fake_worker: FakeWorker) -> None:
    body = plan(noop("held", params={"hold": "cancel"}), noop("later"))
    job_id = await client.submit({"plan": body})
    while not fake_worker.claims_of(job_id):
        await asyncio.sleep(0.01)
    answers = [await client.http.post(f"/api/jobs/{job_id}/cancel") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == {"jobId": job_id, "status": "cancelling"}
    status = await client.reaches(job_id, "cancelled")
    assert node(status, "held")["status"] == "cancelled"
    assert node(status, "later")["status"] == "skipped"
    again = await client.http.post(f"/api/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()["status"]) == (202, "cancelled")
    types = [item["type"] for item in await client.log(job_id)]
    assert types.count("job.cancelling") == types.count("job.cancelled") == 1


async def test_a_failure_parks_its_successors_while_siblings_run_on(client: Client, fake_worker: FakeWorker) -> None:
    nodes = [echo("bad", task="test.fails"), noop("good", params={"hold": "sibling"}), echo("after"), echo("join")]
    pairs = [("bad", "join"), ("good", "after"), ("after", "join")]
    job_id = await client.submit({"plan": plan(*nodes, edges=pairs)})
    while not fake_worker.claims_of(job_id):
        await asyncio.sleep(0.01)
    assert (await client.get(f"/api/status/{job_id}"))["status"] == "running"
    fake_worker.let_go("sibling")
    status = await client.reaches(job_id, "failed")
    assert status["error"]["code"] == "told_to_fail"
    assert status["error"]["node"] == "bad"
    assert [node(status, i)["status"] for i in ("bad", "good", "after", "join")] == [
        "failed", "completed", "completed", "skipped",
    ]  # fmt: skip


async def test_a_retry_with_edited_params_keeps_what_was_completed(client: Client, fake_worker: FakeWorker) -> None:
    body = plan(noop("kept"), noop("again", params={"fails": 9, "value": 1}), echo("end"))
    job_id = await client.submit({"plan": body})
    failed = await client.reaches(job_id, "failed")
    assert failed["error"]["node"] == "again"
    answer = await client.http.post(f"/api/jobs/{job_id}/retry", json={"params": {"again": {"fails": 0}}})
    assert (answer.status_code, answer.json()) == (202, {"jobId": job_id, "status": "running"})
    status = await client.reaches(job_id, "completed")
    assert status["error"] is None
    assert fake_worker.claims_of(job_id) == ["kept", "again", "again"]
    record = await client.get(f"/api/jobs/{job_id}")
    assert record["planDigest"] == (await client.get(f"/api/jobs/{job_id}"))["plan"]["metadata"]["digest"]
    retried = next(item for item in await client.log(job_id) if item["type"] == "job.retried")
    assert retried["data"]["params"] == {"again": {"fails": 0}}


async def test_a_failed_control_node_is_retried_too(client: Client) -> None:
    job_id = await client.submit({"plan": plan(echo("a", task="test.fails"), echo("b"))})
    await client.reaches(job_id, "failed")
    await client.http.post(f"/api/jobs/{job_id}/retry", json={"params": {"a": {"times": 0}}})
    await client.reaches(job_id, "completed")


async def test_only_failed_nodes_of_a_failed_job_can_be_retried(client: Client) -> None:
    job_id = await client.submit({"plan": plan(echo("a"), echo("b", task="test.fails"))})
    await client.reaches(job_id, "failed")
    answer = await client.http.post(f"/api/jobs/{job_id}/retry", json={"params": {"a": {"value": 1}}})
    assert answer.status_code == 422
    assert answer.json()["error"]["allowed"] == ["b"]
    good = await client.submit({"plan": plan(echo("a"))})
    await client.reaches(good, "completed")
    answer = await client.http.post(f"/api/jobs/{good}/retry")
    assert answer.status_code == 409
    assert answer.json()["error"]["got"] == "completed"


async def test_a_gate_waits_for_a_person_and_passes_on_the_edited_value(client: Client) -> None:
    body = plan(GATE, USE, script=SCRIPT)
    job_id = await client.submit({"plan": body})
    await client.reaches(job_id, "awaiting_approval")
    (open_,) = (await client.get(f"/api/jobs/{job_id}"))["approvals"]
    assert open_["question"] == {"question": "Good?", "value": SCRIPT}
    edited = {**SCRIPT, "narrative": "Something is here."}
    answer = {"node": "gate", "questionHash": open_["questionHash"], "decision": "approve", "value": edited}
    stale = await client.http.post(f"/api/jobs/{job_id}/approve", json={**answer, "questionHash": "0" * 64})
    assert stale.status_code == 409
    assert stale.json()["error"]["allowed"] == open_["questionHash"]
    both = await asyncio.gather(*(client.http.post(f"/api/jobs/{job_id}/approve", json=answer) for _ in range(2)))
    assert sorted(each.status_code for each in both) == [202, 409]
    await client.reaches(job_id, "completed")
    record = await client.get(f"/api/jobs/{job_id}")
    assert record["result"]["use"]["value"]["got"] == edited
    assert record["script"] == edited
    types = [item["type"] for item in await client.log(job_id)]
    assert types.count("approval.requested") == types.count("approval.answered") == 1


async def test_a_rejected_gate_fails_the_job_and_a_retry_asks_again(client: Client) -> None:
    job_id = await client.submit({"plan": plan(GATE, USE, script=SCRIPT)})
    await client.reaches(job_id, "awaiting_approval")
    (open_,) = (await client.get(f"/api/jobs/{job_id}"))["approvals"]
    answer = {"node": "gate", "questionHash": open_["questionHash"], "decision": "reject"}
    assert (await client.http.post(f"/api/jobs/{job_id}/approve", json=answer)).status_code == 202
    failed = await client.reaches(job_id, "failed")
    assert failed["error"]["code"] == "rejected"
    assert (await client.http.post(f"/api/jobs/{job_id}/retry")).status_code == 202
    await client.reaches(job_id, "awaiting_approval")
    (again,) = (await client.get(f"/api/jobs/{job_id}"))["approvals"]
    assert again["status"] == "open"
    answer = {**answer, "questionHash": again["questionHash"], "decision": "approve"}
    assert (await client.http.post(f"/api/jobs/{job_id}/approve", json=answer)).status_code == 202
    await client.reaches(job_id, "completed")
    asked = [item for item in await client.log(job_id) if item["type"] == "approval.requested"]
    assert [item["data"]["questionHash"] for item in asked] == [open_["questionHash"]] * 2
    assert asked[0]["data"]["question"] == asked[1]["data"]["question"]


async def test_an_answer_that_is_no_script_is_refused(client: Client) -> None:
    job_id = await client.submit({"plan": plan(GATE, USE, script=SCRIPT)})
    await client.reaches(job_id, "awaiting_approval")
    (open_,) = (await client.get(f"/api/jobs/{job_id}"))["approvals"]
    for value in ("a text", {"stage": "x", "narrative": ""}, {"stage": "x"}):
        answer = {"node": "gate", "questionHash": open_["questionHash"], "decision": "approve", "value": value}
        refused = await client.http.post(f"/api/jobs/{job_id}/approve", json=answer)
        assert refused.status_code == 422, refused.text
        assert refused.json()["error"]["path"].startswith("/value")
    assert (await client.get(f"/api/status/{job_id}"))["status"] == "awaiting_approval"
    await client.http.post(f"/api/jobs/{job_id}/cancel")
    await client.reaches(job_id, "cancelled")


async def test_a_fan_out_gathers_in_order_and_an_empty_one_goes_on(client: Client) -> None:
    for count in (0, 12):
        nodes = [
            echo("list", params={"items": count}),
            noop("each", foreach="list.items", inputs={"value": "list.items"}),
            echo("all", inputs={"items": "each.value"}),
        ]
        job_id = await client.submit({"plan": plan(*nodes)})
        await client.reaches(job_id, "completed")
        record = await client.get(f"/api/jobs/{job_id}")
        found = next(item for item in record["nodes"] if item["id"] == "each")
        assert found["progress"] == 1.0 or count == 0
        assert found["status"] == "completed", found
    job_id = await client.submit({"plan": plan(*nodes[:2])})
    await client.reaches(job_id, "completed")
    result = (await client.get(f"/api/jobs/{job_id}"))["result"]
    assert [item["value"]["got"] for item in result["each"]] == [{"n": n} for n in range(12)]


async def test_a_slow_control_node_runs_beside_the_engine(client: Client) -> None:
    job_id = await client.submit({"plan": plan(echo("slow", task="test.slow", params={"value": 5}), echo("b"))})
    status = await client.reaches(job_id, "completed")
    assert node(status, "slow")["attempt"] == 1
    types = [(item["type"], item.get("node")) for item in await client.log(job_id)]
    assert ("node.running", "slow") in types


async def test_metrics_ready_and_capabilities_answer(client: Client) -> None:
    ready = await client.get("/ready")
    assert ready == {"status": "ready", "checks": {"postgres": True, "s3": True, "worker": True, "redis": True}}
    text = (await client.http.get("/metrics")).text
    assert 'http_requests_total{route="/ready",status="200"}' in text
    live = await client.get("/api/capabilities")
    assert live["python"]["train_lora"]["reason"]
    assert live["python"]["render_video"]["variants"] == ["svd", "sadtalker"]
    (worker,) = (await client.get("/api/workers"))["items"]
    assert worker["tasks"] == ["noop", "read_script", "render_video"]


async def test_the_openapi_document_lists_every_route(client: Client) -> None:
    paths = (await client.get("/openapi.json"))["paths"]
    wanted = {
        "/api/train": "post", "/api/generate": "post", "/api/jobs": "post", "/api/plan": "post",
        "/api/status/{job_id}": "get", "/api/jobs/{job_id}": "get", "/api/jobs/{job_id}/cancel": "post",
        "/api/jobs/{job_id}/retry": "post", "/api/jobs/{job_id}/approve": "post", "/api/jobs/{job_id}/events": "get",
        "/api/uploads": "post", "/api/artifacts/{artifact_id}": "get", "/api/profiles": "get",
        "/api/templates": "get", "/api/capabilities": "get", "/api/workers": "get", "/health": "get",
        "/ready": "get", "/metrics": "get",
    }  # fmt: skip
    assert {path for path, verb in wanted.items() if verb not in paths.get(path, {})} == set()
    assert "get" in paths["/api/jobs"]


def test_a_bind_beyond_loopback_without_a_key_is_refused_at_start() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REELGRAPH_")}
    environment |= {"REELGRAPH_API_HOST": "0.0.0.0", "REELGRAPH_API_DSN": "postgresql://x", "REELGRAPH_API_PORT": "1"}
    for name in ("REDIS_URL", "S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        environment[f"REELGRAPH_API_{name}"] = "x"
    ended = subprocess.run([sys.executable, "-m", "control_api"], env=environment, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "REELGRAPH_API_API_KEY" in ended.stderr


def test_every_missing_setting_is_named_at_once() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REELGRAPH_")}
    ended = subprocess.run([sys.executable, "-m", "control_api"], env=environment, capture_output=True, text=True)
    assert ended.returncode == 2
    assert {"REELGRAPH_API_DSN", "REELGRAPH_API_REDIS_URL", "REELGRAPH_API_S3_ENDPOINT"} <= {
        line.partition(":")[0] for line in ended.stderr.splitlines()
    }


@pytest.fixture(scope="module")
def locked_api(platform: Any) -> Any:
    """A second replica on the same database, which wants a key."""
    with running_api(platform.api.addresses, API_KEY="a-secret-key") as api:
        yield api


async def test_with_a_key_every_api_route_wants_it(locked_api: Api) -> None:
    async with httpx.AsyncClient(base_url=locked_api.url) as http:
        for method, path in [("GET", "/api/jobs"), ("POST", "/api/plan"), ("GET", "/api/capabilities")]:
            refused = await http.request(method, path)
            assert refused.status_code == 401, path
            assert refused.json()["error"]["code"] == "unauthorised"
        wrong = await http.get("/api/jobs", headers={"Authorization": "Bearer wrong-\u00e9".encode()})
        assert wrong.status_code == 401
        assert (await http.get("/api/jobs", headers={"Authorization": "Bearer a-secret-key"})).status_code == 200
        assert (await http.get("/api/jobs", headers={"X-API-Key": "a-secret-key"})).status_code == 200
        assert (await http.get("/health")).status_code == 200


async def test_a_job_that_one_replica_took_is_seen_by_the_other(client: Client, locked_api: Api) -> None:
    job_id = await client.submit({"plan": six()})
    await client.reaches(job_id, "completed")
    async with httpx.AsyncClient(base_url=locked_api.url, headers={"X-API-Key": "a-secret-key"}) as http:
        assert (await http.get(f"/api/status/{job_id}")).json()["status"] == "completed"


async def test_a_page_of_another_site_may_not_submit(client: Client) -> None:
    answer = await client.http.post(
        "/api/jobs", json={"plan": plan(echo("a"))}, headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "foreign_origin"
    rebound = await client.http.get("/api/jobs", headers={"Host": "evil.example"})
    assert rebound.status_code == 403


async def test_our_own_page_may_submit(client: Client) -> None:
    own = f"http://{client.http.base_url.netloc.decode()}"
    answer = await client.http.post("/api/jobs", json={"plan": plan(echo("a"))}, headers={"Origin": own})
    assert answer.status_code == 202
