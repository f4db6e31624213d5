"""Which pictures a text calls for: curated phrases to sprites, backgrounds and topics. Reads three data files.

Only what the data files spell is ever matched: whole words (and their plain plurals), longest phrase first, so
that "flying" finds no insect and "interest rate" is one thing. It knows no pixels and no times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
Place = Literal["ground", "sky", "float", "water", "under"]
_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_NOT_BEFORE_TEXT = """
to i you we they he she it who which can could will would shall should may might must never always not don't
doesn't didn't cannot often usually also
"""
_NOT_BEFORE_A_NOUN = frozenset(_NOT_BEFORE_TEXT.split())
_DETERMINERS_TEXT = """
a an the this that these those my your his her its our their some any every us them
"""
_DETERMINERS = frozenset(_DETERMINERS_TEXT.split())

_FIGURES_TEXT = """
heart of the, at the heart, by heart, key to, key idea, key point, on the other hand, on fire, piece of cake,
rocket science, in the long run, tip of the iceberg, under fire, rule of thumb, couch potato, rain or shine,
cold war, white house, hot dog, fish out of water, book a, bear in mind, iron age, bronze age, big apple, cold
blooded, greenhouse, watch out, hold water, ice cream truck, no wonder, star wars, movie star, movie stars, rock
star, bank account, river bank, heart rate, heart attack, train of thought, a grain of, take off, light up,
light years, light year, mouse pad, time flies, brain drain, eye contact, keep an eye, apple inc, milky way,
dead sea, black sea, red sea, gold standard, dog days, cat nap, bullet points, silver bullet, stock up, piece of
paper, food for thought, tip of the, pick up the, fire drill, free lunch, face value, root cause, head start
"""
FIGURES_OF_SPEECH = tuple(" ".join(figure.split()) for figure in _FIGURES_TEXT.split(","))
"""Phrases whose words mean something else together; they use up their words and draw nothing."""


@dataclass(frozen=True)
class Sprite:
    """A picture of a thing.

    Attributes:
        place: where it belongs in a scene.
        height_ratio: its height as a share of the picture height.
    """

    name: str
    place: Place
    height_ratio: float


@dataclass(frozen=True)
class Hit:
    """Something a text calls for: the name of what matched, and which tokens said so."""

    name: str
    at: int
    length: int


@dataclass(frozen=True)
class _Phrase:
    tokens: tuple[str, ...]
    name: str
    noun_only: bool = False
    topics: frozenset[str] = frozenset()


class Lexicon:
    """Phrases and what they call for."""

    def __init__(self, phrases: Iterable[_Phrase]) -> None:
        self._by_first: dict[str, list[_Phrase]] = {}
        for phrase in phrases:
            self._by_first.setdefault(phrase.tokens[0], []).append(phrase)
        for found in self._by_first.values():
            found.sort(key=lambda phrase: -len(phrase.tokens))

    def scan(self, tokens: Sequence[str], *, topics: Iterable[str] = ()) -> list[Hit]:
        """Return the hits in reading order; a token belongs to at most one hit, longest phrase first."""
        allowed, hits, at = frozenset(topics), [], 0
        while at < len(tokens):
            phrase = self._phrase_at(tokens, at, allowed)
            if phrase is None:
                at += 1
                continue
            if phrase.name:
                hits.append(Hit(phrase.name, at, len(phrase.tokens)))
            at += len(phrase.tokens)
        return hits

    def _phrase_at(self, tokens: Sequence[str], at: int, topics: frozenset[str]) -> _Phrase | None:
        candidates = [phrase for form in _forms(tokens[at]) for phrase in self._by_first.get(form, ())]
        for phrase in sorted(candidates, key=lambda phrase: -len(phrase.tokens)):
            said = tokens[at : at + len(phrase.tokens)]
            if len(said) < len(phrase.tokens) or not all(
                want in _forms(word) for want, word in zip(phrase.tokens, said, strict=True)
            ):
                continue
            if phrase.topics and not phrase.topics & topics:
                continue
            if phrase.noun_only and _is_verb_here(tokens, at):
                continue
            return phrase
        return None


def tokens_of(text: str) -> list[str]:
    """Return the lower-case words of a text, without punctuation and without the genitive `'s`."""
    return [re.sub(r"['’]s$", "", word).replace("’", "'") for word in _TOKEN.findall(text.lower())]


@cache
def sprites() -> dict[str, Sprite]:
    """Return every sprite by name."""
    return {
        name: Sprite(name, _place(place), int(percent) / 100)
        for _emoji, name, place, percent, _words in _rows("sprites/index.txt", 5)
    }


@cache
def sprite_words() -> Lexicon:
    """Return the lexicon word -> sprite name."""
    phrases = [_Phrase(tuple(figure.split()), "") for figure in FIGURES_OF_SPEECH]
    for _emoji, name, _where, _percent, words in _rows("sprites/index.txt", 5):
        phrases += [_phrase(word, name) for word in words.split(",")]
    return Lexicon(phrases)


@cache
def background_words() -> Lexicon:
    """Return the lexicon word -> background names; a word may call for several, `|` between them."""
    return _shared((name, words) for name, _ground, words in _rows("backgrounds/index.txt", 3))


@cache
def grounded_backgrounds() -> frozenset[str]:
    """Return the names of the backgrounds that have a floor to stand on."""
    return frozenset(name for name, ground, _words in _rows("backgrounds/index.txt", 3) if ground == "ground")


@dataclass(frozen=True)
class Topic:
    """What a whole text is about, with the pictures that fit when a sentence names none."""

    name: str
    backgrounds: tuple[str, ...]
    sprites: tuple[str, ...]


@cache
def topics() -> dict[str, Topic]:
    """Return every topic by name."""
    return {
        name: Topic(name, _list(backgrounds), _list(pictures))
        for name, _words, backgrounds, pictures in _rows("topics.txt", 4)
    }


def topics_of(text: str, *, title: str = "") -> list[str]:
    """Return the topics of a text, strongest first; words of the title count three times."""
    score: dict[str, float] = {}
    for part, weight in ((text, 1.0), (title, 3.0)):
        for hit in _topic_words().scan(tokens_of(part)):
            for name in hit.name.split("|"):
                score[name] = score.get(name, 0.0) + weight * (1 + 0.5 * (hit.length - 1))
    strongest = max(score.values(), default=0.0)
    kept = [name for name, value in score.items() if value >= 2 and value >= strongest * 0.3]
    return sorted(kept, key=lambda name: (-score[name], name))


@cache
def _topic_words() -> Lexicon:
    return _shared((name, words) for name, words, _backgrounds, _sprites in _rows("topics.txt", 4))


def _shared(rows: Iterable[tuple[str, str]]) -> Lexicon:
    names: dict[str, list[str]] = {}
    for name, words in rows:
        for word in _list(words):
            names.setdefault(word, []).append(name)
    return Lexicon(_Phrase(tuple(tokens_of(word)), "|".join(found)) for word, found in names.items())


def _phrase(spelled: str, name: str) -> _Phrase:
    words, _, topics_ = spelled.strip().partition("@")
    noun_only = words.endswith("*")
    return _Phrase(tuple(tokens_of(words)), name, noun_only, frozenset(topics_.split("+")) if topics_ else frozenset())


def _forms(word: str) -> tuple[str, ...]:
    """Return the word and what it may be the plain plural of; never a verb form."""
    forms = [word]
    if len(word) > 4 and word.endswith("ies"):
        forms.append(word[:-3] + "y")
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes")):
        forms.append(word[:-2])
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        forms.append(word[:-1])
    return tuple(forms)


def _is_verb_here(tokens: Sequence[str], at: int) -> bool:
    before = tokens[at - 1] if at else ""
    after = tokens[at + 1] if at + 1 < len(tokens) else ""
    return before in _NOT_BEFORE_A_NOUN or (after in _DETERMINERS and before not in _DETERMINERS)


def _place(text: str) -> Place:
    match text:
        case "ground" | "sky" | "float" | "water" | "under":
            return text
        case _:
            raise ValueError(f"unknown place {text!r} in sprites/index.txt; allowed: ground, sky, float, water, under")


def _list(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _rows(path: str, columns: int) -> list[tuple[str, ...]]:
    lines = (HERE / path).read_text(encoding="utf-8").splitlines()
    rows = [tuple(cell.strip() for cell in line.split("|")) for line in lines if line.strip() and line[0] != "#"]
    wrong = [row for row in rows if len(row) != columns]
    if wrong:
        raise ValueError(f"{path}: a row needs {columns} columns: {wrong[0]}")
    return rows
