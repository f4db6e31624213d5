"""The learned reader: paraphrases that no pattern knows, and what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from planner import meaning
from planner.brief import patterns, read_brief
from planner.learned import WEIGHTS, weigh, word_buckets
from schemas.brief import Brief, Deliverable
from schemas.planning import PlanRequest

D = Deliverable


def brief_of(goal: str, **inputs: object) -> Brief:
    return read_brief(PlanRequest(goal=goal, inputs=inputs)).brief


@pytest.mark.parametrize(
    ("goal", "wanted"),
    [
        ("I'd rather hear the tale of the Trojan horse than read it", {D.AUDIO}),
        ("Dipingimi un gatto astronauta che dorme sugli anelli di Saturno", {D.IMAGE}),
        ("my logo is flat. i want it extruded and spinning, filmed by a camera that flies around it", {D.SCENE_ANIMATION}),
        ("Let the lady in this photo wish my grandma a happy birthday, out loud and moving her mouth", {D.TALKING_VIDEO}),
    ],
)  # fmt: skip
def test_a_wish_without_the_word_for_it_is_understood(goal: str, wanted: set[Deliverable]) -> None:
    assert set(patterns(PlanRequest(goal=goal)).wanted) != wanted, "else the patterns would do"
    assert set(brief_of(goal).deliverables) == wanted


@pytest.mark.parametrize(
    "goal",
    ["I had pasta for lunch and my knee still hurts.", "Gracias, eso es todo por hoy.", "Which tools do you have?",
     "Kannst du bitte beim Zahnarzt anrufen und meinen Termin verschieben?"],
)  # fmt: skip
def test_what_wishes_nothing_that_is_made_here_stays_unfulfilled(goal: str) -> None:
    assert brief_of(goal).deliverables == ()


def test_what_happens_with_a_result_is_never_guessed() -> None:
    told = brief_of("short video for our village fete website about the duck race please")
    assert D.PUBLICATION not in told.deliverables
    assert D.PUBLICATION in brief_of("a video about the duck race, and publish it").deliverables


def test_an_excluded_result_does_not_come_back() -> None:
    assert D.VIDEO not in brief_of("Nothing to watch, no video: just draw a sleepy owl").deliverables


def test_a_training_is_not_added_beside_what_is_named_without_the_files_for_it() -> None:
    assert list(brief_of("Train a profile", audio="s3://uploads/u/a.wav").deliverables) == [D.VOICE]


def test_chances_are_chances_of_every_deliverable_and_repeat() -> None:
    first = weigh("a clip about tides", (D.VIDEO,), is_guess=False)
    assert set(first) == set(D)
    assert all(0 <= chance <= 1 for chance in first.values())
    assert first == weigh("a clip about tides", (D.VIDEO,), is_guess=False)
    assert first[D.VIDEO] > 0.9


@pytest.mark.parametrize("goal", ["", "…", "\U0001f600", "ﷺ" * 300, "a" * 4000])
def test_no_text_is_too_strange(goal: str) -> None:
    assert np.isfinite(list(weigh(goal, (), is_guess=True).values())).all()
    assert len(word_buckets(goal)) <= 4000


def test_the_weights_carry_no_code_and_are_small() -> None:
    assert WEIGHTS.stat().st_size < 2**20
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        assert set(stored.files) == {"names", "dense", "words"}


def test_more_texts_than_are_kept_still_have_their_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meaning, "KEPT", 4)
    texts = [f"a clip about river {number}" for number in range(6)]
    alone = [float(meaning.similarity([text], ["rivers"])[0, 0]) for text in texts]
    assert meaning.similarity([*texts, "", texts[0]], ["rivers"])[:, 0].tolist() == pytest.approx(
        [*alone, 0.0, alone[0]], abs=1e-5
    )
