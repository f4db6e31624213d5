"""Encyclopedia sentences become sentences for the ear by leaving out only."""

import pytest

from graphs.writing.sentences import count_words, numbers, overlap, singulars, split_sentences
from graphs.writing.spoken import second_sentence, spoken_forms


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "The cat, also called domestic cat and house cat, is a small domesticated carnivorous mammal.",
            "The cat is a small domesticated carnivorous mammal.",
        ),
        (
            "Machine learning (ML) is a field of study in artificial intelligence (AI).",
            "Machine learning is a field of study in artificial intelligence.",
        ),
        (
            "An octopus can radically deform its shape, enabling it to squeeze through small gaps.",
            "An octopus can radically deform its shape.",
        ),
        (
            "Volcanoes are found where plates diverge, and because most plates are underwater, most are underwater.",
            "Volcanoes are found where plates diverge.",
        ),
        ("A bridge is built prior to a road; however this varies.", "A bridge is built before a road."),
        (
            "With an area of 9,200,000 square kilometres, it is the largest hot desert in the world.",
            "It is the largest hot desert in the world.",
        ),
        ("However, 5–20% of bread is eaten by ducks.", "5 to 20 percent of bread is eaten by ducks."),
    ],
)
def test_the_shortest_form_leaves_asides_and_trailing_clauses_out(written: str, said: str) -> None:
    assert spoken_forms(written)[-1] == said


def test_a_second_predicate_becomes_a_sentence_of_its_own() -> None:
    written = "Spiders are found worldwide on every continent except Antarctica, and have become established on land."

    assert second_sentence(written) == "They have become established on land."
    assert second_sentence("Bread and butter are eaten in the morning.") == ""


def test_a_clause_inside_the_main_clause_is_not_cut_off_at_its_comma() -> None:
    written = "A black hole is a body so compact that its gravity prevents anything, including light, from escaping."

    assert spoken_forms(written) == [written]


def test_an_item_of_a_list_is_never_dropped() -> None:
    written = "The order is grouped with squids, cuttlefish, and nautiloids."

    assert spoken_forms(written) == [written]


@pytest.mark.parametrize(
    "written",
    [
        "This increase is measured using a price index.",
        "It has an area of 1,285 km2 and many people.",
        "The energy is given by E = mc squared in that case.",
        "See https://example.invalid for more about this.",
    ],
)
def test_what_cannot_be_said_alone_is_refused(written: str) -> None:
    assert spoken_forms(written) == []


def test_initials_and_abbreviations_do_not_end_a_sentence() -> None:
    found = split_sentences("Dr. J. Smith came at 3.5 km. He left! Why?")

    assert found == [
        "Dr. J. Smith came at 3.5 km.",
        "He left!",
        "Why?",
    ]


def test_numbers_take_longer_to_say_than_words() -> None:
    assert count_words("In 1998 we opened") == 6
    assert numbers("1,998 and 3.5") == {"1998", "3.5"}


def test_overlap_compares_stems() -> None:
    assert overlap("Volcanoes erupt.", "The erupting volcano.") > 0.4
    assert overlap("Volcanoes erupt.", "Tea is hot.") == 0


@pytest.mark.parametrize(
    ("many", "one"), [("volcanoes", "volcano"), ("cities", "city"), ("mice", "mouse"), ("cats", "cat")]
)
def test_plurals_find_their_singular(many: str, one: str) -> None:
    assert one in singulars(many)
