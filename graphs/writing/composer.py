"""Composes a script from facts and the lines of a style by rule: nothing is stated that has no source. Pure."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass, replace
from itertools import pairwise

from graphs.writing.brief import Brief, Style
from graphs.writing.facts.select import Fact
from graphs.writing.lines import CLOSINGS, FILLERS, GREETING, LINKS, OPENERS, PARTIAL, STAGES, WITHOUT_FACTS
from graphs.writing.sentences import capitalised, count_words, split_sentences
from graphs.writing.topic import LONGEST_PHRASE, Topic

TRIES = 150
FEWEST_SENTENCES = 4
WORDS_PER_LINK = {Style.HUMOROUS: 24, Style.KIDS: 26, Style.DRAMATIC: 40, Style.CALM: 40}
DEFAULT_WORDS_PER_LINK = 70
THIN_SHARE = 0.78
"""Only a script that is emptier than this gets links and fillers beyond its style's; slower speech does the rest."""

LONGEST_SAID_WORDS = 18
"""A longer fact is hard to follow by ear; it is told only where nothing shorter says it."""

FACT_WORTH = 6.0


_SUBJECT = re.compile(r"((?:An?|The) [a-z][\w-]*(?: [a-z][\w-]*)?) (is|are|was|were|has|have|can)\b")


@dataclass(frozen=True)
class Line:
    """One spoken line: a fact with its source, or a line that states none (`source` empty)."""

    text: str
    source: str = ""

    @property
    def words(self) -> int:
        return count_words(self.text)


def compose(brief: Brief, topic: Topic, facts: list[Fact]) -> list[Line]:
    """Return the lines of a script that fills the brief's time as well as the facts allow.

    The same brief always gives the same script: variety comes from a seed made of topic and style.
    """
    dice = random.Random(_seed(f"{topic.phrase.lower()}|{brief.style}|{brief.duration_s:g}"))
    best: tuple[float, list[Line]] | None = None
    for _ in range(TRIES):
        lines = _attempt(brief, topic, facts, dice)
        cost = _cost(lines, brief.target_words)
        if best is None or cost < best[0]:
            best = (cost, lines)
    assert best is not None
    return best[1]


def title_of(topic: Topic) -> str:
    """Return the topic as a title: `How Volcanoes Erupt`."""
    small = {"a", "an", "the", "of", "and", "or", "in", "on", "to", "for", "by", "at", "with", "from"}
    tokens = topic.phrase.split()
    tokens = tokens if len(tokens) <= LONGEST_PHRASE else topic.name.split()
    titled = [token if token in small and index else capitalised(token) for index, token in enumerate(tokens)]
    return " ".join(titled)[:100]


def stage_of(brief: Brief, topic: Topic, seen: list[str]) -> str:
    """Return what the viewer sees; `seen` are visible things that the narration names."""
    scene = topic.about if not seen else f"{topic.about}, with " + _listed(seen[:4])
    return STAGES[brief.style].format(scene=scene)


def _attempt(brief: Brief, topic: Topic, facts: list[Fact], dice: random.Random) -> list[Line]:
    target = brief.target_words
    opener, closing = (
        _said(dice.choice(_openers(brief.style, topic)), topic),
        _said(dice.choice(_closings(brief.style, topic)), topic),
    )
    if target < 16:
        return [Line(min((_said(text, topic) for text in _openers(brief.style, topic)), key=count_words))]
    if not facts:
        return _without_facts(target, opener, closing, dice, greeting=topic.is_greeting)
    links = _links(brief.style, target, dice)
    extra = [dice.choice(PARTIAL)] if topic.partial else []
    fixed = [opener, *extra, *links, closing]
    chosen = _fill(facts, target - sum(count_words(text) for text in fixed), dice)
    if len(chosen) < 2 and brief.style not in (Style.HUMOROUS, Style.KIDS):
        fixed, links = [opener, *extra, closing], []  # a link would promise a fact that does not come
    if not chosen:
        fixed, links, chosen = [opener, *extra], [], [min(_lines_of(facts), key=lambda line: line.words)]
    filled = sum(count_words(text) for text in fixed) + sum(line.words for line in chosen)
    spare = [text for text in LINKS[brief.style] if text not in links] if len(chosen) > 1 else []
    dice.shuffle(spare)
    for text in spare[: max(0, len(chosen) - len(links))]:
        if filled + count_words(text) <= target + 1 and filled < target * THIN_SHARE:
            links.append(text)
            filled += count_words(text)
    fillers: list[str] = []
    for text in dice.sample(FILLERS, k=len(FILLERS)):
        if filled + count_words(text) <= target + 1 and filled < target * THIN_SHARE:
            fillers.append(text)
            filled += count_words(text)
    ending = [*fillers, closing] if closing in fixed else fillers
    body = _woven(_flowing(chosen), links)
    return [Line(opener), *(Line(text) for text in extra), *body, *(Line(text) for text in ending)]


