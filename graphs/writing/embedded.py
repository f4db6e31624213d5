"""Writes a script from packaged facts with the packaged model; its functions run in a warm child, JSON in and out."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from graphs.writing.brief import CONFIGURE_HINT, Brief, Draft
from graphs.writing.checks import faults, trimmed
from graphs.writing.composer import Line, compose, reworded, stage_of, title_of
from graphs.writing.encyclopedia import encyclopedia
from graphs.writing.facts.select import USER_SOURCE, Fact, Library, user_facts
from graphs.writing.sentences import STOPWORDS, count_words, singulars, words
from graphs.writing.topic import Topic, find_topic
from graphs.writing.wordnet import wordnet
from schemas.script import ScriptSource

ROUNDS = 2
MODEL_TIME_S = 2.0
"""After this long the remaining facts keep the composer's wording, so that a busy machine is late, not stuck."""

WORTH_SHORTENING_WORDS = 12
"""A shorter fact is easy to say as it is; the model is asked about the longer ones only."""

COMPOSER_NAME = "rule-based composer"
UNSEEN = frozenset(
    """general compact world body object area surface part energy matter thing material product group someone
    person trail major sweet temporary permanent staple base starter anniversary system term form type
    kind state mass
    """.split()  # noqa: SIM905
)
"""Nouns that name a thing which no picture shows."""

Reword = Callable[..., str]
_LOG = logging.getLogger(__name__)


def write(argument: dict[str, Any]) -> dict[str, Any]:
    """Return a draft as JSON for a brief as JSON, with the model's wording where it passed every check."""
    from graphs.writing import model

    return _draft(Brief.model_validate(argument), model.shorten, model.NAME).model_dump(mode="json")


def compose_only(argument: dict[str, Any]) -> dict[str, Any]:
    """Return a draft as JSON without any model: what the rules write from the same facts."""
    return _draft(Brief.model_validate(argument), None, "").model_dump(mode="json")


def _draft(brief: Brief, reword: Reword | None, model_name: str) -> Draft:
    nouns, articles = wordnet(), encyclopedia()
    topic = find_topic(brief.topic, f"{brief.topic} {brief.goal}", articles=articles, nouns=nouns)
    given = user_facts(brief)
    found = [] if topic.is_greeting else Library(articles, nouns).facts(topic, wanted_words=brief.target_words)
    facts = [*given, *(Fact(fact.forms, fact.source, fact.score, fact.order + len(given)) for fact in found)]
    lines = compose(brief, topic, facts)
    lines, worded = _reword(lines, topic, reword) if reword else (lines, 0)
    narrative = " ".join(line.text for line in lines)
    return Draft(
        title=title_of(topic),
        stage=stage_of(brief, topic, _visible(lines, topic)),
        narrative=narrative,
        model=_model_name(model_name, worded, lines),
        sources=tuple(ScriptSource(sentence=line.text, source=line.source) for line in lines if line.source),
        note=_note(brief, topic, lines, worded),
    )


def _reword(lines: list[Line], topic: Topic, reword: Reword) -> tuple[list[Line], int]:
    """Let the model say each packaged fact in two rounds; the composer's wording stays where no answer passes."""
    ends_at = time.monotonic() + MODEL_TIME_S
    result = list(lines)
    worded = 0
    for index, line in enumerate(lines):
        if not line.source or line.source == USER_SOURCE or line.words < WORTH_SHORTENING_WORDS:
            continue
        others = tuple(each.text for at, each in enumerate(result) if at != index)
        for seed in range(1, ROUNDS + 1):
            if time.monotonic() > ends_at:
                return result, worded
            said = trimmed(reword(line.text, seed=seed))
            wrong = faults(said, fact=line.text, allowed=topic.stems, others=others) if said else ["unfinished"]
            if not wrong and said != line.text and line.words - 4 <= count_words(said):
                result[index] = reworded(line, said)
                worded += 1
                break
            _LOG.debug("script.sentence_refused", extra={"codes": wrong})
    return result, worded


def _visible(lines: list[Line], topic: Topic) -> list[str]:
    """Return the things that the facts name and a viewer could see, topic left out."""
    nouns, seen = wordnet(), []
    own = {form for word in words(topic.phrase.lower()) for form in singulars(word)} | set(topic.name.lower().split())
    for line in lines:
        phrases = re.finditer(r"\b([a-z]{4,})(?=[.,;]| (\w+))", line.text.lower()) if line.source else ()
        for word in (match[1] for match in phrases if match[2] is None or match[2] in STOPWORDS):
            noun = singulars(word)[-1]
            if len(noun) > 3 and noun not in own | UNSEEN and word not in seen and nouns.is_thing(noun):
                seen.append(word)
    return seen


def _model_name(model_name: str, worded: int, lines: list[Line]) -> str:
    names = list(dict.fromkeys(line.source.split(":")[0] for line in lines if line.source))
    writers = ([model_name] if worded else [COMPOSER_NAME]) + names
    return ("embedded: " + " + ".join(writers))[:120]


def _note(brief: Brief, topic: Topic, lines: list[Line], worded: int) -> str:
    facts = sum(1 for line in lines if line.source)
    parts: list[str] = []
    if not brief.is_english:
        parts.append(f"The embedded writer knows English only, so this is not in {brief.language!r}.")
    if not facts and not topic.is_greeting:
        parts.append("No packaged source knows this topic: add your own facts to the goal.")
    elif topic.partial:
        parts.append("No packaged source knows this topic as a whole, only its words.")
    elif topic.focus and not any(topic.focus & set(_stems(line.text)) for line in lines if line.source):
        parts.append(f"The packaged facts are about {topic.name}; they do not answer the whole question.")
    if sum(line.words for line in lines) < 0.8 * brief.target_words:
        parts.append("There were too few facts for the asked length.")
    if facts:
        rest = facts - worded
        parts.append(f"{worded} of {facts} facts worded by the model, {rest} by the rule-based composer or the user.")
    if any(line.source.startswith("Wikipedia") for line in lines):
        parts.append("Wikipedia text is CC BY-SA 4.0: name the sources when you publish.")
    return " ".join((*parts, CONFIGURE_HINT))[:500]


def _stems(text: str) -> list[str]:
    from graphs.writing.sentences import content_stems

    return content_stems(text)
