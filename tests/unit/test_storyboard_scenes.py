"""A narration becomes scenes without gaps, each chosen from its own words."""

from itertools import pairwise

import pytest

from worker.speech.timing import Word
from worker.storyboard.lexicon import grounded_backgrounds
from worker.storyboard.phrases import callout, key_phrase
from worker.storyboard.scenes import storyboard

TEXTS = {
    "Black holes": (
        "A black hole hides in space. A massive star collapses under gravity. "
        "Nothing escapes, not even light. A telescope can see the glow around it."
    ),
    "Bread": (
        "Bread begins with flour and water. Yeast makes bubbles of gas in the dough. "
        "The oven turns the crust golden. Add butter and serve it warm."
    ),
    "Democracy": (
        "In ancient Athens citizens voted on a hill. Today we elect a parliament. "
        "A free press watches the government. It belongs to all of us."
    ),
}


def spoken(text: str, *, duration_s: float = 19.0) -> list[Word]:
    words = text.split()
    step = duration_s / len(words)
    return [Word(word, at * step, (at + 0.9) * step) for at, word in enumerate(words)]


@pytest.mark.parametrize("title", TEXTS)
def test_twenty_seconds_have_four_different_scenes_without_gaps(title: str) -> None:
    scenes = storyboard(spoken(TEXTS[title]), duration_s=20, title=title, seed=1)
    assert len({scene.background for scene in scenes}) >= 4
    assert (scenes[0].start_s, scenes[-1].end_s) == (0, 20)
    for scene, following in pairwise(scenes):
        assert scene.end_s == following.start_s
        assert scene.background != following.background
    assert " ".join(scene.text for scene in scenes) == TEXTS[title]


def test_one_long_sentence_is_split_into_scenes() -> None:
    words = spoken("the ocean rises and falls while the moon pulls at the water and every ship in the harbor " * 2)
    assert len(storyboard(words, duration_s=20)) >= 4


def test_scenes_show_what_their_own_sentence_says() -> None:
    scenes = storyboard(spoken(TEXTS["Black holes"]), duration_s=20, title="Black holes", seed=3)
    assert scenes[0].background == "black-hole"
    assert any(actor.sprite.name == "telescope" for scene in scenes[2:] for actor in scene.actors)


def test_ships_never_stand_under_water() -> None:
    for seed in range(8):
        for scene in storyboard(spoken("Ships and surfers live by the tide of the ocean."), duration_s=4, seed=seed):
            assert scene.background != "underwater"


def test_sprites_enter_before_the_scene_ends_and_not_before_it_begins() -> None:
    for title, text in TEXTS.items():
        for scene in storyboard(spoken(text), duration_s=20, title=title, seed=2):
            assert all(scene.start_s <= actor.enters_s < scene.end_s for actor in scene.actors)


def test_the_same_seed_gives_the_same_scenes() -> None:
    words = spoken(TEXTS["Bread"])
    assert storyboard(words, duration_s=20, seed=5) == storyboard(words, duration_s=20, seed=5)


def test_an_unknown_subject_gets_letters_and_no_sprite() -> None:
    scenes = storyboard(spoken("Blorptastic quuxification wibbles.", duration_s=4), duration_s=4, seed=1)
    assert all(not scene.actors and scene.lettering is not None for scene in scenes)


def test_things_that_stand_get_a_floor() -> None:
    scenes = storyboard(spoken("A house stands beside a school.", duration_s=4), duration_s=4, seed=1)
    assert scenes[0].background in grounded_backgrounds()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It grows by 7 percent.", "7 percent"),
        ("It vanished in 1980.", "1980"),
        ("It has 2 wheels.", None),
        ("It costs $1,000 today.", "$1,000"),
    ],
)
def test_figures_worth_showing_are_shown(text: str, shown: str | None) -> None:
    found = callout(spoken(text))
    assert (found[0] if found else None) == shown


def test_a_key_phrase_skips_common_words() -> None:
    found = key_phrase(spoken("It is the quiet revolution of our time."))
    assert found is not None
    assert found[0] == "Quiet revolution"


def test_a_joke_shows_the_topic_and_not_its_words() -> None:
    fact = "A kite is a light frame covered with cloth that flies in the wind."
    joke = "Bring your lawyer and a pencil."
    said = [*fact.split(), *joke.split()]
    words = [Word(text, 0.4 * number, 0.4 * number + 0.35) for number, text in enumerate(said)]
    for facts, shown in (((), True), ((fact,), False)):
        scenes = storyboard(words, duration_s=9.0, title="Kites", facts=facts)
        names = {actor.sprite.name for scene in scenes for actor in scene.actors if scene.text == joke}
        letters = {scene.lettering.text for scene in scenes if scene.text == joke and scene.lettering}
        assert bool(names & {"pencil", "scales", "balance-scale"} or letters) is shown