def _fill(facts: list[Fact], room: int, dice: random.Random) -> list[Line]:
    """Choose facts for `room` words, the definition first: a knapsack over the lengths in which each can be said."""
    ranked = sorted(facts, key=lambda fact: -fact.score)[:24]
    lead = [fact for fact in facts if fact.order == 0][:1] or ranked[:1]
    others = [fact for fact in ranked if fact not in lead]
    chosen: list[tuple[int, Line]] = []
    for fact in lead:
        form = next((form for form in fact.forms if count_words(form) <= LONGEST_SAID_WORDS), fact.forms[-1])
        if count_words(form) <= room + 2:
            chosen.append((fact.order, Line(form, fact.source)))
            room -= count_words(form)
    table: dict[int, tuple[float, tuple[tuple[int, Line], ...]]] = {0: (0.0, ())}
    for fact in others:
        worth = max(0.5, fact.score) + dice.uniform(0.0, 1.0)
        grown = dict(table)
        for used, (value, picked) in table.items():
            for form in fact.forms:
                size = count_words(form)
                total, gain = used + size, value + worth - 0.5 * max(0, size - LONGEST_SAID_WORDS)
                if total <= room + 3 and gain > grown.get(total, (0.0, ()))[0]:
                    grown[total] = (gain, (*picked, (fact.order, Line(form, fact.source))))
        table = grown
    picked = max(table.items(), key=lambda item: item[1][0] + 0.4 * item[0])[1][1]
    return [line for _, line in sorted((*chosen, *picked), key=lambda pair: pair[0])]


def _without_facts(target: int, opener: str, closing: str, dice: random.Random, *, greeting: bool) -> list[Line]:
    """Return an honest script for a topic that no source knows."""
    lines = [opener] if greeting else [opener, WITHOUT_FACTS[0]]
    rest = list(GREETING if greeting else WITHOUT_FACTS[1:])
    dice.shuffle(rest)
    room = target - count_words(closing)
    for text in rest:
        if sum(map(count_words, lines)) + count_words(text) <= room + 1:
            lines.append(text)
    return [Line(text) for text in (*lines, closing)]


def _links(style: Style, target: int, dice: random.Random) -> list[str]:
    count = round(target / WORDS_PER_LINK.get(style, DEFAULT_WORDS_PER_LINK)) - 1
    if style in (Style.HUMOROUS, Style.KIDS):
        count = max(1, count)
    return dice.sample(LINKS[style], k=min(max(0, count), len(LINKS[style])))


def _woven(facts: list[Line], links: list[str]) -> list[Line]:
    """Return the facts with the links between them, spread evenly and never two in a row."""
    woven: list[Line] = []
    every = max(1.0, len(facts) / (len(links) + 1))
    placed = 0
    for index, fact in enumerate(facts, start=1):
        woven.append(fact)
        if placed < len(links) and index >= round(every * (placed + 1)) and (index < len(facts) or not placed):
            woven.append(Line(links[placed]))
            placed += 1
    return woven


def _flowing(facts: list[Line]) -> list[Line]:
    """Return the facts with `It` or `They` for a common subject that the fact before has just named."""
    flowing = facts[:1]
    for before, line in pairwise(facts):
        match = _SUBJECT.match(line.text)
        if match and before.source == line.source and before.text.startswith(match[1] + " "):
            pronoun = "They" if match[2] in ("are", "were", "have") else "It"
            line = replace(line, text=f"{pronoun} {line.text[match.start(2) :]}")
        flowing.append(line)
    return flowing


def _cost(lines: list[Line], target: int) -> float:
    """Return how far a script is from its length; too few sentences and too few facts cost as well."""
    total = sum(line.words for line in lines)
    sentences = sum(len(split_sentences(line.text)) for line in lines)
    facts = sum(1 for line in lines if line.source)
    over, under = max(0.0, total - target * 1.08), max(0.0, target * 0.88 - total)
    short_of_sentences = max(0, FEWEST_SENTENCES - sentences) if target >= 30 else 0
    return under + 5 * over + 8 * short_of_sentences - FACT_WORTH * min(facts, max(4, target // 12))


def _lines_of(facts: list[Fact]) -> list[Line]:
    return [Line(form, fact.source) for fact in facts for form in fact.forms]


def _openers(style: Style, topic: Topic) -> list[str]:
    """Return the openers that the phrase fits: `how volcanoes erupt` follows `about`, but not `meet`."""
    if topic.is_greeting:
        return ["{About}!"]
    if topic.is_question:
        return ["{About}? Good question.", "{About}? Let's have a look.", "{About}? I was hoping you'd ask."]
    clause = re.match(r"(?:how|why|what|when|where|who|whether)\b", topic.phrase, re.IGNORECASE)
    return [text for text in OPENERS[style] if not clause or re.search(r"(?:about|at|consider|: )\W*\{about\}", text)]


def _closings(style: Style, topic: Topic) -> list[str]:
    return [text for text in CLOSINGS[style] if not (topic.is_greeting or topic.is_question) or "{about}" not in text]


def _said(text: str, topic: Topic) -> str:
    return capitalised(text.format(about=topic.about, About=capitalised(topic.about)))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def reworded(line: Line, text: str) -> Line:
    """Return the line with another wording of the same fact."""
    return replace(line, text=text)
