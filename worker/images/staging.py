"""From a prompt to what a composed picture shows: its place, its hour and its things. Pure; no pixels, no clock.

It draws on the storyboard's lexicon, which matches whole words only. A still has no narration, so one phrase may
name several things and how many of each.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from worker.speech.timing import Word
from worker.storyboard import lexicon
from worker.storyboard.lexicon import Hit, Sprite
from worker.storyboard.phrases import key_phrase

MOST_KINDS = 5
MOST_THINGS = 9
_NUMBERS = {
    "two": 2, "both": 2, "pair": 2, "couple": 2, "three": 3, "some": 3, "several": 4, "four": 4, "many": 5, "five": 5,
    "six": 6, "seven": 7,
}  # fmt: skip
_WHERE_TEXT = "in on at under over above inside near beside behind by through across into of"
_WHERE = frozenset(_WHERE_TEXT.split())
_NIGHT = re.compile(r"\b(night|midnight|moon|moonlit|moonlight|starry|dark|darkness|bedtime|neon|cyberpunk)\b", re.I)
_DUSK = re.compile(r"\b(evening|sunset|dusk|sunrise|dawn|twilight|golden hour|autumn)\b", re.I)
_DAY = re.compile(r"\b(day|daylight|noon|midday|morning|sunny|sunshine)\b", re.I)
_ORDER = re.compile(
    r"^\W*(?:please\s+)?(?:(?:can|could|would) you\s+)?"
    r"(?:draw|paint|make|create|generate|render|show|design|produce|give|sketch)\s+(?:me\s+)?(?:up\s+)?"
    r"(?:(?:(?:an?|the|some|one)\s+)?(?:[\w-]+\s+){0,3}?"
    r"(?:pictures?|images?|photos?|photographs?|illustrations?|drawings?|paintings?)\s+"
    r"(?:of|with|showing|that shows)\s+)?",
    re.I,
)
"""How a goal asks for a picture: not a word of what is in it."""
_QUOTED = re.compile(r"[\"“”]([^\"“”]{1,40})[\"“”]")
_INDOORS_TEXT = "room bedroom kitchen table laboratory hospital classroom library workshop hall gallery stage"
INDOORS = frozenset(_INDOORS_TEXT.split())
"""Places without a sky: nothing of the sky is shown in them."""
PLAIN = "soft"  # colours only: the place of a prompt that names none
HOURS_AS_PLACES = frozenset({"sky-day", "sky-dusk", "sky-night"})
SHOWN_BY = {
    "snow": {"ice", "snowflake"}, "globe": {"earth"}, "mountains": {"mountain"}, "beach": {"beach", "wave"},
    "ocean": {"wave", "droplet"}, "forest": {"tree", "pine"}, "space": {"glowing-star", "star"},
    "storm": {"thunderstorm", "rain-cloud"},
}  # fmt: skip
"""Background -> sprites that it shows already, so that they need no second picture."""
_MOODS_TEXT = "sleeping-face zzz thought sneeze sick laughing thinking mind-blown scared yum question"
MOODS = frozenset(_MOODS_TEXT.split())
"""Faces and signs that stand for a verb or a mood: only shown when the prompt names no thing."""


@dataclass(frozen=True)
class Part:
    """A thing of the picture and how often it is there."""

    sprite: Sprite
    count: int


@dataclass(frozen=True)
class Staging:
    """What the picture shows.

    Attributes:
        background: a name of `storyboard/backgrounds/index.txt`.
        hour: `day`, `dusk` or `night`.
        parts: the most important first.
        letters: words to write: what the prompt quotes, or its key phrase when nothing in it can be drawn.
        known: whether any word of the prompt called for something.
    """

    background: str
    hour: str
    parts: tuple[Part, ...]
    letters: str
    known: bool


def staged(prompt: str, *, negative_prompt: str = "", seed: int = 0) -> Staging:
    """Return what a prompt calls for.

    Args:
        negative_prompt: things and places named here are left out.
        seed: chooses among equally fitting places and hours.
    """
    choice = random.Random(f"still {seed} {prompt}")
    quoted = _QUOTED.search(prompt)
    text = _ORDER.sub("", _QUOTED.sub(" ", prompt))
    tokens = lexicon.tokens_of(text)
    subjects = lexicon.topics_of(text)
    unwanted = {hit.name for hit in lexicon.sprite_words().scan(lexicon.tokens_of(negative_prompt))}
    parts = [part for part in _parts(tokens, subjects) if part.sprite.name not in unwanted]
    background, asked = _background(tokens, parts, subjects, negative_prompt, choice)
    hour = "night" if _NIGHT.search(text) else "dusk" if _DUSK.search(text) else ""
    hour = hour or ("day" if _DAY.search(text) or choice.random() > 0.25 else "dusk")
    shown = SHOWN_BY.get(background, set())
    sky = {part.sprite.name for part in parts if part.sprite.place == "sky" and background in INDOORS}
    parts = [part for part in parts if part.sprite.name not in shown | sky]
    letters = quoted[1].strip() if quoted else ""
    if not (parts or asked or letters):
        phrase = key_phrase([Word(word, 0.0, 0.0) for word in text.split()])
        letters = phrase[0] if phrase else ""
    return Staging(background, hour, tuple(parts), letters, bool(parts) or asked)


def _parts(tokens: list[str], subjects: list[str]) -> list[Part]:
    counts: dict[str, int] = {}
    for hit in lexicon.sprite_words().scan(tokens, topics=subjects):
        counts[hit.name] = max(counts.get(hit.name, 0), _count(tokens, hit))
    things = [name for name in counts if name not in MOODS] or list(counts)
    parts: list[Part] = []
    for name in things[:MOST_KINDS]:
        left = MOST_THINGS - sum(part.count for part in parts)
        if left > 0:
            parts.append(Part(lexicon.sprites()[name], min(left, counts[name])))
    return parts


def _count(tokens: list[str], hit: Hit) -> int:
    """Return how many the prompt asks for: a number up to two words before it."""
    before = tokens[max(0, hit.at - 2) : hit.at]
    for word in reversed(before):
        if word in _NUMBERS:
            return _NUMBERS[word]
        if word.isdigit() and 1 < int(word) <= MOST_THINGS:
            return int(word)
    return 1


def _background(
    tokens: list[str], parts: list[Part], subjects: list[str], negative_prompt: str, choice: random.Random
) -> tuple[str, bool]:
    """Return the best-fitting background, and whether a word of the prompt called for it."""
    score: dict[str, float] = {PLAIN: 0.5}
    standing = any(part.sprite.place == "ground" for part in parts)
    grounded = lexicon.grounded_backgrounds()
    hits = lexicon.background_words().scan(tokens)
    for hit in hits:
        where = 1.5 if _WHERE & set(tokens[max(0, hit.at - 3) : hit.at]) else 0.0
        names = hit.name.split("|")
        for name in names:
            score[name] = score.get(name, 0.0) + (2.0 + hit.length + where) / (1 + 0.35 * (len(names) - 1))
    for rank, subject in enumerate(subjects[:3]):
        for place, name in enumerate(lexicon.topics()[subject].backgrounds):
            score[name] = score.get(name, 0.0) + max(0.3, 2.2 - 0.35 * place) / (1 + rank)
    if standing and not set(score) & grounded:
        score |= {"meadow": 1.0, PLAIN: 0.6}
    unwanted = {name for hit in lexicon.background_words().scan(lexicon.tokens_of(negative_prompt))
                for name in hit.name.split("|")}  # fmt: skip
    kinds = {part.sprite.place for part in parts}
    for name in score:
        if standing:
            score[name] += 1.4 if name in grounded else -1.2
            score[name] -= 2.0 if name in HOURS_AS_PLACES and name not in grounded else 0.0
        if "water" in kinds:
            score[name] += {"ocean": 5.0, "beach": 2.0}.get(name, 0.0 if name in grounded else -6.0)
        if name == "underwater":
            score[name] += 4.0 if "under" in kinds else -3.0 if parts else 0.0
        score[name] -= 9.0 if name in unwanted else 0.0
        score[name] += choice.random() * 0.3
    best = max(score, key=lambda name: (score[name], name))
    return best, best != PLAIN and any(best in hit.name.split("|") for hit in hits)
