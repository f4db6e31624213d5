"""Refining a plan over REST: the second request only says what to change."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.apps import Api, Client, noop, plan

GOAL = "Generate a 20-second humorous explainer about black holes."


async def asked(client: Client, status: int = 200, **body: Any) -> Any:
    answer = await client.http.post("/api/plan", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def param(graph: dict[str, Any], name: str) -> Any:
    return next(node["params"][name] for node in reversed(graph["nodes"]) if name in node["params"])


async def test_a_plan_is_refined_wish_by_wish_and_submitted(client: Client) -> None:
    first = await asked(client, goal=GOAL)
    assert "diff" not in first
    conversation = first["conversation"]

    shorter = await asked(client, goal="make it shorter, at 1080p", conversation=conversation)
    assert shorter["conversation"] == conversation
    assert shorter["changes"] == ["duration: 20 s -> 10 s", "resolution: 720p -> 1080p"]
    assert (param(shorter["graph"], "duration_seconds"), param(shorter["graph"], "resolution")) == (10, "1080p")
    changed = {(change["path"], change["before"], change["after"]) for change in shorter["diff"]["params"]}
    assert ("/nodes/render/params/duration_seconds", 20.0, 10.0) in changed

    answer = await client.http.post(
        "/api/jobs", json={"goal": "as a talking portrait, about bees instead", "conversation": conversation}
    )
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    assert accepted["conversation"] == conversation
    assert "topic black holes -> bees" in accepted["diff"]["summary"]
    record = await client.get(f"/api/jobs/{accepted['jobId']}")
    assert record["title"] == "Generate a 10-second humorous explainer about bees. 1080p."
    assert record["variant"] == "sadtalker"
    await client.http.post(f"/api/jobs/{accepted['jobId']}/cancel")

    longer = await asked(client, goal="longer", conversation=conversation)
    assert longer["changes"] == ["duration: 10 s -> 20 s"]
    assert longer["graph"]["context"]["topic"] == "bees"


async def test_a_job_starts_a_conversation_of_its_own(client: Client) -> None:
    answer = (await client.http.post("/api/jobs", json={"goal": GOAL})).json()
    await client.http.post(f"/api/jobs/{answer['jobId']}/cancel")
    refined = await asked(client, goal="5 seconds longer", conversation=answer["conversation"])
    assert refined["changes"] == ["duration: 20 s -> 25 s"]


async def test_a_refused_wish_leaves_the_conversation_as_it_was(client: Client) -> None:
    conversation = (await asked(client, goal=GOAL))["conversation"]
    error = (await asked(client, 422, goal="shorter", requested_variant="hologram", conversation=conversation))["error"]
    assert error["code"] == "variant_unavailable"
    assert (await asked(client, goal="longer", conversation=conversation))["changes"] == ["duration: 20 s -> 40 s"]


@pytest.mark.parametrize("id", ["3f333df6-90a4-4fda-8dd3-9485d27cee36", "nonsense", "../../x"])
async def test_an_unknown_conversation_is_not_found_with_a_hint(client: Client, id: str) -> None:
    for path in ("/api/plan", "/api/jobs"):
        answer = await client.http.post(path, json={"goal": "shorter", "conversation": id})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["path"]) == (404, "not_found", "/conversation")
        assert "say the whole goal" in error["hint"]


async def test_a_plan_has_no_conversation(client: Client) -> None:
    answer = (await client.http.post("/api/jobs", json={"plan": plan(noop("a"))})).json()
    assert set(answer) == {"jobId", "status"}
    both = {"plan": plan(noop("a")), "conversation": "3f333df6-90a4-4fda-8dd3-9485d27cee36"}
    error = (await client.http.post("/api/jobs", json=both)).json()["error"]
    assert error["code"] == "validation_error"
    assert "goes on with a goal" in error["message"]


def test_the_command_line_shows_what_a_wish_changes(api: Api) -> None:
    def said(*arguments: str) -> str:
        command = [sys.executable, "-m", "compose.cli", "plan", *arguments]
        return subprocess.run([*command, "--api", api.url], check=True, capture_output=True, text=True).stdout

    conversation = json.loads(said(GOAL, "--json"))["conversation"]
    printed = said("shorter and in German", "--conversation", conversation)
    assert "changed: duration: 20 s -> 10 s; language: en -> de" in printed
    assert "render.duration_seconds 20 -> 10" in printed
    assert f"--conversation {conversation}" in printed
