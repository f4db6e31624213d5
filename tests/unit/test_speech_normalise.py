"""How written text becomes sentences and readings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.speech.normalise import MAX_SENTENCE_CHARS, sentences


def read(text: str) -> str:
    """Return all readings of `text`, one space between sentences."""
    return " ".join(sentence.spoken for sentence in sentences(text))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("in 1999", "in 19 99."),
        ("in 1905", "in 19 oh 5."),
        ("in 2007", "in 2007."),
        ("the 1990s and the '80s", "the 19 nineties and the eighties."),
        ("1914–1918", "19 14 to 19 18."),
        ("5-10 km", "5 to 10 kilometers."),
        ("1 km, 6 ft", "1 kilometer, 6 feet."),
        ("300 km/h at -20°C", "300 kilometers per hour at minus 20 degrees Celsius."),
        ("50% of 1,000,000", "50 percent of 1000000."),
        ("$5.20, £3bn and $5 million", "5 dollars 20, 3 billion pounds and 5 million dollars."),
        ("10:30 a.m. or 3:05 pm", "10 30 A.M or 3 oh 5 P.M."),
        ("E=mc² and 10^9", "E equals mc squared and 10 to the power of 9."),
        ("6.5e-11", "6.5 times 10 to the power of minus 11."),
        ("1/2 & 3/7", "one half and 3 over 7."),
        ("GPUs, not CPUs", "GPU[[z,]] not CPU[[z.]]"),
        ("NASA's and/or it’s", "NASA[[z]] and or it's."),
        ("a 4K video, 1.5x faster", "a 4 K video, 1.5 times faster."),
        ("see https://a.b/c?d=e, then go", "see, then go."),
        ("**bold** _and_ [a link](http://x.y) <b>tag</b> `code`", "bold and a link tag code."),
        ("[music] Hello 🚀 world", "Hello world."),
        ("What?! Really...", "What? Really."),
        ("go—stop", "go, stop."),
    ],
)
def test_written_forms_are_read_as_people_say_them(written: str, said: str) -> None:
    assert read(written) == said


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Dr. Smith met Mr. Jones. They spoke.", 2),
        ("J. R. R. Tolkien wrote it.", 1),
        ("The U.S. Army came to the U.S. They left.", 2),
        ("Apples, pears, etc. are fruit. So are plums, etc. Good.", 3),
        ("Wait... what? Yes.", 2),
        ('"Really?" she said. "Yes." He left.', 3),
        ("# Title\n\n- one\n- two", 3),
        ("One line\nand the next.", 1),
        ("About 3.5 million, i.e. many.", 1),
    ],
)
def test_sentences_end_where_a_reader_would_stop(text: str, count: int) -> None:
    assert len(sentences(text)) == count


def test_tokens_keep_the_spelling_and_the_punctuation() -> None:
    text = 'Dr. Who — the "well-known" one (of 1999), said: "Run!"'

    assert " ".join(token.text for sentence in sentences(text) for token in sentence.tokens) == text


def test_text_without_anything_to_say_has_no_sentence() -> None:
    assert sentences("  … — 🚀 你好 ***  \x00") == []


def test_a_long_sentence_is_cut_after_a_comma() -> None:
    text = "many words that go on and on, " * 30

    parts = sentences(text)

    assert all(len(part.spoken) <= MAX_SENTENCE_CHARS for part in parts)
    assert all(part.tokens[-1].text == "on," for part in parts)


def test_a_paragraph_ends_with_a_longer_pause() -> None:
    first, second, _ = sentences("One. Two.\n\nThree.")

    assert first.pause_s < second.pause_s


@given(st.text(max_size=400))
def test_any_text_gives_bounded_speakable_sentences(text: str) -> None:
    for sentence in sentences(text):
        assert sentence.tokens
        assert len(sentence.spoken) <= 4 * MAX_SENTENCE_CHARS
        assert sentence.spoken.rstrip("]")[-1] in ".,!?"
        assert all(token.text.strip() and any(map(str.isalnum, token.spoken)) for token in sentence.tokens)
