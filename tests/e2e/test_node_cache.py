"""The node cache on the real stack: what was made before is taken over, shown as such, and never when it differs."""

from __future__ import annotations

import io
import uuid
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.e2e.test_from_file import completed
from tests.faults.live_stack import LiveStack, until


def node(node_id: str, *, params: dict[str, Any] | None = None, **inputs: str) -> dict[str, Any]:
    return {"id": node_id, "task": "test_stamp", "plane": "python", "params": params or {}, "inputs": inputs}


def plan(*nodes: dict[str, Any], **context: Any) -> dict[str, Any]:
    ids = {each["id"] for each in nodes}
    edges = [
        {"from": source, "to": each["id"]}
        for each in nodes
        for text in each["inputs"].values()
        if (source := text.partition(".")[0]) in ids
    ]
    return {"workflow_id": "stamps", "nodes": list(nodes), "edges": edges, "context": context}


def stamped(stack: LiveStack, document: dict[str, Any], **body: Any) -> dict[str, Any]:
    """Run the plan; return the record, with `cached`: the nodes that were taken over."""
    record = completed(stack, stack.submit({"plan": document, **body}))
    return record | {"cached": sorted(each["id"] for each in record["nodes"] if each.get("cached"))}


def texts(stack: LiveStack, record: dict[str, Any]) -> dict[str, str]:
    return {
        each["node"]: httpx.get(f"{stack.api}{each['url']}/content", follow_redirects=True, timeout=10).text
        for each in record["artifacts"]
    }


def picture(stack: LiveStack, colour: int, name: str = "one.png") -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (colour, 40, 90)).save(buffer, "PNG")
    answer = httpx.post(f"{stack.api}/api/uploads", files={"file": (name, buffer.getvalue())}, timeout=30)
    assert answer.status_code == 201, answer.text
    return answer.json()["uri"]


def test_a_second_job_takes_over_the_files_of_the_first_and_owns_them(stack: LiveStack) -> None:
    text = str(uuid.uuid4())
    document = plan(node("one", params={"text": text}), node("two", file="one.file"))
    first, second = stamped(stack, document), stamped(stack, document)
    assert (first["cached"], second["cached"]) == ([], ["one", "two"])
    assert texts(stack, first) == texts(stack, second), "a run would have written something new"
    assert {each["id"] for each in first["artifacts"]}.isdisjoint(each["id"] for each in second["artifacts"])
    taken = [
        event
        for event in stack.get(f"/api/jobs/{second['jobId']}/events")["items"]
        if (event.get("data") or {}).get("cached")
    ]
    assert [event["data"]["cached"] for event in taken] == [
        {"jobId": first["jobId"], "node": "one"},
        {"jobId": first["jobId"], "node": "two"},
    ]


def test_a_change_runs_what_depends_on_it_and_nothing_else(stack: LiveStack) -> None:
    text = str(uuid.uuid4())

    def changed(last: str) -> dict[str, Any]:
        return plan(
            node("one", params={"text": text}), node("side", params={"text": f"{text} side"}),
            node("two", params={"text": last}, file="one.file"),
        )  # fmt: skip

    stamped(stack, changed("a"))
    assert stamped(stack, changed("b"))["cached"] == ["one", "side"]
    assert stamped(stack, changed("a"))["cached"] == ["one", "side", "two"]


def test_a_default_that_is_spelled_out_changes_nothing(stack: LiveStack) -> None:
    uri = picture(stack, uuid.uuid4().int % 256, name=f"{uuid.uuid4()}.png")
    document = plan(node("one", image="request.picture"), picture=uri)
    spelled = plan(node("one", params={"text": "hello", "fails": 0}, image="request.picture"), picture=uri)
    stamped(stack, document)
    assert stamped(stack, spelled)["cached"] == ["one"]


