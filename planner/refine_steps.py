"""What a wish can change, one step each: a step takes its words out of the wish and rewrites the draft. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from planner import lexicon
from planner import refine_words as words
from planner.brief import patterns
from planner.durations import read_duration, read_resolution
from planner.refine_draft import GAP, Draft, find
from schemas.brief import Deliverable
from schemas.planning import PlanRequest
from schemas.resolution import parse_resolution

_LASTING = frozenset({"video", "audio"})
_SECONDS = {"de": "Sekunden", "es": "segundos", "fr": "secondes"}
_COUNT_OF_SECONDS = r"\d+(?:[.,]\d+)?(?=[\s-]*s(?:ec|ek|ék|eg|\b))"
_MANNER = r"\b(?:{})\b(?:\s+(?:style|tone|way|manner)\b)?"


def something_else(draft: Draft) -> None:
    """`as an SVG instead`: another thing about the same topic."""
    match = find(words.AS_SOMETHING, draft.wish)
    if match is None or find(words.AS_PORTRAIT, match[0]) or not _named(match["what"]):
        return
    draft.take(words.AS_SOMETHING)
    draft.take(words.INSTEAD)
    brief = draft.brief
    draft.goal = f"Make {match['what']}" + (f" about {brief.topic}." if brief.topic else ".")
    if brief.duration_seconds is not None and any(item.kind in _LASTING for item in _named(match["what"])):
        draft.append(f"{brief.duration_seconds:g} seconds")
    if brief.resolution is not None:
        draft.append(brief.resolution)
    draft.style = draft.style or brief.style
    draft.changes.append(f"{match['what']} instead")


def _named(text: str) -> tuple[Deliverable, ...]:
    read = patterns(PlanRequest(goal=f"Make {text}"))
    return () if read.is_guess else read.wanted


def length(draft: Draft) -> None:
    """`shorter`, `10 seconds longer`, `45 seconds`."""
    before_s, said = draft.duration_s, read_duration(draft.wish)
    if said is not None:
        sign = _sign(draft.wish[: said.start], draft.wish[said.end :])
        wanted_s = float(said.value) if sign == 0 else before_s + sign * float(said.value)
        draft.cut(said.start, said.end)
        draft.take(rf"\b(?:{words.SHORTER}|{words.LONGER})(?:\s+(?:than|als|que))?(?!\w)")
    else:
        factor = next((by for pattern, by in words.FACTORS if find(pattern, draft.wish)), None)
        if factor is None or find(words.A_PART, draft.wish):
            return
        wanted_s = before_s * factor
        for pattern, _ in words.FACTORS:
            draft.take(pattern)
    after_s = round(min(max(wanted_s, lexicon.MIN_DURATION_S), lexicon.MAX_DURATION_S), 1)
    _say_length(draft, after_s)
    limits = f" ({lexicon.MIN_DURATION_S:g} to {lexicon.MAX_DURATION_S:g} s can be made)"
    draft.changes.append(
        f"duration: {before_s:g} s -> {after_s:g} s" + (limits if after_s != round(wanted_s, 1) else "")
    )


def _sign(before: str, after: str) -> int:
    """Tell whether a length in a wish is a difference: 1 for more, -1 for less, 0 when it is the length itself."""
    if find(words.UP_TO, before):
        return 0
    for sign, pattern in ((-1, words.SHORTER), (1, words.LONGER)):
        if find(rf"^\s*{pattern}(?!\w)", after) or find(rf"\b{pattern}{words.BY}", before):
            return sign
    return 0


def _say_length(draft: Draft, seconds: float) -> None:
    """Put the length where the goal has one, in its own spelling where that counts seconds."""
    said = read_duration(draft.goal)
    if said is None:
        draft.append(f"{seconds:g} {_SECONDS.get(draft.brief.language, 'seconds')}")
        return
    old = draft.goal[said.start : said.end]
    article = find(r"^an?\s+", old)
    counted = re.findall(_COUNT_OF_SECONDS, old, re.IGNORECASE)
    if len(counted) == 1 and len(re.findall(r"\d+(?:[.,]\d+)?", old)) == 1:
        new = re.sub(_COUNT_OF_SECONDS, f"{seconds:g}", old, flags=re.IGNORECASE)
    elif "-" in old or (article and find(r"^\s+\w", draft.goal[said.end :])):
        new = f"{article[0] if article else ''}{seconds:g}-second"
    else:
        new = f"{seconds:g} seconds"
    draft.replace(said.start, said.end, new)


def size(draft: Draft) -> None:
    """`at 1080p`, `higher resolution`."""
    before, wanted = draft.resolution, read_resolution(draft.wish)
    if wanted is not None:
        draft.cut(wanted.start, wanted.end)
        after = str(wanted.value)
    elif draft.take(words.FINER):
        after = _next_size(before, 1)
    elif draft.take(words.COARSER):
        after = _next_size(before, -1)
    else:
        return
    said = read_resolution(draft.goal)
    if said is None:
        draft.append(after)
    else:
        draft.replace(said.start, said.end, after)
    draft.changes.append(f"resolution: {before} -> {after}")


def _next_size(text: str, step: int) -> str:
    """Return the next resolution of the ladder in this direction, the last one at its end."""
    pixels = {name: found.pixels for name in words.LADDER if (found := parse_resolution(name))}
    known = parse_resolution(text)
    here = known.pixels if known else pixels[lexicon.DEFAULT_RESOLUTION]
    beyond = [name for name in words.LADDER[::step] if (pixels[name] - here) * step > 0]
    return beyond[0] if beyond else words.LADDER[::step][-1]


def tongue(draft: Draft) -> None:
    """`in German`."""
    for code, names in lexicon.LANGUAGES.items():
        if draft.take(lexicon.IN_LANGUAGE.format(names=names)):
            for other in lexicon.LANGUAGES.values():
                draft.drop(lexicon.IN_LANGUAGE.format(names=other))
            draft.changes.append(f"language: {draft.brief.language} -> {code}")
            draft.language = code
            return


def manner(draft: Draft) -> None:
    """`funnier`, `more dramatic`, `calm`; a manner behind `about` belongs to the topic, as in `about calm seas`."""
    about = find(words.ABOUT, draft.wish)
    for name, pattern in lexicon.STYLES.items():
        match = find(rf"{words.MORE}{_MANNER.format(pattern)}", draft.wish[: about.start()] if about else draft.wish)
        match = match or find(rf"{words.MORE}\b(?:{words.COMPARATIVES.get(name, '(?!)')})\b", draft.wish)
        if match is None:
            continue
        draft.cut(match.start(), match.end())
        for other in lexicon.STYLES.values():
            draft.drop(_MANNER.format(other))
        before = draft.style or draft.brief.style
        draft.changes.append(f"style: {name}" if before in {None, name} else f"style: {before} -> {name}")
        draft.style = name
        return


def training(draft: Draft) -> None:
    """`without the training`."""
    if draft.take(words.NO_TRAINING):
        asked = draft.brief.trains
        dropped = asked and draft.drop(words.TRAINING)
        draft.changes.append(
            "without training" if dropped
            else "training is all that was asked for, so it stays" if asked
            else "without training, as before"
        )  # fmt: skip


def face(draft: Draft) -> None:
    """`as a talking portrait`, `without the avatar`."""
    if draft.take(words.NO_PORTRAIT):
        draft.variant = lexicon.SCENES
        draft.changes.append("without the talking portrait")
    elif draft.take(words.AS_PORTRAIT):
        draft.variant = lexicon.PORTRAIT
        draft.changes.append("as a talking portrait")


def voice(draft: Draft) -> None:
    """`use my voice`: trained on the recordings at hand, else the one of the profile."""
    if not draft.take(words.MY_VOICE):
        return
    if draft.brief.audio:
        if Deliverable.VOICE not in draft.brief.deliverables:
            draft.append("Train my voice")
        draft.changes.append("voice: trained on your recordings")
    elif draft.brief.profile_id:
        draft.changes.append("voice: that of your profile")
    else:
        draft.append("Use my voice")
        draft.changes.append("voice: yours, but neither a recording (inputs.audio) nor a profile is at hand")


def subject(draft: Draft) -> None:
    """`about black holes instead`."""
    match = find(words.ABOUT, draft.wish)
    if match is None:
        return
    topic = re.sub(words.INSTEAD, "", match["topic"], flags=re.IGNORECASE).strip()
    topic = re.sub(r"\s+(?:and|und|y|et|but)$", "", topic)
    draft.cut(match.start(), match.end())
    old = draft.brief.topic
    places = list(re.finditer(rf"(?<!\w){re.escape(old)}(?!\w)", draft.goal, re.IGNORECASE)) if old else []
    if places:
        draft.replace(places[-1].start(), places[-1].end(), topic)
    else:
        draft.append(f"about {topic}")
    draft.changes.append(f"topic: {old or 'none'} -> {topic}")


def the_rest(draft: Draft) -> None:
    """What is not understood is said as another sentence, for whoever reads the goal."""
    joining = r"(?:and|but|also|und|aber|y|pero|et|mais)"
    for clause in re.split(rf"[,;.!?]+(?:\s+|$)|{GAP}", draft.wish):
        text = re.sub(rf"^(?:{joining}\s+)+|\s+{joining}$", "", clause.strip(), flags=re.IGNORECASE)
        if re.search(r"\w", re.sub(words.FILLER, " ", text, flags=re.IGNORECASE)):
            draft.append(text)
            draft.changes.append(f"also: {text}")
    if not draft.changes:
        draft.changes.append("nothing in this wish changes the plan")


STEPS: tuple[Callable[[Draft], None], ...] = (
    something_else, length, size, tongue, manner, training, face, voice, subject, the_rest,
)  # fmt: skip
"""In this order: a topic is what is left behind `about` when everything else is understood."""
