"""The board: what is recorded, what is ready, what to write next, and the verdict."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.board import GATE_QUEUE, MAX_ITEMS, Board, Run
from schemas.errors import ValidationFailed
from schemas.plan import Plan
from schemas.states import JobStatus, RunStatus


def plan(*nodes: dict[str, Any], edges: list[tuple[str, str]] = [], **context: Any) -> Plan:  # noqa: B006
    return Plan.model_validate(
        {
            "workflow_id": "w",
            "nodes": [{"task": "t", "plane": "python", **node} for node in nodes],
            "edges": [{"from": source, "to": target} for source, target in edges],
            "context": context,
        }
    )


def run(path: str, status: RunStatus = RunStatus.SUCCEEDED, *, queue: str = "cpu", **facts: Any) -> Run:
    return Run(path, path.partition("#")[0], status, queue, **facts)


def board(of: Plan, *runs: Run) -> Board:
    found = Board(of)
    for one in runs:
        found.record(one)
    return found


def test_only_announced_nodes_without_a_row_are_created() -> None:
    b = board(plan({"id": "a"}, {"id": "b"}, {"id": "c"}), run("a", RunStatus.RUNNING))
    assert [work.path for work in b.to_create({"a": 1, "b": 1}, {})] == ["b"]
    assert b.to_create({"b": 1}, {"b": 1}) == []


def test_inputs_come_from_the_request_and_from_results() -> None:
    of = plan(
        {"id": "a"},
        {"id": "b", "inputs": {"topic": "request.deep.topic", "value": "a.out.n", "missing": "request.no.such"}},
        deep={"topic": "tides"},
    )
    (work,) = board(of, run("a", result={"out": {"n": 7}})).to_create({"b": 1}, {})
    assert work.inputs == {"topic": "tides", "value": 7}


def test_a_fan_out_makes_one_run_an_item_and_gathers_in_order() -> None:
    of = plan({"id": "each", "foreach": "request.items", "inputs": {"item": "request.items", "all": "request.other"}},
              {"id": "sum", "inputs": {"values": "each.n"}}, items=["x", "y", "z"], other=1)  # fmt: skip
    work = board(of).to_create({"each": 1}, {})
    assert [(item.path, item.inputs) for item in work] == [
        (f"each#{n:04d}", {"item": text, "all": 1}) for n, text in enumerate("xyz")
    ]
    done = board(of, *(run(f"each#{n:04d}", result={"n": n}) for n in (2, 0, 1)))
    assert done.to_write({"each": 1}, {}) == ["each"]
    assert done.to_create({"each": 1, "sum": 1}, {"each": 1})[0].inputs == {"values": [0, 1, 2]}


def test_a_fan_out_waits_for_every_item() -> None:
    of = plan({"id": "each", "foreach": "request.items"}, items=[1, 2])
    b = board(of, run("each#0000"), run("each#0001", RunStatus.RUNNING))
    assert b.to_write({"each": 1}, {}) == []


def test_a_fan_out_over_nothing_is_done_at_once() -> None:
    b = board(plan({"id": "each", "foreach": "request.items"}, items=[]))
    assert b.to_create({"each": 1}, {}) == []
    assert b.to_write({"each": 1}, {}) == ["each"]


@pytest.mark.parametrize(
    "items", ["text", None, {"a": 1}, list(range(MAX_ITEMS + 1))], ids=lambda each: type(each).__name__
)
def test_a_fan_out_over_no_list_or_too_long_a_one_is_refused(items: Any) -> None:
    b = board(plan({"id": "each", "foreach": "request.items"}, items=items))
    with pytest.raises(ValidationFailed):
        b.to_create({"each": 1}, {})


def test_a_later_record_of_a_run_replaces_the_earlier() -> None:
    b = board(plan({"id": "a"}), run("a", RunStatus.RUNNING), run("a", RunStatus.SUCCEEDED))
    assert b.to_write({"a": 1}, {}) == ["a"]


def test_a_job_is_running_while_a_sibling_of_a_failure_lives() -> None:
    of = plan({"id": "bad"}, {"id": "good"})
    failed = run("bad", RunStatus.FAILED, error={"code": "broken", "message": "m"})
    for status in (RunStatus.READY, RunStatus.DISPATCHED, RunStatus.RUNNING):
        assert board(of, failed, run("good", status)).verdict({}).status is JobStatus.RUNNING
    verdict = board(of, failed, run("good")).verdict({"good": 1})
    assert verdict.status is JobStatus.FAILED
    assert verdict.error == {"code": "broken", "message": "m", "node": "bad"}


def test_a_gate_holds_the_job_only_when_nothing_else_runs() -> None:
    of = plan({"id": "gate"}, {"id": "other"})
    gate = run("gate", RunStatus.READY, queue=GATE_QUEUE)
    assert board(of, gate, run("other", RunStatus.RUNNING)).verdict({}).status is JobStatus.RUNNING
    assert board(of, gate, run("other")).verdict({"other": 1}).status is JobStatus.AWAITING_APPROVAL


def test_a_dead_run_ends_the_job_as_poisoned() -> None:
    verdict = board(plan({"id": "a"}), run("a", RunStatus.DEAD)).verdict({})
    assert verdict.error is not None
    assert verdict.error["code"] == "poisoned"


def test_a_job_that_cannot_go_on_says_so() -> None:
    verdict = board(plan({"id": "a"})).verdict({})
    assert (verdict.status, (verdict.error or {})["code"]) == (JobStatus.FAILED, "stalled")


def test_the_result_holds_what_the_last_nodes_made() -> None:
    of = plan({"id": "a"}, {"id": "b"}, {"id": "c", "foreach": "request.items"}, edges=[("a", "b")], items=[1, 2])
    runs = [run("a", result={"x": 1}), run("b", result={"x": 2}), run("c#0001", result={"x": 4}),
            run("c#0000", result={"x": 3})]  # fmt: skip
    verdict = board(of, *runs).verdict({"a": 1, "b": 1, "c": 1})
    assert verdict.status is JobStatus.COMPLETED
    assert verdict.result == {"b": {"x": 2}, "c": [{"x": 3}, {"x": 4}]}


def test_an_uploaded_picture_reaches_its_task_as_a_reference() -> None:
    uri = "s3://uploads/me/1/face.png"
    b = board(plan({"id": "a", "inputs": {"images": "request.images"}}, images=[uri]))
    (work,) = b.to_create({"a": 1}, {})
    (ref,) = work.inputs["images"]
    assert (ref["uri"], ref["kind"], ref["name"]) == (uri, "image", "face.png")
