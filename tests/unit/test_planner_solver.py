"""The solver: any wanted result from any advertised tasks, the cheapest way, or the proof that there is none."""

from __future__ import annotations

import random
from typing import Any

import pytest

from planner.plan import plan
from planner.solver.chain import Stock, derive, used
from planner.validator import validate
from schemas.capability import Capability, Manifest, Port
from schemas.contracts.table import Advertised, contracts
from schemas.errors import UnsatisfiableGoal
from schemas.plan import Plan
from schemas.planning import PlanRequest, PlanResponse, RunStatistics

EVERYTHING = Manifest.model_validate(
    {
        plane: {
            name: {} for name, contract in contracts().items() if contract.plane == plane and name != contract.alias
        }
        for plane in ("node", "python")
    }
)


def planned(
    goal: str, *, add: dict[str, Any] | None = None, live: Manifest = EVERYTHING, **fields: Any
) -> PlanResponse:
    manifest = live.model_copy(
        update={"python": {**live.python, **Manifest.model_validate({"python": add or {}}).python}}
    )
    statistics = fields.pop("statistics", {})
    response = plan(PlanRequest(goal=goal, **fields), manifest=manifest, templates={}, statistics=statistics)
    assert validate(Plan.model_validate(response.graph), manifest=manifest) == []
    return response


def tasks(response: PlanResponse) -> list[str]:
    return [node["task"] for node in response.graph["nodes"]]


def pairs(response: PlanResponse) -> set[tuple[str, str]]:
    name = {node["id"]: node["task"] for node in response.graph["nodes"]}
    return {(name[edge["from"]], name[edge["to"]]) for edge in response.graph["edges"]}


def own(description: str, takes: dict[str, str], yields: dict[str, str], **more: Any) -> dict[str, Any]:
    ports = lambda kinds: {name: {"type": kind} for name, kind in kinds.items()}  # noqa: E731
    return {"description": description, "inputs": ports(takes), "outputs": ports(yields), **more}


def test_manim_runs_only_what_was_validated() -> None:
    response = planned("A Manim animation of the Pythagorean theorem")
    assert ("manim.validateScript", "render_manim") in pairs(response)
    assert tasks(response)[-1] == "artifacts.registerOutputs"


def test_both_trainings_run_side_by_side_before_the_video_that_uses_them() -> None:
    inputs = {"images": ["s3://uploads/u/a.png"], "audio": ["s3://uploads/u/a.wav"]}
    response = planned("Train my look and my voice, then make a video about bees", inputs=inputs)
    found = pairs(response)
    assert {("train_lora", "render_video"), ("train_voice", "render_video")} <= found
    assert not {("train_lora", "train_voice"), ("train_voice", "train_lora")} & found
    render = next(node for node in response.graph["nodes"] if node["task"] == "render_video")
    assert {"lora", "voice", "profile"} <= set(render["inputs"])


def test_two_deliverables_share_no_more_than_they_must() -> None:
    response = planned("A 3D model of a lantern and a 10 second video about lanterns")
    assert {"image_to_3d", "render_video", "text_to_image"} <= set(tasks(response))
    assert ("image_to_3d", "render_video") not in pairs(response)


def test_a_task_never_seen_before_is_found_by_its_description() -> None:
    music = {"zomu": own("Compose a calm piece of background music.", {"mood": "string"}, {"tune": "object"})}
    response = planned("something soothing to play in the background of my yoga class, music please", add=music)
    assert tasks(response)[0] == "zomu"
    assert response.graph["nodes"][0]["inputs"] == {"mood": "request.goal"}


def test_the_cheaper_way_wins_by_nodes_and_then_by_recorded_seconds() -> None:
    add = {
        "direct": own("Look up the relatives of a person.", {"q": "string"}, {"kin": "object"}),
        "records": own("Search church records.", {"q": "string"}, {"raw": "object"}),
        "read": own("Work out relatives from records.", {"raw": "object"}, {"kin": "object"}),
        "draw": own("Draw a family tree poster.", {"kin": "object"}, {"tree": "object"}),
    }
    live = Manifest()
    goal = "a family tree poster for the Lindqvists"
    assert tasks(planned(goal, add=add, live=live)) == ["direct", "draw"]
    slow = {"direct": RunStatistics(p50_s=900, p90_s=999, runs=9)}
    assert tasks(planned(goal, add=add, live=live, statistics=slow)) == ["records", "read", "draw"]


def test_cyclic_contracts_end_with_what_is_missing() -> None:
    add = {
        "hen_maker": own("Raise a hen from an egg.", {"egg": "object"}, {"hen": "object"}),
        "egg_maker": own("Lay an egg.", {"hen": "object"}, {"egg": "object"}),
    }
    with pytest.raises(UnsatisfiableGoal) as refused:
        planned("please lay an egg", add=add, live=Manifest())
    assert {item.path for item in refused.value.body.diagnostics or []} == {"/inputs/hen", "/inputs/egg"}
    response = planned("please lay an egg", add=add, live=Manifest(), inputs={"hen": "s3://uploads/u/hen.json"})
    assert tasks(response) == ["egg_maker"]


@pytest.mark.parametrize("missing", ["manim.validateScript", "explanation.refine", "render_manim"])
def test_a_refusal_names_the_missing_link(missing: str) -> None:
    without = EVERYTHING.model_copy(
        update={plane: {name: entry for name, entry in getattr(EVERYTHING, plane).items() if name != missing}
                for plane in ("node", "python")}
    )  # fmt: skip
    with pytest.raises(UnsatisfiableGoal, match=missing):
        planned("A Manim animation of the Pythagorean theorem", live=without)


def test_two_hundred_irrelevant_tasks_change_nothing() -> None:
    rng = random.Random(7)
    words = [
        "ledger",
        "soil",
        "tariff",
        "rota",
        "knot",
        "sonar",
        "guild",
        "quota",
        "ferry",
        "bolt",
        "enzyme",
        "statute",
    ]
    noise = {
        f"noise{n}": own(f"Reconcile the {rng.choice(words)} {rng.choice(words)} of a depot.", {f"i{n}": "object"}, {f"o{n}": "object"})
        for n in range(200)
    }  # fmt: skip
    for goal in ("A 3D model of a lantern", "A video about bees", "An SVG of the water cycle"):
        assert planned(goal, add=noise).graph["nodes"] == planned(goal).graph["nodes"]


def test_a_thousand_tasks_in_a_random_graph_are_derived_each_from_derived_ones() -> None:
    rng = random.Random(3)
    found = {
        f"t{n}": Advertised(f"t{n}", "python", Capability(
            inputs={f"k{rng.randrange(400)}": Port(type="object") for _ in range(rng.randrange(4))},
            outputs={f"k{rng.randrange(400)}": Port(type="object")},
        ))
        for n in range(1000)
    }  # fmt: skip
    stock = Stock(at_hand=lambda name, port: None, values=lambda name, port: None)
    derived = derive(found, stock=stock, seconds=lambda task: 1.0)
    assert 50 < len(derived) < 1000
    for name, derivation in derived.items():
        assert set(derivation.sources) == set(found[name].capability.inputs or {})
        before = used(name, derived)
        assert before[-1] == name
        assert len(before) == len(set(before))
