"""The validator over random plans and manifests: every mutation at its place, two at once, no valid plan refused."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from planner.validator import read_plan, validate
from schemas.capability import Manifest
from schemas.diagnostics import Code, Diagnostic
from schemas.planning import Constraints
from tests.plan_mutations import ANYTHING, MUTATIONS, Broken
from tests.valid_plans import Case, valid_case

RANDOMS = st.randoms(use_true_random=True)
QUICK = settings(max_examples=40, deadline=None, derandomize=True, database=None)
THOROUGH = settings(QUICK, max_examples=200)
NOT_OF_THE_PLAN = {Code.OVER_BUDGET, Code.CLAMPED, Code.UNSATISFIABLE_GOAL, Code.ASSUMED}
"""`over_budget` is judged with the quote (`planner/estimate.py`), the others refuse no plan."""
TRIES = 60


def judged(case: Case) -> list[Diagnostic]:
    constraints = Constraints.model_validate(case.constraints)
    return validate(read_plan(case.plan), manifest=Manifest.model_validate(case.manifest), constraints=constraints)


def breakable(random: Random, *names: str) -> tuple[Case, list[Broken]]:
    """Return a valid plan with these mutations, none of which stands in the way of another."""
    for _ in range(TRIES):
        case = valid_case(random)
        broken = [found for name in names if (found := MUTATIONS[name](case, random)) is not None]
        touched = [item for found in broken for item in found.touches]
        if len(broken) == len(names) and len(set(touched)) == len(touched):
            return case, broken
    assume(False)
    raise AssertionError


def is_told(problems: list[Diagnostic], broken: Broken) -> bool:
    """Tell whether the code stands at its place, with a name to use where one is near."""
    found = [item for item in problems if (item.code, item.path) == (broken.code, broken.path)]
    return bool(found) and (not broken.near or any("did you mean" in str(item.hint) for item in found))


@THOROUGH
@given(RANDOMS)
def test_a_valid_plan_is_never_refused(random: Random) -> None:
    assert judged(valid_case(random)) == []


@pytest.mark.parametrize("name", MUTATIONS)
@QUICK
@given(random=RANDOMS)
def test_a_mutation_is_caught_at_its_place_and_nothing_else_is_accused(name: str, random: Random) -> None:
    case, (broken,) = breakable(random, name)
    broken.apply(case)
    problems = judged(case)
    assert is_told(problems, broken), (broken, problems)
    assert all(item.message and item.hint for item in problems), problems
    others = [item for item in problems if (item.code, item.path) != (broken.code, broken.path)]
    wrong = [item for item in others if item.code not in broken.also]
    assert broken.also == ANYTHING or not wrong, (broken, wrong)


@THOROUGH
@given(RANDOMS, st.lists(st.sampled_from(sorted(MUTATIONS)), min_size=2, max_size=2, unique=True))
def test_two_independent_mutations_are_both_told_in_one_answer(random: Random, names: list[str]) -> None:
    case, both = breakable(random, *names)
    for broken in both:
        broken.apply(case)
    problems = judged(case)
    for broken in both:
        assert is_told(problems, broken), (broken, problems)


def test_every_code_of_the_design_has_a_mutation() -> None:
    random = Random(3)
    codes = {breakable(random, name)[1][0].code for name in MUTATIONS}
    assert codes == {code.value for code in Code} - {code.value for code in NOT_OF_THE_PLAN}


def test_the_items_of_a_list_are_taken_one_by_one_whatever_they_are() -> None:
    texts = {"type": "array", "kind": "text"}
    ports = {"one": {"type": "string", "kind": "text"}, "list": texts}
    manifest = {"python": {"split": {"outputs": {"lines": texts}}, "say": {"inputs": {"one": ports["one"]}}}}
    nodes = [
        {"id": "split", "task": "split", "plane": "python"},
        {"id": "say", "task": "say", "plane": "python", "foreach": "split.lines", "inputs": {"one": "split.lines"}},
    ]
    case = Case({"workflow_id": "w", "nodes": nodes, "edges": [{"from": "split", "to": "say"}]}, manifest)
    assert judged(case) == []
    case.manifest["python"]["say"]["inputs"]["one"] = ports["list"]
    assert [(item.code, item.path) for item in judged(case)] == [(Code.TYPE_MISMATCH, "/nodes/1/inputs/one")]


def test_a_variant_that_is_no_text_is_none_that_is_live() -> None:
    manifest = {"python": {"weave": {"variants": ["fine", "coarse"]}}}
    nodes = [{"id": "weave", "task": "weave", "plane": "python", "params": {"variant": 7}}]
    (problem,) = judged(Case({"workflow_id": "w", "nodes": nodes}, manifest))
    assert (problem.code, problem.path) == (Code.VARIANT_UNAVAILABLE, "/nodes/0/params/variant")
    assert problem.hint == "use fine or coarse"
