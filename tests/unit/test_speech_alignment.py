"""Which sounds belong to which word."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.speech.alignment import timed_phonemes, word_spans
from worker.speech.timing import Phoneme


def phonemes(text: str) -> list[Phoneme]:
    """Return one phoneme a second for each symbol."""
    return timed_phonemes([(symbol, 10) for symbol in text], rate_hz=10, start_s=0.0)


def test_stress_joins_the_sound_after_it_and_length_the_one_before() -> None:
    assert phonemes("^ˈiːt$") == [
        Phoneme(" ", 0.0, 1.0),
        Phoneme("i", 1.0, 4.0),
        Phoneme("t", 4.0, 5.0),
        Phoneme(" ", 5.0, 6.0),
    ]


def test_merged_words_are_told_apart() -> None:
    assert word_spans(phonemes("^ʌvðə kæt.$"), ["ʌv", "ðə", "kˈæt"]) == [(1.0, 3.0), (3.0, 5.0), (6.0, 9.0)]


def test_a_vowel_weakened_in_context_stays_with_its_word() -> None:
    assert word_spans(phonemes("siː ɐ kæt"), ["sˈiː", "ˈeɪ", "kˈæt"]) == [(0.0, 3.0), (4.0, 5.0), (6.0, 9.0)]


def test_a_word_of_several_spoken_words_spans_them_all() -> None:
    assert word_spans(phonemes("tɛn ɛm."), ["tɛn ɛm"]) == [(0.0, 6.0)]


def test_a_word_that_left_no_sound_shares_the_time_of_the_one_before() -> None:
    first, second, third = word_spans(phonemes("kæt dɔɡ"), ["kæt", "", "dɔɡ"])

    assert first[1] == second[0]
    assert second[0] < second[1] == 3.0
    assert third == (4.0, 7.0)


def test_silent_sentences_still_give_every_word_a_time() -> None:
    assert len(word_spans(phonemes("^ $"), ["a", "b"])) == 2


sounds = st.text(alphabet="abdefɡiklmnæðəɪʌˈː ", min_size=1, max_size=8)


@given(st.lists(sounds, min_size=1, max_size=12), st.lists(sounds, min_size=1, max_size=12))
def test_spans_are_in_order_and_inside_the_sentence(words: list[str], sentence: list[str]) -> None:
    timed = phonemes("^" + " ".join(sentence) + "$")

    spans = word_spans(timed, words)

    assert len(spans) == len(words)
    assert all(start <= end for start, end in spans)
    assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(spans))
    assert spans[-1][1] <= timed[-1].end_s + 1e-9


def test_phoneme_times_start_where_told() -> None:
    assert timed_phonemes([("a", 5)], rate_hz=10, start_s=2.0)[0] == Phoneme("a", 2.0, pytest.approx(2.5))  # type: ignore[arg-type]
