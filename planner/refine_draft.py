"""A request under change: the goal as it is being rewritten and what is left of the wish. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from schemas.brief import Brief

GAP = "\x1f"
"""Stands in the wish for what is understood."""


@dataclass
class Draft:
    """The parts of a request that a wish can change, and a sentence for each change."""

    goal: str
    wish: str
    brief: Brief  # what the earlier request said
    duration_s: float
    resolution: str
    language: str | None
    style: str | None
    variant: str | None
    changes: list[str] = field(default_factory=list[str])

    def take(self, pattern: str) -> bool:
        """Take the pattern out of the wish; tell whether it was there."""
        match = find(pattern, self.wish)
        if match is not None:
            self.cut(match.start(), match.end())
        return match is not None

    def cut(self, start: int, end: int) -> None:
        """Take this part out of the wish."""
        self.wish = f"{self.wish[:start]}{GAP}{self.wish[end:]}"

    def append(self, sentence: str) -> None:
        """Say one more sentence in the goal."""
        sentence = sentence.strip(" ,.;")
        self.goal = f"{self.goal.rstrip(' .;,')}. {sentence[:1].upper()}{sentence[1:]}."

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text` in the place of a part of the goal."""
        self.goal = tidy(f"{self.goal[:start].rstrip()} {text} {self.goal[end:].lstrip()}")

    def drop(self, pattern: str) -> bool:
        """Take the pattern out of the goal; tell whether it was there and something is left."""
        left = _compiled(pattern).sub(" ", self.goal)
        if left == self.goal or not re.search(r"\w{3}", left):
            return False
        left = tidy(left).strip(",; ")
        self.goal = left[:1].upper() + left[1:]
        return True


def find(pattern: str, text: str) -> re.Match[str] | None:
    """Return the first place of the pattern, whatever the case."""
    return _compiled(pattern).search(text)


def tidy(text: str) -> str:
    """Return the text with single blanks and none before punctuation."""
    return re.sub(r"\s+(?=[,.;!?])", "", re.sub(r"\s{2,}", " ", text)).strip()


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
