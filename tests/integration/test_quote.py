"""The quote of a job: from recorded runs, stored with the job, beside what happened."""

from __future__ import annotations

import time
from typing import Any

import pytest

from control_api.statistics import by_task
from tests.apps import Client, Rows, echo, noop, plan
from tests.fake_worker import FakeWorker


async def quote_of(client: Client, body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    answer = await client.http.post("/api/plan", json=body)
    assert answer.status_code == 200, answer.text
    return {item["node"]: item for item in answer.json()["estimate"]["nodes"]}


async def recorded(client: Client, body: dict[str, Any], node: str) -> dict[str, Any]:
    """Wait until the API, which reads the ledger now and then, has seen runs of the node's task."""
    ends_at = time.monotonic() + 10
    while (item := (await quote_of(client, body))[node])["source"] != "recorded":
        assert time.monotonic() < ends_at, item
    return item


async def test_the_second_quote_knows_the_first_run_and_the_record_shows_both(
    client: Client, fake_worker: FakeWorker
) -> None:
    body = {"plan": plan(echo("say"), noop("make", params={"value": 1}), goal="Twice")}
    first = await client.submit(body)
    await client.reaches(first, "completed")
    before = (await client.get(f"/api/jobs/{first}"))["quote"]
    assert {item["node"] for item in before["nodes"]} == {"say", "make"}
    assert all(item["actual_s"] is not None for item in before["nodes"])
    assert before["p50_s"] > 5 > before["actual_s"] > 0, "the defaults are for real work"

    known = await recorded(client, body, "make")
    assert known["runs"] >= 1
    second = await client.submit(body)
    await client.reaches(second, "completed")
    record = await client.get(f"/api/jobs/{second}")
    quote = {item["node"]: item for item in record["quote"]["nodes"]}
    assert quote["make"]["p50_s"] == pytest.approx(known["p50_s"], abs=0.5)
    assert quote["make"]["actual_s"] == record["actual"]["make"]
    assert record["quote"]["p50_s"] == record["estimate"]["p50_s"] < 2
    assert record["estimate"]["nodes"][1]["source"] == "recorded"


async def test_only_the_attempt_that_succeeded_counts_and_an_unfinished_job_took_nothing_yet(
    client: Client, rows: Rows
) -> None:
    failed = await client.submit({"plan": plan(noop("bad", params={"fails": 9}), goal="Fails")})
    await client.reaches(failed, "failed")
    assert (await client.get(f"/api/jobs/{failed}"))["quote"]["actual_s"] is None
    good = await client.submit({"plan": plan(noop("good"), goal="Good")})
    await client.reaches(good, "completed")
    rows.db.execute("delete from node_run where job_id <> %s", (good,))
    rows.db.execute(
        "insert into node_run select (jsonb_populate_record(r, jsonb_build_object('node_path', s, 'status', s,"
        " 'started_at', now() - interval '1 hour', 'ended_at', now()))).* from node_run r,"
        " unnest(array['failed', 'cancelled', 'dead']) s where r.job_id = %s",
        (good,),
    )
    found = by_task(statistics(rows))
    assert (found["noop"].runs, found["noop"].p50_s < 60) == (1, True)


async def test_runs_are_told_apart_by_variant_and_size(client: Client, rows: Rows) -> None:
    sizes = [("svd", 5, "720p"), ("svd", 10, "720p"), ("sadtalker", 5, "720p")]
    for variant, duration_s, resolution in sizes:
        params = {"variant": variant, "duration_seconds": duration_s, "resolution": resolution}
        node = {"id": "render", "task": "render_video", "plane": "python", "params": params,
                "inputs": {"script": "request.script"}}  # fmt: skip
        script = {"stage": "A void.", "narrative": "Nothing is here."}
        await client.reaches(await client.submit({"plan": plan(node, script=script)}), "completed")
    found = by_task(statistics(rows))
    assert found["render_video/svd"].runs == 2
    assert {(item.duration_s, item.resolution) for item in found["render_video/svd"].sizes} == {
        (5, "720p"), (10, "720p")
    }  # fmt: skip
    assert found["render_video/sadtalker"].runs == 1
    assert "render_video" not in found


async def test_a_budget_that_a_given_plan_cannot_keep_refuses_it_with_the_figures(client: Client) -> None:
    live = {"node": {}, "python": {"big": {"resources": {"vram_gib": 24}, "outputs": {"value": {}}, "machines": [
        {"worker": "gpu-1", "vram_gib": 16}]}}}  # fmt: skip
    body = {"plan": plan({"id": "a", "task": "big", "plane": "python"}), "capabilities_manifest": live}
    answer = await client.http.post("/api/plan", json=body)
    assert answer.status_code == 422
    (problem,) = answer.json()["error"]["diagnostics"]
    assert (problem["code"], problem["path"]) == ("over_budget", "/nodes/0")
    assert "gpu-1 has 16 of 24 GiB" in problem["message"]
    slow = {"plan": plan(noop("a")), "constraints": {"max_seconds": 0.0001}}
    for route in ("/api/plan", "/api/jobs"):
        refused = await client.http.post(route, json=slow)
        assert refused.status_code == 422
        assert refused.json()["error"]["diagnostics"][0]["path"] == "/constraints/max_seconds"


async def test_a_plan_is_checked_without_running_it_and_every_problem_is_told(client: Client, rows: Rows) -> None:
    before = rows.counts()
    good = await client.http.post("/api/plan", json={"plan": plan(echo("a"), noop("b"))})
    assert [node["id"] for node in good.json()["graph"]["nodes"]] == ["a", "b"]
    bad = plan(echo("a"), noop("b", task="nope"), noop("c", params={"ticks": "many"}))
    problems = (await client.http.post("/api/plan", json={"plan": bad})).json()["error"]["diagnostics"]
    assert {(item["code"], item["path"]) for item in problems} >= {
        ("unknown_task", "/nodes/1/task"), ("invalid_param", "/nodes/2/params/ticks")
    }  # fmt: skip
    form = (await client.http.post("/api/plan", json={"plan": {"nodes": [{"id": "9"}]}})).json()["error"]
    assert {"/workflow_id", "/nodes/0/task", "/nodes/0/id"} <= {item["path"] for item in form["diagnostics"]}
    for body in ({"plan": plan(echo("a")), "goal": "a video"}, {}, {"goal": " "}):
        assert (await client.http.post("/api/plan", json=body)).status_code == 422
    assert rows.counts() == before


def statistics(rows: Rows) -> list[dict[str, Any]]:
    """The rows of the query, as the API reads them."""
    from schemas.queries import queries

    return rows.db.execute(queries("jobs").run_statistics.sql).fetchall()
