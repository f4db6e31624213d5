"""The word error rate that the speech tests rest on."""

from __future__ import annotations

import pytest

from tests.wer import word_error_rate


@pytest.mark.parametrize(
    ("reference", "heard"),
    [
        ("It is 26,000 light-years away.", "it is twenty-six thousand light years away"),
        ("About 5 km, 50%!", "About five kilometers, fifty percent."),
        ("Don’t worry", "dont worry"),
    ],
)
def test_different_spellings_of_the_same_words_are_no_errors(reference: str, heard: str) -> None:
    assert word_error_rate(reference, heard) == 0.0


@pytest.mark.parametrize(("heard", "rate"), [("a b x d", 0.25), ("a b d", 0.25), ("a b c d e", 0.25), ("", 1.0)])
def test_each_wrong_missing_or_added_word_counts(heard: str, rate: float) -> None:
    assert word_error_rate("a b c d", heard) == rate
