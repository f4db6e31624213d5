"""Reads a goal into a typed brief, deterministically. Knows words (`planner/lexicon.py`), no tasks and no manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from planner import lexicon
from planner.clauses import judge
from planner.durations import Reading, read_duration, read_resolution
from planner.topic import read_topic
from schemas.brief import Brief, Deliverable
from schemas.diagnostics import Code, Diagnostic, Severity
from schemas.planning import PlanRequest

_VOWELS = "aeiouyäöüáéíóúàèìòùâêîôûœæ"


@dataclass(frozen=True)
class Understood:
    """A brief and what the reader has to say about the goal."""

    brief: Brief
    diagnostics: tuple[Diagnostic, ...]


def read_brief(request: PlanRequest) -> Understood:
    """Read the goal, the user's context and the inputs at hand. Hostile clauses become `unsafe_input` warnings."""
    judged = judge(request.goal)
    goal = judged.legitimate
    diagnostics = tuple(
        Diagnostic(
            code=Code.UNSAFE_INPUT,
            path="/goal",
            message="this part of the goal is not a thing to make and was left out",
            severity=Severity.WARNING,
            got=clause[:300],
            hint="say only what you want to have",
        )
        for clause in judged.hostile
    )
    images, audio, svg, others = _at_hand(request.inputs)
    duration, resolution = read_duration(goal), read_resolution(goal)
    styles, style_spans = _styles(goal)
    language, language_spans = _language(goal, request.user_context.language)
    excluded, deliverables = _deliverables(goal, images=images, audio=audio)
    spans = [(item.start, item.end) for item in (duration, resolution) if item is not None]
    topic = read_topic(goal, spans=[*spans, *style_spans, *language_spans]) if _means_something(goal) else ""
    if request.user_context.style and request.user_context.style.strip().lower() not in styles:
        styles.append(request.user_context.style.strip())
    brief = Brief(
        goal=goal,
        topic=topic,
        deliverables=deliverables if _means_something(goal) else (),
        excluded=excluded,
        duration_seconds=_value(duration),
        resolution=str(resolution.value) if resolution is not None else None,
        style=", ".join(styles) or None,
        language=language,
        variant=lexicon.PORTRAIT if Deliverable.TALKING_VIDEO in deliverables else None,
        profile_id=request.user_context.profile_id,
        approve=bool(_found(lexicon.APPROVAL, goal)),
        recalls=bool(_found(lexicon.RECALL, goal)),
        images=images,
        audio=audio,
        svg=svg,
        others=others,
    )
    return Understood(brief, diagnostics)


def _value(reading: Reading | None) -> float | None:
    return float(reading.value) if reading is not None else None


def _at_hand(inputs: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...], str | None, dict[str, Any]]:
    def texts(value: Any) -> tuple[str, ...]:
        items: list[Any] = list(value) if isinstance(value, (list, tuple)) else [value]
        return tuple(item for item in items if isinstance(item, str) and item)

    svg = texts(inputs.get("svg"))
    others = {key: value for key, value in inputs.items() if key not in {"images", "audio", "svg"}}
    return texts(inputs.get("images")), texts(inputs.get("audio")), svg[0] if svg else None, others


def _deliverables(
    goal: str, *, images: tuple[str, ...], audio: tuple[str, ...]
) -> tuple[tuple[Deliverable, ...], tuple[Deliverable, ...]]:
    """Return what the goal excludes and what it wants; a goal that names nothing is told as a video or drawn."""
    excluded = tuple(dict.fromkeys(item for match in _all(lexicon.EXCLUDED, goal) for item in _named(match["what"])))
    text = _blank(rf"(?:{lexicon.APPROVAL})" + r"(?:\s+(?:the|this|its)?\s*\w+)?", goal)
    text = _blank(lexicon.TRAIN_IDIOMS, _blank(lexicon.EXCLUDED, text))
    # The wish stands before its subject: in "a video about photos", photos are no deliverable.
    wish = _before_subject(text)
    wanted = _named(_blank(lexicon.MATERIAL, wish), training=wish)
    if _found(lexicon.TRAIN, wish) and not {Deliverable.LORA, Deliverable.VOICE} & set(wanted):
        wanted += [Deliverable.LORA] if images or not audio else []
        wanted += [Deliverable.VOICE] if audio else []
    if _found(lexicon.ONLY + r"\s+(?:\w+\s+){0,2}?" + lexicon.TRAIN, wish):
        wanted = [item for item in wanted if item in {Deliverable.LORA, Deliverable.VOICE}]
    wanted = [item for item in wanted if item not in excluded and not (item.kind == "video" and _no_video(excluded))]
    if not wanted and not excluded and _means_something(goal):
        wanted = [_unnamed(goal)]
    return excluded, tuple(wanted)


