"""Reads a goal into a typed brief, deterministically. Knows words (`planner/wish_words.py`), no tasks, no manifest."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from planner import deed_words, lexicon, wish_words
from planner.clauses import judge
from planner.durations import Reading, read_duration, read_resolution
from planner.learned import weigh
from planner.topic import read_topic
from schemas.brief import TRAINED, Brief, Deliverable
from schemas.diagnostics import Code, Diagnostic, Severity
from schemas.planning import PlanRequest

SURE, DOUBTFUL, VAGUE = 0.8, 0.05, 0.3
"""From which chance on a deliverable is added to, or kept among, those that are named; and where none is named."""
ACTS = frozenset({Deliverable.MEMORY, Deliverable.PUBLICATION})
"""What happens with a result is never guessed: only words for it count."""
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
    wishes = _wishes(
        goal, images=bool(images), audio=bool(audio), svg=bool(svg), others=others, timed=duration is not None
    )
    wishes = _weighed(goal, wishes, images=bool(images), audio=bool(audio))
    spans = [(item.start, item.end) for item in (duration, resolution) if item is not None]
    is_text = _means_something(goal)
    topic = read_topic(goal, spans=[*spans, *style_spans, *language_spans]) if is_text else ""
    if not topic and wishes.wanted and not wishes.is_guess:  # the subject may stand in a sentence before the wish
        topic = next((found for part in re.split(r"(?<=[.!?])\s+", goal) if (found := read_topic(part, spans=[]))), "")
    if request.user_context.style and request.user_context.style.strip().lower() not in styles:
        styles.append(request.user_context.style.strip())
    brief = Brief(
        goal=goal,
        topic=topic,
        deliverables=wishes.wanted if is_text and not (judged.hostile and wishes.is_wild) else (),
        excluded=wishes.excluded,
        is_guess=wishes.is_guess,
        duration_seconds=_value(duration),
        resolution=str(resolution.value) if resolution is not None else None,
        style=", ".join(styles) or None,
        language=language,
        variant=lexicon.PORTRAIT if Deliverable.TALKING_VIDEO in wishes.wanted else None,
        profile_id=request.user_context.profile_id,
        approve=bool(_found(wish_words.APPROVAL, goal)),
        recalls=bool(_found(wish_words.RECALL, goal)),
        images=images,
        audio=audio,
        svg=svg,
        others=others,
    )
    return Understood(brief, diagnostics)


def _weighed(goal: str, read: Wishes, *, images: bool, audio: bool) -> Wishes:
    """Return the wishes after the learned reader's word: it adds what it is sure of and drops what it doubts.

    It sees no files: a training that the caller's files call for stays, and beside what is named none is added
    without them.
    """
    chances = weigh(goal, read.wanted, is_guess=read.is_guess)
    for item in read.wanted:
        if item.kind == "video":  # a word for the method says more than the rest of the sentence
            chances[item] = max(chances[item], chances[Deliverable.VIDEO])
    vague = read.is_guess or not read.wanted
    trainable = ({Deliverable.LORA} if images else set()) | ({Deliverable.VOICE} if audio else set())
    fixed = ACTS | trainable
    kept = [item for item in read.wanted if item in fixed or chances[item] >= (VAGUE if vague else DOUBTFUL)]
    barred = ACTS | (TRAINED - trainable if kept else frozenset())
    least = VAGUE if vague and not kept else SURE
    fresh = [
        item
        for item in sorted(chances, key=lambda item: -chances[item])
        if chances[item] >= least
        and item not in {*kept, *read.excluded, *barred}
        and not _is_said(item, kept, read.excluded)
    ]
    wanted = (*kept, *fresh)
    return read if wanted == read.wanted else replace(read, wanted=wanted, is_guess=vague)


def _is_said(item: Deliverable, kept: Collection[Deliverable], excluded: tuple[Deliverable, ...]) -> bool:
    """Say whether a video is no wish of its own: another kind of it is named, or none is wanted."""
    shown = any(each.kind == "video" for each in kept)
    return item.kind == "video" and (_no_video(excluded) or (shown and item is Deliverable.VIDEO))


def patterns(request: PlanRequest) -> Wishes:
    """Return what the patterns alone read of the goal: what the learned reader weighs."""
    goal = judge(request.goal).legitimate
    images, audio, svg, others = _at_hand(request.inputs)
    timed = read_duration(goal) is not None
    return _wishes(goal, images=bool(images), audio=bool(audio), svg=bool(svg), others=others, timed=timed)


def _value(reading: Reading | None) -> float | None:
    return float(reading.value) if reading is not None else None


def _at_hand(inputs: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...], str | None, dict[str, Any]]:
    def texts(value: Any) -> tuple[str, ...]:
        items: list[Any] = list(value) if isinstance(value, (list, tuple)) else [value]
        return tuple(item for item in items if isinstance(item, str) and item)

    svg = texts(inputs.get("svg"))
    others = {key: value for key, value in inputs.items() if key not in {"images", "audio", "svg"}}
    return texts(inputs.get("images")), texts(inputs.get("audio")), svg[0] if svg else None, others


@dataclass(frozen=True)
class Wishes:
    """What a goal wants and excludes."""

    wanted: tuple[Deliverable, ...]
    excluded: tuple[Deliverable, ...]
    is_guess: bool = False
    is_wild: bool = False  # a guess without any word for telling, drawing or making


def _wishes(goal: str, *, images: bool, audio: bool, svg: bool, others: Collection[str], timed: bool) -> Wishes:
    """Return what the goal wants and excludes; what names nothing is told as a video, drawn, or nothing to make."""
    goal = goal.replace("_", " ")
    words = {match["what"] or match["what2"] for match in _all(wish_words.EXCLUDED, goal)}
    excluded = tuple(dict.fromkeys([*(item for each in sorted(words) for item in _named(each)), *_untrained(goal)]))
    goal_only = _blank(wish_words.UNTRAINED, goal)
    text = _blank(rf"(?:{wish_words.APPROVAL})" + r"(?:\s+(?:the|this|its)?\s*\w+)?", goal_only)
    text = _blank(wish_words.TRAIN_IDIOMS, _blank(wish_words.EXCLUDED, text))
    # The wish stands before its subject: in "a video about photos", photos are no deliverable.
    wish = _before_subject(text)
    bare = _blank(wish_words.MATERIAL, _without_statements(wish))
    wanted = _named(_blank(wish_words.PURPOSE, bare), training=wish) or _named(bare, training=wish)
    for item, pattern in _brought(images=images or "image" in others, audio=audio, video="video" in others):
        wanted = [each for each in wanted if each is not item or item in _named(_blank(pattern, bare))]
    if only := _only(goal):
        wanted = [only]
    if _found(wish_words.TRAIN, wish) and (images or audio) and not {Deliverable.LORA, Deliverable.VOICE} & set(wanted):
        wanted += [Deliverable.LORA] if images else []
        wanted += [Deliverable.VOICE] if audio else []
    only_training = _found(wish_words.ONLY + r"\s+(?:\w+\s+){0,2}?" + wish_words.TRAIN, wish)
    if only_training:
        wanted = [item for item in wanted if item in {Deliverable.LORA, Deliverable.VOICE}]
    wanted = [item for item in wanted if item not in excluded and not (item.kind == "video" and _no_video(excluded))]
    if wanted and not set(wanted) - TRAINED and timed and not only_training and not _no_video(excluded):
        wanted.append(Deliverable.VIDEO)  # what has a length is no training
    wanted = _without_material(wanted, images=images, svg=svg, others=others)
    if wanted or excluded or not _means_something(goal):
        return Wishes(tuple(wanted), excluded)
    guess = _unnamed(goal)
    spoken = (wish_words.TOLD, wish_words.DRAWN, wish_words.MADE)
    is_wild = not any(_found(pattern, goal) for pattern in spoken)
    return Wishes((guess,) if guess else (), excluded, is_guess=True, is_wild=is_wild)


def _untrained(goal: str) -> Iterator[Deliverable]:
    for match in _all(wish_words.UNTRAINED, goal):
        yield Deliverable.LORA if match["lora"] else Deliverable.VOICE


def _without_statements(text: str) -> str:
    """Leave out the sentences that only tell about the caller, unless that leaves nothing to name."""
    kept = " ".join(part for part in re.split(r"(?<=[.!?;])\s+", text) if not _found(wish_words.STATEMENT, part))
    return kept if _named(kept) else text


def _brought(*, images: bool, audio: bool, video: bool) -> Iterator[tuple[Deliverable, str]]:
    """Yield what the caller brought along, with the words for it."""
    if images:
        yield Deliverable.IMAGE, wish_words.BROUGHT_IMAGE
    if audio:
        yield Deliverable.AUDIO, wish_words.BROUGHT_AUDIO
    if video:
        yield Deliverable.VIDEO, wish_words.BROUGHT_VIDEO


def _only(goal: str) -> Deliverable | None:
    match = _found(wish_words.ONLY_THIS, goal)
    word = (match["what"] or match["what2"] or match["what3"] or "").lower() if match else ""
    return next((item for stem, item in wish_words.ONLY_MEANS.items() if word.startswith(stem)), None)


def _without_material(
    wanted: list[Deliverable], *, images: bool, svg: bool, others: Collection[str]
) -> list[Deliverable]:
    """Leave out what the caller brought along to have something else made of it."""
    made_of = {
        Deliverable.IMAGE: images and {Deliverable.MODEL3D, Deliverable.SCENE_ANIMATION, Deliverable.TALKING_VIDEO},
        Deliverable.SVG: svg and {Deliverable.MODEL3D, Deliverable.SCENE_ANIMATION},
        Deliverable.VIDEO: "video" in others and {Deliverable.UPSCALED_VIDEO, Deliverable.LIPSYNCED_VIDEO},
    }
    wanted = [item for item in wanted if item.kind not in others or item.kind != item.value] or wanted
    left = [item for item in wanted if not (made_of.get(item) and made_of[item] & set(wanted))]  # type: ignore[operator]
    if Deliverable.SCENE_ANIMATION in left and Deliverable.MODEL3D in left and not (Deliverable.SVG in left or svg):
        left.remove(Deliverable.MODEL3D)  # "in 3D" of an animation
    return left


def _no_video(excluded: tuple[Deliverable, ...]) -> bool:
    return Deliverable.VIDEO in excluded


def _unnamed(goal: str) -> Deliverable | None:
    if _found(wish_words.DRAWN, goal):
        return Deliverable.IMAGE
    if _found(deed_words.OTHER_DEEDS, goal):
        return None
    if _found(deed_words.UNKNOWN_DEED, goal) and not (_found(wish_words.MADE, goal) or _found(wish_words.TOLD, goal)):
        return None
    made = _found(wish_words.MADE, goal) or _found(wish_words.THING, goal)
    if _found(deed_words.NOT_MEDIA, _before_subject(goal)):
        return None
    return Deliverable.IMAGE if made and not _found(wish_words.TOLD, goal) else Deliverable.VIDEO


def _named(text: str, *, training: str | None = None) -> list[Deliverable]:
    """Return the deliverables that the text names, in the lexicon's order; a word counts for one of them only."""
    found: list[Deliverable] = []
    for deliverable, pattern in wish_words.DELIVERABLES:
        searched = training if training is not None and deliverable in {Deliverable.LORA, Deliverable.VOICE} else text
        if not _found(pattern, searched):
            continue
        found.append(deliverable)
        if deliverable.kind == "video":  # "an avatar video" and "a video of an avatar" are one wish
            text = _blank(rf"(?:{pattern}){wish_words.NEAR}\b{wish_words.VIDEO_WORD}", text)
            text = _blank(rf"\b{wish_words.VIDEO_WORD}{wish_words.NEAR}(?:{pattern})", text)
            text = _blank(wish_words.RESULT_VIDEO, _blank(wish_words.WITH_SOUND, text))
        text = _blank(pattern, text)
        if deliverable in {Deliverable.SVG, Deliverable.SCENE_ANIMATION}:  # "an icon as SVG" is one wish, too
            text = _blank(wish_words.DRAWING, text)
    training_only = {Deliverable.LORA, Deliverable.VOICE} & set(found)
    if training_only:  # the photos one trains on are not wanted back
        found = [item for item in found if item is not Deliverable.IMAGE]
    return found


