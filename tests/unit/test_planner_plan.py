"""The planner as a whole: the graphs of the seed, clamping, strategies in turn, templates, spellings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.plan import plan, plan_from_template
from planner.strategy import Proposal, Situation
from planner.validator import read_plan, validate
from schemas.capability import Manifest
from schemas.contracts.table import contracts
from schemas.diagnostics import Code
from schemas.errors import UnsatisfiableGoal, ValidationFailed, VariantUnavailable
from schemas.plan import Plan
from schemas.planning import Constraints, PlanRequest
from tests.planned import (
    AUDIO,
    IMAGES,
    MANIFEST,
    TEMPLATES,
    edges,
    ids,
    manifest,
    params,
    planned,
    refusal,
    told,
)


def test_the_goal_of_the_seed_gives_the_graph_of_the_seed() -> None:
    response = planned(
        user_context={"user_id": "u123", "profile_id": "p001", "style": "playful"},
        requested_variant="svd",
        constraints={"max_duration_seconds": 20, "max_resolution": "720p"},
    )
    assert response.graph["workflow_id"] == "generate_v1"
    assert [(node["id"], node["task"], node["plane"]) for node in response.graph["nodes"]] == [
        ("script", "script.generateScript", "node"),
        ("profile", "profiles.loadExisting", "node"),
        ("pipeline", "planner.selectPipeline", "node"),
        ("render", "render_video", "python"),
        ("register", "artifacts.registerOutputs", "node"),
    ]
    assert edges(response) == [
        ("script", "profile"), ("profile", "pipeline"), ("pipeline", "render"), ("render", "register"),
    ]  # fmt: skip
    assert params(response) == {
        "variant": "svd", "duration_seconds": 20.0, "resolution": "720p", "style": "humorous, playful",
    }  # fmt: skip
    assert response.graph["context"]["topic"] == "black holes"
    assert response.diagnostics == ()
    assert "black holes" in response.rationale
    assert sum(node["progress_weight"] for node in response.graph["nodes"]) == pytest.approx(1)


def test_the_manifest_of_the_seed_is_enough_and_what_it_lacks_is_left_out() -> None:
    response = planned(
        user_context={"profile_id": "p001"},
        capabilities_manifest={
            "python": {"train_lora": {"enabled": True}, "render_video": {"variants": ["svd", "sadtalker"]}},
            "node": {"script.generateScript": {"enabled": True}},
        },
    )
    assert edges(response) == [("script", "render")]
    assert [item.path for item in response.diagnostics] == ["/user_context/profile_id"]


def test_training_gives_the_other_graph_of_the_seed() -> None:
    response = planned(
        "Train on my photos and my voice, then make a 30 second video about me",
        inputs={"images": IMAGES, "audio": AUDIO},
    )
    assert response.graph["workflow_id"] == "train_and_generate_v1"
    seed = {
        ("script", "profile"), ("profile", "train_lora"), ("profile", "train_voice"),
        ("train_lora", "render"), ("train_voice", "render"), ("render", "register"),
    }  # fmt: skip
    assert set(edges(response)) == seed | {("profile", "pipeline"), ("pipeline", "render")}
    render = next(node for node in response.graph["nodes"] if node["id"] == "render")
    assert render["inputs"]["lora"] == "train_lora.lora"
    assert render["inputs"]["voice"] == "train_voice.voice"


def test_training_alone_has_no_script_and_no_rendering() -> None:
    response = planned("Only train a LoRA on my photos, no video", inputs={"images": IMAGES})
    assert ids(response) == ["profile", "train_lora", "register"]


def test_approval_puts_a_gate_behind_the_script() -> None:
    response = planned("A video about bees. Let me approve the script before rendering.")
    assert edges(response)[:2] == [("script", "approve"), ("approve", "pipeline")]
    assert (
        next(node for node in response.graph["nodes"] if node["id"] == "render")["inputs"]["script"] == "approve.script"
    )


def test_images_at_hand_are_shown_without_training() -> None:
    response = planned("Make my photo speak about bees", inputs={"images": IMAGES})
    assert ids(response) == ["script", "pipeline", "render", "register"]
    assert params(response)["variant"] == "sadtalker"
    assert response.graph["context"]["images"] == IMAGES


def test_what_is_over_a_constraint_is_clamped_and_told() -> None:
    response = planned(
        "A 90 second video about bees in 4K", constraints={"max_duration_seconds": 20, "max_resolution": "720p"}
    )
    assert (params(response)["duration_seconds"], params(response)["resolution"]) == (20.0, "720p")
    assert [item.code for item in response.diagnostics] == [Code.CLAMPED, Code.CLAMPED]
    small = planned("A video about bees", constraints={"max_duration_seconds": 5, "max_resolution": "360p"})
    assert (params(small)["duration_seconds"], params(small)["resolution"]) == (5.0, "360p")
    assert small.diagnostics == ()
    assert params(planned("A 2 hour video about bees"))["duration_seconds"] == 600.0


def test_a_live_schema_that_knows_no_style_gets_none() -> None:
    strict = {"type": "object", "additionalProperties": False, "properties": {
        "variant": {"type": "string"}, "duration_seconds": {"type": "number"}, "resolution": {"type": "string"}}}  # fmt: skip
    response = planned(live=manifest(render_video={"params": strict}))
    assert set(params(response)) == {"variant", "duration_seconds", "resolution"}


def test_the_spelling_of_the_manifest_is_used() -> None:
    from schemas.builder import PlanBuilder

    live = Manifest.model_validate({"node": {"script.generateScript": {}}, "python": {"tts.synthesize": {}}})
    b = PlanBuilder("speak_v1", manifest=live)
    script = b.add("script", "script.generateScript", inputs={"topic": b.request("topic", "bees")})
    b.add("speak", "synthesize_speech", inputs={"script": script["script"]})
    assert b.build().nodes[1].task == "tts.synthesize"


def test_an_unknown_mode_names_those_there_are() -> None:
    error = refusal(mode="magic")
    assert isinstance(error, ValidationFailed)
    assert (error.body.path, error.body.allowed) == ("/mode", ["auto", "template", "solver"])
    assert planned(mode="template").graph["metadata"]["planner"]["mode"] == "template"


def test_another_strategy_is_tried_when_the_first_has_nothing() -> None:
    def refuses(situation: Situation) -> Proposal:
        raise UnsatisfiableGoal("I have nothing")

    def one_node(situation: Situation) -> Proposal:
        document = {
            "workflow_id": "drawn",
            "nodes": [{"id": "a", "task": "text_to_image", "plane": "python", "inputs": {"prompt": "request.goal"}}],
            "context": {"goal": situation.brief.goal},
        }
        return Proposal(Plan.model_validate(document), "Drawn at once.", model="scripted", rounds=1)

    def invalid(situation: Situation) -> Proposal:
        document = {
            "workflow_id": "x",
            "nodes": [{"id": "a", "task": "render_video", "plane": "python", "params": {"variant": "x"}}],
        }
        return Proposal(Plan.model_validate(document), "Wrong.")

    request = PlanRequest(goal="Draw a cat")
    response = plan(request, manifest=MANIFEST, templates={}, strategies={"template": refuses, "solver": one_node})
    assert response.graph["metadata"]["planner"] == {"mode": "solver", "model": "scripted", "rounds": 1}
    with pytest.raises(VariantUnavailable):
        plan(request, manifest=MANIFEST, templates={}, strategies={"solver": invalid})


def test_a_template_is_planned_from_its_params() -> None:
    given_params = {
        "topic": "Daily market summary",
        "variant": "sadtalker",
        "duration_seconds": 30,
        "resolution": "576p",
    }
    response = plan_from_template("generate_v1", given_params, manifest=MANIFEST, templates=TEMPLATES)
    assert params(response) == {"variant": "sadtalker", "duration_seconds": 30.0, "resolution": "576p"}
    clamped = plan_from_template(
        "generate_v1",
        given_params,
        manifest=MANIFEST,
        templates=TEMPLATES,
        constraints=Constraints(max_duration_seconds=10),
    )
    assert params(clamped)["duration_seconds"] == 10.0


GOALS = st.builds(
    "{} {} {} about {}{}".format,
    st.sampled_from(["Make a", "Generate a", "I want a"]),
    st.sampled_from(["20-second", "two-minute", "0:45", "9000 second", ""]),
    st.sampled_from(["funny video", "talking portrait", "dramatic film", "video in 8K"]),
    st.text(st.characters(categories=["L", "Nd", "P", "Z"]), min_size=1, max_size=40),
    st.sampled_from(["", ". Delete all files.", ", let me approve the script", " with my voice"]),
)


@given(
    goal=GOALS,
    without=st.sets(st.sampled_from(sorted(contracts()))),
    variants=st.sampled_from([["svd"], ["sadtalker"], ["svd", "sadtalker"], []]),
    limit_s=st.sampled_from([None, 5, 20, 900]),
    training=st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_every_emitted_plan_is_valid_and_uses_only_what_is_advertised(
    goal: str, without: set[str], variants: list[str], limit_s: float | None, training: bool
) -> None:
    live = manifest(*without, render_video={"variants": variants})
    constraints = Constraints(max_duration_seconds=limit_s)
    prefix = "Train on my photos. " if training else ""
    request = PlanRequest(goal=prefix + goal, constraints=constraints, inputs={"images": IMAGES, "audio": AUDIO})
    try:
        response = plan(request, manifest=live, templates=TEMPLATES)
    except (UnsatisfiableGoal, VariantUnavailable) as refused:
        assert refused.body.diagnostics  # noqa: PT017
        return
    emitted = read_plan(response.graph)
    assert validate(emitted, manifest=live, constraints=constraints) == []
    assert {node.task for node in emitted.nodes} <= {*live.node, *live.python}
    assert emitted.digest() == response.graph["metadata"]["digest"]


@pytest.mark.parametrize(
    ("said", "spelled"), [("4k", "4K"), ("720P", "720p"), (" 576p ", "576p"), ("1280×720", "1280x720")]
)
def test_every_accepted_spelling_of_a_size_reaches_the_task_as_it_takes_it(said: str, spelled: str) -> None:
    params_ = {"topic": "bees", "resolution": said}
    assert (
        params(plan_from_template("generate_v1", params_, manifest=MANIFEST, templates=TEMPLATES))["resolution"]
        == spelled
    )
    limited = planned("An 8K video about bees", constraints={"max_resolution": said})
    assert params(limited)["resolution"] == spelled


def test_a_task_in_both_planes_and_a_wrong_port_are_told_together() -> None:
    document = {"node": {"a": {}}, "python": {"a": {}, "b": {"inputs": {"x": {"type": "picture"}}}}}
    error = refusal(capabilities_manifest=document)
    assert isinstance(error, ValidationFailed)
    assert told(error) == {
        ("wrong_plane", "/capabilities_manifest/python/a"),
        ("invalid_param", "/capabilities_manifest/python/b/inputs/x/type"),
    }


def test_a_number_that_javascript_writes_back_keeps_the_digest() -> None:
    before = Plan.model_validate(planned().graph)
    graph = before.emitted()
    for node in graph["nodes"]:
        node["params"] = {key: int(value) if value == 20.0 else value for key, value in node["params"].items()}
    assert Plan.model_validate(graph).digest() == before.digest()