def _no_video(excluded: tuple[Deliverable, ...]) -> bool:
    return Deliverable.VIDEO in excluded


def _unnamed(goal: str) -> Deliverable:
    if _found(lexicon.DRAWN, goal):
        return Deliverable.IMAGE
    made = _found(lexicon.MADE, goal) or _found(lexicon.THING, goal)
    return Deliverable.IMAGE if made and not _found(lexicon.TOLD, goal) else Deliverable.VIDEO


def _named(text: str, *, training: str | None = None) -> list[Deliverable]:
    """Return the deliverables that the text names, in the lexicon's order; a word counts for one of them only."""
    found: list[Deliverable] = []
    for deliverable, pattern in lexicon.DELIVERABLES:
        searched = training if training is not None and deliverable in {Deliverable.LORA, Deliverable.VOICE} else text
        if not _found(pattern, searched):
            continue
        found.append(deliverable)
        text = _blank(pattern, text)
        if deliverable.kind == "video":  # "an avatar video" is one wish
            text = _blank(
                r"\b[\w-]*(?:video|clip|film|movie|animation|explainer|v[ií]deo|vid[ée]o)s?\b(?! (?:and|und|y|et) )",
                text,
            )
    training_only = {Deliverable.LORA, Deliverable.VOICE} & set(found)
    if training_only:  # the photos one trains on are not wanted back
        found = [item for item in found if item is not Deliverable.IMAGE]
    return found


_SUBJECT = (
    r"\b(?:about|explaining|on the topic of|that (?:explains|tells|shows|describes)|über|zum thema|sobre|acerca de|"
    r"au sujet de|à propos de|sur)\b"
)
_NEXT_WISH = (
    r"(?:\band\b|\bplus\b|\balso\b|\bund\b|\by\b|\bet\b|"
    r"[.;])\s*(?:then\s+)?(?:also\s+)?(?:(?:an?|the|eine?|una?|une?)\s+\S+|make|create|generate|"
    r"render|train|draw|save|save|use|keep|let|it)\b"
)


def _before_subject(text: str) -> str:
    """Blank each told subject up to the next sentence or the next wish."""
    return _compiled(rf"{_SUBJECT}.*?(?={_NEXT_WISH}|$)").sub(" ", text)


def _styles(goal: str) -> tuple[list[str], list[tuple[int, int]]]:
    names: list[str] = []
    spans: list[tuple[int, int]] = []
    for name, pattern in lexicon.STYLES.items():
        match = next(_all(rf"\b(?:{pattern})(?:\s+(?:style|tone|way|manner))?\b", goal), None)
        if match is not None:
            names.append(name)
            spans.append(match.span())
    manner = next(
        _all(r"\bin the style of\s+(?P<of>[^,.;]{2,60})|\bin an?\s+(?P<a>[\w -]{2,40}?)\s+(?:style|tone)\b", goal), None
    )
    if manner is not None:
        words = (manner["of"] and f"in the style of {manner['of'].strip()}") or manner["a"].strip().lower()
        if words not in names and not any(start >= manner.start() and end <= manner.end() for start, end in spans):
            names.append(words)
        spans.append(manner.span())
    ordered = sorted(zip(names, spans, strict=False), key=lambda pair: pair[1])
    return [name for name, _ in ordered], spans


def _language(goal: str, preferred: str | None) -> tuple[str, list[tuple[int, int]]]:
    """Return the language asked for, else the user's, else that of the goal itself."""
    for code, names in lexicon.LANGUAGES.items():
        match = next(_all(lexicon.IN_LANGUAGE.format(names=names), goal), None)
        if match is not None:
            return code, [match.span()]
    if preferred:
        return preferred, []
    words = re.findall(r"\w+", goal.lower())
    scores = {code: sum(word in known for word in words) for code, known in lexicon.FUNCTION_WORDS.items()}
    best = max(scores, key=lambda code: scores[code])
    return (best if scores[best] > scores["en"] else "en"), []


def _means_something(goal: str) -> bool:
    """Tell text from noise: at least one word with a vowel, or a script without Latin letters."""
    words = re.findall(r"[^\W\d_]{2,}", goal.lower())
    return any(not word.isascii() or (set(word) & set(_VOWELS) and len(set(word)) > 1) for word in words)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def _found(pattern: str, text: str) -> re.Match[str] | None:
    return _compiled(pattern).search(text)


def _all(pattern: str, text: str) -> Any:
    return _compiled(pattern).finditer(text)


def _blank(pattern: str, text: str) -> str:
    return _compiled(pattern).sub(" ", text)
