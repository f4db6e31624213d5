"""The difference of two plans: what was added, removed and changed, and one line that says it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.diff import diff
from planner.validator import read_plan
from schemas.planning import PlanChange, PlanDiff
from tests.valid_plans import valid_case

BEFORE: dict[str, Any] = {
    "workflow_id": "w",
    "nodes": [
        {"id": "script", "task": "write", "plane": "node", "inputs": {"topic": "request.topic"}},
        {"id": "render", "task": "film", "plane": "python", "params": {"fps": 25, "length": 20.0, "a/b": 1},
         "inputs": {"script": "script.script"}, "progress_weight": 0.5},
        {"id": "register", "task": "keep", "plane": "node", "inputs": {"video": "render.video"}},
    ],
    "edges": [{"from": "script", "to": "render"}, {"from": "render", "to": "register"}],
    "context": {"topic": "tea", "images": ["s3://uploads/u1/a.png"]},
}  # fmt: skip


def compared(after: dict[str, Any], before: dict[str, Any] = BEFORE) -> PlanDiff:
    return diff(read_plan(before), read_plan({"workflow_id": "w", **after}))


def test_equal_plans_differ_in_nothing() -> None:
    nodes = [{**node, "progress_weight": 0.9, "timeout_s": 5} for node in BEFORE["nodes"]]
    assert compared({**BEFORE, "nodes": nodes}) == PlanDiff(summary="the plan stays as it was")


def test_added_and_removed_nodes_and_edges_are_named() -> None:
    voice = {"id": "voice", "task": "train", "plane": "python"}
    after = {
        **BEFORE,
        "nodes": [*BEFORE["nodes"][:2], voice],
        "edges": [*BEFORE["edges"][:1], {"from": "voice", "to": "render"}],
    }
    found = compared(after)
    assert (found.nodes_added, found.nodes_removed) == (("voice",), ("register",))
    assert (found.edges_added, found.edges_removed) == (("voice -> render",), ("render -> register",))
    assert found.summary == "adds voice; removes register"


def test_params_bindings_and_context_are_told_by_path_with_both_values() -> None:
    script, render, register = BEFORE["nodes"]
    changed = {**render, "params": {"length": 10, "fps": 25, "a/b": 2, "style": "calm"}, "foreach": "request.images"}
    rebound = {**register, "inputs": {"video": "script.video"}, "task": "store"}
    found = compared({**BEFORE, "nodes": [script, changed, rebound], "context": {"topic": "bees", "language": "de"}})
    assert found.params == (
        PlanChange(path="/nodes/render/params/length", before=20.0, after=10),
        PlanChange(path="/nodes/render/params/a~1b", before=1, after=2),
        PlanChange(path="/nodes/render/params/style", before=None, after="calm"),
    )
    assert found.bindings == (
        PlanChange(path="/nodes/render/foreach", before=None, after="request.images"),
        PlanChange(path="/nodes/register/task", before="keep", after="store"),
        PlanChange(path="/nodes/register/inputs/video", before="render.video", after="script.video"),
    )
    assert [change.path for change in found.context] == ["/context/topic", "/context/images", "/context/language"]
    assert found.summary == (
        "render.length 20 -> 10; render.a/b 1 -> 2; render.style none -> calm; render.foreach none -> request.images; "
        "register.task keep -> store; register.video render.video -> script.video; and 3 more"
    )


def test_of_a_long_value_the_summary_says_only_that_it_differs() -> None:
    goal = "a very long goal that goes on and on and on"
    assert compared({**BEFORE, "context": {**BEFORE["context"], "goal": goal}}).summary == "goal differs"


@given(st.randoms(use_true_random=True))
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_backwards_it_is_the_other_way_round(random: Any) -> None:
    one, two = (read_plan(valid_case(random).plan) for _ in range(2))
    there, back = diff(one, two), diff(two, one)
    assert (there.nodes_added, there.edges_added) == (back.nodes_removed, back.edges_removed)
    swapped = {
        (change.path, str(change.after), str(change.before)) for change in back.params + back.bindings + back.context
    }
    assert {
        (change.path, str(change.before), str(change.after)) for change in there.params + there.bindings + there.context
    } == swapped
    assert diff(one, one).summary == "the plan stays as it was"
