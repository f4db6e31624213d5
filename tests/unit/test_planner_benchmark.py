"""The benchmark's dev split, as a floor under the planner: what it reaches is in docs/benchmarks/planner.md."""

from __future__ import annotations

from functools import cache

import pytest

from bench.planner import Result, run, summary
from bench.planner_cases import Advertised, Case, Expected, faults, load
from graphs.template_registry import load_templates

FEWEST_CASES = 250


@cache
def results(mode: str) -> tuple[Result, ...]:
    templates = load_templates().by_name
    cases = [case for case in load(seed=1) if case.split == "dev"]
    return tuple(run(case, mode=mode, templates=templates) for case in (cases if mode == "auto" else cases[::6]))


def test_every_emitted_plan_is_valid_and_uses_live_tasks_only() -> None:
    found = summary(list(results("auto")))
    assert found["cases"] >= FEWEST_CASES
    assert (found["valid"], found["forbidden_rate"]) == (1.0, 0.0)


def test_nearly_every_goal_is_resolved_without_a_language_model() -> None:
    found = summary(list(results("auto")))
    wrong = [f"{item.case.id}: {'; '.join(item.faults)}" for item in results("auto") if item.faults]
    assert found["resolve"] >= 0.95, wrong
    assert min(found["refusal_precision"], found["refusal_recall"]) >= 0.95, wrong


def test_templates_alone_are_clearly_not_enough() -> None:
    """Else the benchmark is too easy."""
    only_templates = summary(list(results("template")))["resolve"]
    assert only_templates < summary(list(results("solver")))["resolve"] - 0.3


def test_the_identifiers_in_braces_are_fresh_for_every_seed() -> None:
    one, two = ({case.id: case.request() for case in load(seed=seed)} for seed in (1, 2))
    assert one.keys() == two.keys()
    changed = [name for name in one if one[name] != two[name]]
    assert len(changed) >= 60


@pytest.mark.parametrize(
    ("expect", "wrong"),
    [
        ({"include": ["render_manim"]}, "misses render_manim"),
        ({"exclude": ["render_video"]}, "has render_video"),
        ({"order": [["render_video", "script.generateScript"]]}, "does not come before"),
        ({"params": {"render_video": {"duration_seconds": 7}}}, "not 7"),
        ({"error": "unsatisfiable_goal"}, "a plan was emitted"),
        ({"remarks": ["clamped"]}, "no clamped"),
    ],
)
def test_the_judge_sees_what_is_wrong(expect: dict[str, object], wrong: str) -> None:
    case = Case(
        id="x", group="x", goal="A 20-second video about bees", manifest=Advertised(systems=("video",)),
        expect=Expected.model_validate(expect),
    )  # fmt: skip
    assert wrong in " ".join(run(case, mode="auto", templates=load_templates().by_name).faults)
    refused = faults(case, status=422, answer={"error": {"code": "validation_error", "message": "no"}})
    assert refused
