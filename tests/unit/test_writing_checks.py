"""A small model's sentence is refused for every way in which it can go wrong."""

import pytest

from graphs.writing.checks import faults, trimmed

FACT = "A volcano is a fissure in the earth's crust through which molten lava and gases erupt."


def test_a_faithful_shortening_passes() -> None:
    assert faults("A volcano is a fissure in the crust through which molten lava and gases erupt.", fact=FACT) == []


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("Volcanoes erupt when magma meets the sky over Hawaii.", "adds"),
        ("A volcano is a fissure in the earth's crust through which 900 molten lava and gases erupt.", "numbers"),
        ("A volcano is not a fissure in the earth's crust through which molten lava and gases erupt.", "negation"),
        ("A volcano is a fissure.", "loses"),
        ("Through gases erupt molten lava, which the earth's crust is a fissure a volcano.", "order"),
        ("A volcano is a fissure in the the earth's crust through which molten lava and gases erupt.", "rambles"),
        ("A volcano is a fissure in the earth's crust through which molten lava and gases", "unfinished"),
        ("- A volcano is a fissure in the earth's crust through which molten lava and gases erupt.", "markup"),
        ("Sure! A volcano is a fissure through which molten lava and gases erupt in the crust.", "chatter"),
        (
            "A volcano is a fissure in the earth's crust, and it is that through which molten lava and gases erupt.",
            "pads",
        ),
        ("My favourite colour is a soft shade of blue.", "off_topic"),
        ("Lava.", "length"),
        ("{% s en {0} %}{123456789}.", "markup"),
    ],
)
def test_a_bad_sentence_is_refused_with_its_code(sentence: str, code: str) -> None:
    assert code in faults(sentence, fact=FACT)


def test_a_sentence_that_says_what_another_says_is_refused() -> None:
    other = "Through this fissure in the crust molten lava and gases erupt from a volcano."

    assert "repeats" in faults(FACT, fact=FACT, others=(other,))


def test_only_the_first_whole_sentence_is_kept() -> None:
    assert trimmed('"Tea is hot. Coffee is') == "Tea is hot."
    assert trimmed("Tea is") == ""
