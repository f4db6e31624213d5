"""Sentences and words of English text: splitting, counting, stems, content words. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Mt|No|vs|etc|approx|ca?|e\.g|i\.e|cf|Jr|Sr|Prof|Gen|Col|Capt|Lt|Inc|Ltd|Co"
    r"|lit|b|d|r"
    r"|fl|[A-Z]\.[A-Z]|[a-z]\.[a-z]|Jan|Feb|Aug|Sept|Oct|Nov|Dec))\.$"
)
_END = re.compile(r"[.!?][\"'\u201d\u2019)]*(?=\s|$)")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*|\d[\d,.]*")
_NUMBER = re.compile(r"\d[\d,.]*\d|\d")

STOPWORDS = frozenset(
    """a about above after again against all also although am among an and any are as at be because been before being
    below between both but by can cannot could did do does doing down during each either even ever every few for from
    further get gets give given gives go goes had has have having he her here hers him his how however i if in into is
    it its itself just kind let like made make makes many may me might mine more most much must my near neither no nor
    not now of off often on once one only onto or other our out over own per put quite rather really said same say see
    she should since so some something such than that the their them then there these they thing things this those
    though through thus to too toward towards two under until up upon us use used uses using usually very via was way we
    well were what when where whether which while who whom whose why will with within without would yet you your
    """.split()  # noqa: SIM905
)
"""Words that carry no claim of their own; the checks let a model add them."""


def split_sentences(text: str) -> list[str]:
    """Return the sentences of `text`, keeping their end marks; initials and abbreviations do not end one."""
    found: list[str] = []
    for line in text.splitlines():
        start = 0
        for match in _END.finditer(line):
            piece = line[start : match.end()].strip()
            follows = line[match.end() :].lstrip()
            if match.group()[0] == "." and (_ABBREVIATION.search(piece) or follows[:1].islower()):
                continue
            if piece:
                found.append(piece)
            start = match.end()
        if line[start:].strip():
            found.append(line[start:].strip())
    return found


def words(text: str) -> list[str]:
    """Return the words and numbers of `text` as written."""
    return _WORD.findall(text)


def count_words(text: str) -> int:
    """Return how many words are spoken: a long number takes as long as several words."""
    return sum(1 + len(re.sub(r"\D", "", word)) // 2 if word[0].isdigit() else 1 for word in words(text))


def numbers(text: str) -> set[str]:
    """Return the numbers written in digits, without thousands separators."""
    return {match.replace(",", "").rstrip(".") for match in _NUMBER.findall(text)}


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Return a rough stem for comparing words: `erupts`, `erupting` and `eruption` meet, meaning is not the aim."""
    word = word.lower().replace("\u2019", "'").removesuffix("'s").strip("'-")
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    for suffix in ("ations", "ation", "ingly", "ions", "ion", "ings", "ing", "edly", "ed", "es", "ly", "s", "ic", "al"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            word = word[: -len(suffix)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


def content_stems(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, in order."""
    return [stem(word) for word in words(text) if word.lower() not in STOPWORDS and len(word) > 1]


def overlap(first: str, second: str) -> float:
    """Return the share of the smaller set of content stems that both texts have, 0 to 1."""
    one, two = set(content_stems(first)), set(content_stems(second))
    return len(one & two) / min(len(one), len(two)) if one and two else 0.0


def singulars(word: str) -> list[str]:
    """Return the word and what it may be the plural of, most likely last."""
    irregular = {"mice": "mouse", "geese": "goose", "feet": "foot", "teeth": "tooth", "men": "man", "women": "woman",
                 "children": "child", "people": "person", "octopi": "octopus", "cacti": "cactus", "fungi": "fungus",
                 "bacteria": "bacterium", "phenomena": "phenomenon", "wolves": "wolf", "leaves": "leaf",
                 "knives": "knife", "lives": "life", "dice": "die", "oxen": "ox"}  # fmt: skip
    forms = [word]
    if word in irregular:
        forms.append(irregular[word])
    elif word.endswith("ies") and len(word) > 4:
        forms += [word[:-1], word[:-3] + "y"]
    elif word.endswith(("ches", "shes", "sses", "xes", "zes", "oes")):
        forms += [word[:-1], word[:-2]]
    elif word.endswith("es") and len(word) > 4:
        forms += [word[:-2], word[:-1]]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        forms.append(word[:-1])
    return forms


def plural(noun: str) -> str:
    """Return the regular plural of a noun phrase."""
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return noun + "es"
    return noun[:-1] + "ies" if re.search(r"[^aeiou]y$", noun) else noun + "s"


def capitalised(sentence: str) -> str:
    """Return the sentence with its first letter in upper case."""
    return sentence[:1].upper() + sentence[1:]
