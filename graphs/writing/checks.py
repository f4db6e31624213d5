"""Judges a sentence that a small model wrote against the one fact it was given; a doubt is a refusal. Pure."""

from __future__ import annotations

import re
from itertools import pairwise

from graphs.writing.sentences import (
    STOPWORDS,
    content_stems,
    count_words,
    numbers,
    overlap,
    split_sentences,
    stem,
    words,
)

FEWEST_WORDS = 4
MOST_WORDS = 30
KEPT_SHARE = 0.7
"""Share of the fact's content words that must survive: less, and the sentence says something else."""

ORDER_SHARE = 0.8
"""Share of the kept content words that must come in the fact's order: swapped roles reverse the meaning."""

NEW_PAIRS = 3
"""How many pairs of neighbouring words may be new: a model that only leaves out makes one where it cuts."""

REPEAT_OVERLAP = 0.75

_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nothing|neither|nor|without|cannot|\w+n't|anything but|only|few|fewer|less|rarely"
    r"|unlike)\b"
)
_ODD = re.compile(
    r"[^\x20-\x7e\u00a0-\u024f\u2018\u2019\u201c\u201d\u2013\u2014]|[{}\[\]<>|\\^~*_#@=`]|https?:|\b\w+\.\w+\("
)
_LIST = re.compile(r"^\s*(?:[-*\u2022]|\d+[.)])\s|\n")
_CHATTER = re.compile(
    r"^(?:sure|here(?:'s| is) (?:the|a|your)|rewritten|sentence:|answer:|okay|certainly|as an ai|i am|i'm)"
    r"|\b(?:assistant|prompt|rewrite|sentence)\b",
    re.IGNORECASE,
)


def trimmed(text: str) -> str:
    """Return the first whole sentence of what a model wrote, without quotes around it; empty when there is none."""
    sentences = split_sentences(text.strip().strip('"').strip())
    return sentences[0] if sentences and sentences[0][-1:] in ".!?" else ""


def faults(
    sentence: str, *, fact: str, allowed: frozenset[str] = frozenset(), others: tuple[str, ...] = ()
) -> list[str]:
    """Return everything that is wrong with a model's sentence, as codes; an empty list means it may be spoken.

    Args:
        sentence: what the model wrote.
        fact: the sentence it was given and must not add to.
        allowed: stems of the topic, which it may always use.
        others: the other sentences of the script.
    """
    found: list[str] = []
    if sentence[-1:] not in (".", "!", "?") or sentence[:1].islower():
        found.append("unfinished")
    if not FEWEST_WORDS <= count_words(sentence) <= MOST_WORDS:
        found.append("length")
    if _ODD.search(sentence) or _LIST.search(sentence) or sentence.count('"') % 2:
        found.append("markup")
    if _CHATTER.search(sentence) and not _CHATTER.search(fact):
        found.append("chatter")
    said, given = content_stems(sentence), content_stems(fact)
    if not set(said) & (set(given) | allowed):
        found.append("off_topic")
    if [each for each in said if each not in given and each not in allowed]:
        found.append("adds")
    if count_words(sentence) > count_words(fact) or len(_pairs(sentence) - _pairs(fact)) > NEW_PAIRS:
        found.append("pads")
    if numbers(sentence) != numbers(fact):
        found.append("numbers")
    if len(_NEGATION.findall(sentence.lower())) != len(_NEGATION.findall(fact.lower())):
        found.append("negation")
    kept = [each for each in given if each in said]
    if given and len(kept) < KEPT_SHARE * len(given):
        found.append("loses")
    if kept and _common_order(kept, said) < ORDER_SHARE * len(kept):
        found.append("order")
    if len(said) > len(set(said)) + max(2, len(given) - len(set(given))) or _stutters(sentence):
        found.append("rambles")
    if any(overlap(sentence, other) >= REPEAT_OVERLAP for other in others):
        found.append("repeats")
    if _names(sentence) - _names(fact) - {each.capitalize() for each in allowed} and "adds" not in found:
        found.append("names")
    return found


def _pairs(sentence: str) -> set[tuple[str, str]]:
    lowered = [word.lower() for word in words(sentence)]
    return set(pairwise(lowered))


def _stutters(sentence: str) -> bool:
    lowered = [word.lower() for word in words(sentence)]
    return any(one == two for one, two in pairwise(lowered))


def _names(sentence: str) -> set[str]:
    """Return the capitalised words that do not begin the sentence, as stems."""
    return {
        stem(word).capitalize() for word in words(sentence)[1:] if word[:1].isupper() and word.lower() not in STOPWORDS
    }


def _common_order(first: list[str], second: list[str]) -> int:
    """Return the length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for item in first:
        previous = 0
        for at, other in enumerate(second, start=1):
            previous, row[at] = row[at], previous + 1 if item == other else max(row[at], row[at - 1])
    return row[-1]