def _before_subject(text: str) -> str:
    """Blank each told subject up to the next sentence or the next wish."""
    return _compiled(rf"{wish_words.SUBJECT}.*?(?={wish_words.NEXT_WISH}|$)").sub(" ", text)


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
    """Tell text from noise: half of its words could be spoken, or a script without Latin letters."""
    words = re.findall(r"[^\W\d_]{2,}", goal.lower())
    could_be = [word for word in words if not word.isascii() or _is_speakable(word)]
    return bool(_named(goal)) or (len(could_be) > 0 and 2 * len(could_be) >= len(words) + (len(words) > 3))


def _is_speakable(word: str) -> bool:
    """Say whether a word has a vowel, two letters that differ and no pile of consonants."""
    piles = re.search(rf"[^{_VOWELS}]{{5,}}", word) and not re.search(r"sch|ngst|chts|tsch|ghts|rst|lfth", word)
    return bool(set(word) & set(_VOWELS)) and len(set(word)) > 1 and not piles


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def _found(pattern: str, text: str) -> re.Match[str] | None:
    return _compiled(pattern).search(text)


def _all(pattern: str, text: str) -> Any:
    return _compiled(pattern).finditer(text)


def _blank(pattern: str, text: str) -> str:
    return _compiled(pattern).sub(" ", text)
