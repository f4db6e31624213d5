"""Wishes that change an earlier request: what they say ends up in the request, the rest stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.brief import read_brief
from planner.refine import Refined, merged, refine
from schemas.brief import Brief, Deliverable
from schemas.errors import ValidationFailed
from schemas.planning import PlanRequest

SEED_GOAL = "Generate a 20-second humorous explainer about black holes."
TRAINING_GOAL = "Train a LoRA on these photos and make a video about bees"
IMAGES, AUDIO = ["s3://uploads/u1/a.png"], ["s3://uploads/u1/a.wav"]


def refined(wish: str, goal: str = SEED_GOAL, **fields: Any) -> Refined:
    return refine(PlanRequest(goal=goal, **fields), wish)


def brief(wish: str, goal: str = SEED_GOAL, **fields: Any) -> Brief:
    """Return what the planner reads in the refined request."""
    return read_brief(refined(wish, goal, **fields).request).brief


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("make it shorter", 10), ("longer", 40), ("make it even shorter!", 10), ("a bit shorter", 15),
        ("slightly longer", 30), ("half as long", 10), ("make it twice as long", 40), ("cut it in half", 10),
        ("45 seconds", 45), ("make it a minute long", 60), ("two minutes", 120), ("0:45 please", 45),
        ("10 seconds longer", 30), ("make it 5 seconds shorter", 15), ("shorten it by 5 seconds", 15),
        ("cut 5 seconds", 15), ("cut it to 5 seconds", 5), ("add 10 seconds", 30), ("no longer than 30 seconds", 30),
        ("make it shorter, 8 seconds", 8), ("mach es kürzer", 10), ("länger bitte", 40), ("auf 30 Sekunden kürzen", 30),
        ("um 5 Sekunden kürzen", 15), ("más corto", 10), ("más largo, por favor", 40), ("plus court", 10),
        ("plus longue", 40), ("thirty seconds less", 1), ("20 minutes", 600),
    ],
)  # fmt: skip
def test_a_length_replaces_the_earlier_one_within_what_can_be_made(wish: str, seconds: float) -> None:
    said = refined(wish)
    assert read_brief(said.request).brief.duration_seconds == seconds
    assert len(said.changes) == 1
    assert said.changes[0].startswith(f"duration: 20 s -> {seconds:g} s")
    assert said.request.goal == SEED_GOAL.replace("20-second", f"{seconds:g}-second")


@pytest.mark.parametrize(
    ("goal", "wish", "expected"),
    [
        ("a two-minute video on tea", "shorter", "a 60-second video on tea"),
        ("a half-minute clip about tea", "longer", "a 60-second clip about tea"),
        ("video about tea, 1 minute long", "shorter", "video about tea, 30 seconds"),
        ("explain tea in 0:45", "longer", "explain tea in 90 seconds"),
        ("Mach ein 30-sekündiges Video über Bienen", "kürzer", "Mach ein 15-sekündiges Video über Bienen"),
        ("Mach ein Video über Bienen", "länger", "Mach ein Video über Bienen. 40 Sekunden."),
        ("Haz un vídeo de 30 segundos sobre el té", "más corto", "Haz un vídeo de 15 segundos sobre el té"),
    ],
)
def test_a_length_keeps_the_spelling_of_the_goal(goal: str, wish: str, expected: str) -> None:
    assert refined(wish, goal).request.goal == expected


def test_relative_lengths_and_sizes_start_from_the_plan() -> None:
    request = PlanRequest(goal="a video about bees")
    said = refine(request, "longer, in a higher resolution", duration_seconds=12, resolution="1080p")
    assert said.changes == ("duration: 12 s -> 24 s", "resolution: 1080p -> 1440p")
    assert read_brief(said.request).brief.resolution == "1440p"


@pytest.mark.parametrize(
    ("wish", "fields"),
    [
        ("at 1080p", {"resolution": "1080p"}), ("use 1280x720", {"resolution": "1280x720"}), ("in 4K", {"resolution": "4K"}),
        ("higher resolution", {"resolution": "1080p"}), ("lower resolution", {"resolution": "480p"}),
        ("in German", {"language": "de"}), ("auf Deutsch bitte", {"language": "de"}), ("en español", {"language": "es"}),
        ("en français", {"language": "fr"}), ("the same but in Spanish", {"language": "es"}),
        ("funnier", {"style": "humorous"}), ("more dramatic", {"style": "dramatic"}), ("calmer", {"style": "calm"}),
        ("for kids", {"style": "simple"}), ("lustiger", {"style": "humorous"}), ("más divertido", {"style": "humorous"}),
        ("plus drôle", {"style": "humorous"}), ("make it serious", {"style": "serious"}),
        ("about volcanoes instead", {"topic": "volcanoes"}), ("make it about bees", {"topic": "bees"}),
        ("about cats instead of black holes", {"topic": "cats"}), ("über Bienen statt Löcher", {"topic": "Bienen"}),
        ("sobre las abejas en vez de agujeros", {"topic": "las abejas"}), ("change the topic to tea", {"topic": "tea"}),
        ("as an SVG instead", {"deliverables": (Deliverable.SVG,), "topic": "black holes"}),
        ("a picture instead", {"deliverables": (Deliverable.IMAGE,), "topic": "black holes"}),
        ("als Bild statt dessen", {"deliverables": (Deliverable.IMAGE,)}),
    ],
)  # fmt: skip
def test_a_wish_is_read_into_the_brief(wish: str, fields: dict[str, Any]) -> None:
    said = refined(wish)
    read = read_brief(said.request).brief
    assert {name: getattr(read, name) for name in fields} == fields
    assert len(said.changes) == 1
    assert not said.changes[0].startswith("also")


def test_several_wishes_in_one_sentence_are_all_understood() -> None:
    said = refined("make it a bit shorter, in French and more serious, about tea instead")
    assert said.changes == (
        "duration: 20 s -> 15 s",
        "language: en -> fr",
        "style: humorous -> serious",
        "topic: black holes -> tea",
    )
    read = read_brief(said.request).brief
    assert (read.duration_seconds, read.language, read.style, read.topic) == (15, "fr", "serious", "tea")


def test_a_language_in_the_goal_gives_way() -> None:
    assert brief("in English", "Haz un vídeo sobre las abejas en español").language == "en"
    assert brief("funnier", "Mach ein Video über Bienen").language == "de"


@pytest.mark.parametrize("wish", ["as a talking portrait", "a talking head instead", "als sprechendes Portrait"])
def test_a_talking_portrait_is_asked_for_by_its_variant_and_taken_back(wish: str) -> None:
    said = refined(wish)
    assert (said.request.requested_variant, said.request.goal) == ("sadtalker", SEED_GOAL)
    assert refine(said.request, "no avatar please").request.requested_variant == "svd"


@pytest.mark.parametrize("wish", ["use my voice", "in my own voice, please", "mit meiner Stimme", "con mi voz"])
def test_my_voice_is_trained_from_recordings_or_comes_with_the_profile(wish: str) -> None:
    assert Deliverable.VOICE in brief(wish, inputs={"audio": AUDIO}).deliverables
    with_profile = refined(wish, user_context={"profile_id": "p1"})
    assert (with_profile.request.goal, with_profile.changes) == (SEED_GOAL, ("voice: that of your profile",))
    assert "neither a recording" in refined(wish).changes[0]


@pytest.mark.parametrize("wish", ["without the training", "no training", "ohne Training", "don't train anything"])
def test_without_training_the_rest_of_the_goal_stays(wish: str) -> None:
    said = refined(wish, TRAINING_GOAL, inputs={"images": IMAGES})
    assert (said.request.goal, said.changes) == ("Make a video about bees", ("without training",))
    assert refined(wish, "Train a voice on my recordings", inputs={"audio": AUDIO}).changes == (
        "training is all that was asked for, so it stays",
    )


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ("add a dog", "Add a dog."),
        ("make it shorter and add a dog", "Add a dog."),
        ("make the intro shorter", "Make the intro shorter."),
        ("let me see the script first", "Let me see the script first."),
    ],
)
def test_what_is_not_understood_becomes_another_sentence_of_the_goal(wish: str, sentence: str) -> None:
    said = refined(wish)
    assert said.request.goal.endswith(f"black holes. {sentence}")
    assert said.changes[-1] == f"also: {sentence[0].lower()}{sentence[1:-1]}"


def test_a_wish_for_nothing_changes_nothing() -> None:
    said = refined("please")
    assert (said.request.goal, said.changes) == (SEED_GOAL, ("nothing in this wish changes the plan",))


def test_structured_fields_of_the_wish_replace_the_earlier_ones_by_name() -> None:
    before = PlanRequest(
        goal=SEED_GOAL, inputs={"images": IMAGES}, user_context={"style": "calm", "profile_id": "p1"}  # type: ignore[arg-type]
    )  # fmt: skip
    wish = PlanRequest(
        goal="use my voice", conversation="c", inputs={"audio": AUDIO}, user_context={"style": "formal"}  # type: ignore[arg-type]
    )  # fmt: skip
    said = merged(before, wish)
    assert said.request.inputs == {"images": IMAGES, "audio": AUDIO}
    assert (said.request.user_context.style, said.request.user_context.profile_id) == ("formal", "p1")
    assert (said.request.goal, said.request.conversation) == (SEED_GOAL, None)
    assert said.changes == ("inputs: as given", "user context: as given")


def test_a_conversation_that_outgrows_a_goal_is_refused_with_a_hint() -> None:
    with pytest.raises(ValidationFailed) as refused:
        refined("and a very long story " * 50, "a video about tides " + "and tides " * 380)
    assert refused.value.body.path == "/goal"
    assert "start over" in str(refused.value.body.hint)


@given(st.lists(st.sampled_from(
    ["shorter", "longer", "in German", "funnier", "at 1080p", "about bees instead", "as a talking portrait", "add a dog",
     "use my voice", "without the training", "as an SVG instead", "10 seconds longer", "no avatar", "{}\\1 [x] (?", "é" * 9]
), min_size=1, max_size=12))  # fmt: skip
@settings(max_examples=80, deadline=None, derandomize=True, database=None)
def test_any_conversation_stays_a_request_that_can_be_read(wishes: list[str]) -> None:
    request = PlanRequest(goal=SEED_GOAL, inputs={"audio": AUDIO})
    for wish in wishes:
        said = refine(request, wish)
        assert said.changes
        request = PlanRequest.model_validate(said.request.model_dump())
    read = read_brief(request).brief
    assert read.deliverables
    assert 1 <= (read.duration_seconds or 20) <= 600