def test_pictures_count_by_what_they_show(stack: LiveStack) -> None:
    text, colour = str(uuid.uuid4()), uuid.uuid4().int % 250

    def shown(uri: str) -> list[str]:
        return stamped(stack, plan(node("one", params={"text": text}, image="request.picture"), picture=uri))["cached"]

    first, again, other = (
        picture(stack, colour, "one.png"), picture(stack, colour, "two.png"), picture(stack, colour + 1, "one.png"),
    )  # fmt: skip
    assert shown(first) == []
    assert shown(again) == ["one"], "the same picture under another name"
    assert shown(other) == []


def test_cache_off_runs_everything_and_varies_the_seed(stack: LiveStack) -> None:
    document = plan(node("one", params={"text": str(uuid.uuid4())}))
    first, off = stamped(stack, document), stamped(stack, document, cache="off")
    assert off["cached"] == []
    assert texts(stack, off) != texts(stack, first)
    seeds = [record["result"]["one"]["seed"] for record in (first, off)]
    assert seeds[0] != seeds[1]
    node_off = {**document, "nodes": [{**document["nodes"][0], "cache": "off"}]}
    assert stamped(stack, node_off)["cached"] == []


def test_a_failure_is_never_taken_over(stack: LiveStack) -> None:
    document = plan(node("one", params={"text": str(uuid.uuid4()), "fails": 12}))
    for _ in range(2):
        job_id = stack.submit({"plan": document})
        until(lambda at=job_id: stack.get(f"/api/jobs/{at}")["status"] == "failed", within_s=30, what="the failure")
        assert not stack.get(f"/api/jobs/{job_id}")["nodes"][0].get("cached")


def test_edited_params_of_a_retry_are_not_stored_under_the_old_name(stack: LiveStack) -> None:
    text = str(uuid.uuid4())
    document = plan(node("one", params={"text": text, "fails": 12}))
    job_id = stack.submit({"plan": document})
    until(lambda: stack.get(f"/api/jobs/{job_id}")["status"] == "failed", within_s=30, what="the failure")
    answer = httpx.post(f"{stack.api}/api/jobs/{job_id}/retry", json={"params": {"one": {"fails": 0}}}, timeout=30)
    assert answer.status_code == 202, answer.text
    completed(stack, job_id)
    again = stack.submit({"plan": document})
    until(lambda: stack.get(f"/api/jobs/{again}")["status"] == "failed", within_s=30, what="the failure again")


def test_the_quote_knows_what_is_at_hand_before_anything_runs(stack: LiveStack) -> None:
    text = str(uuid.uuid4())
    document = plan(node("one", params={"text": text}), node("two", file="one.file"), node("new", file="two.file"))

    def quoted() -> list[str]:
        answer = httpx.post(f"{stack.api}/api/plan", json={"plan": document}, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()["estimate"]["cached"]

    assert quoted() == []
    stamped(stack, plan(node("one", params={"text": text}), node("two", file="one.file")))
    assert quoted() == ["one", "two"]
    record = stamped(stack, document)
    assert record["cached"] == ["one", "two"]
    assert record["estimate"]["cached"] == ["one", "two"]


def test_a_profile_counts_by_its_models_and_is_handed_through(stack: LiveStack) -> None:
    text = str(uuid.uuid4())
    make = {"id": "profile", "task": "profiles.resolveOrCreate", "plane": "node", "params": {}, "inputs": {}}
    document = plan(make, node("one", params={"text": text}, profile="profile.profile"))
    first, second = stamped(stack, document), stamped(stack, document)
    assert second["cached"] == ["one"], "another new profile, with nothing trained on it either"
    ids = [record["result"]["one"]["profile"]["id"] for record in (first, second)]
    assert ids[0] != ids[1], "each job has its own profile"


@pytest.mark.parametrize("value", ["maybe", 1])
def test_another_word_for_the_cache_is_refused(stack: LiveStack, value: Any) -> None:
    body = {"plan": plan(node("one")), "cache": value}
    answer = httpx.post(f"{stack.api}/api/jobs", json=body, timeout=30)
    assert answer.status_code == 422
    assert answer.json()["error"]["path"] == "/cache"
