"""What a goal wants from this manifest: the lexicon's deliverables, and other tasks by what their description means.

A task that no lexicon knows is chosen by its description (planner/meaning.py), by a result that the goal calls by
name, and by the caller's files that only it can use.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from planner import lexicon
from planner.clauses import judge
from planner.meaning import similarity
from planner.solver.chain import derive, used
from planner.solver.stock import costs, stock, usable
from schemas.brief import Brief, Deliverable
from schemas.capability import MEDIA_KINDS, Manifest
from schemas.contracts.table import advertised, contracts

CLEAR, PLAUSIBLE = 0.40, 0.14
"""Cosines: from `CLEAR` on a clause means a task whatever else it names; below `PLAUSIBLE` it means none."""
FAR_AHEAD = 0.10
AHEAD = 0.05
"""By how much a task must be nearer to the goal than the fixed one that would make the same."""
ON_TOP = 0.25
"""From here on a task is meant that works on a deliverable which the goal names."""
DOWNSTREAM = 0.55
"""A task that works on the nearest one's result is meant when it is at least this share as near."""
AS_NEAR, REACHABLE = 0.9, 0.75
"""How near, as a share, a task further up, or one that can be had, must be to be meant instead."""
NAMED, BROUGHT = 0.5, 0.2
"""What it is worth that the goal calls a result by its name, and that the caller brought what only this task takes."""
_CLAUSE = re.compile(
    r"[.;:!?,]\s+|\s+[-–—]\s+|\s+(?:and|then|afterwards?|plus|und|dann|danach|anschlie[ßs]+end|y|luego|después|et|puis|"
    r"ensuite)\s+",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]+(?:[_-][^\W_]+)*")


@dataclass(frozen=True)
class Target:
    """A wanted result: any of `tasks` yields it, the first ones rather."""

    wanted: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class _Match:
    task: str
    score: float
    clause: str
    """The part of the goal that is nearest."""
    is_brought: bool
    """The caller brought along what this task takes."""


def makers(deliverable: Deliverable, brief: Brief) -> tuple[str, ...]:
    """Return the fixed tasks that yield a deliverable in the end."""
    has_svg = brief.svg or {Deliverable.SVG, Deliverable.SCENE_ANIMATION} & set(brief.deliverables)
    material = "svg" if has_svg and not brief.images else None
    key = (deliverable, material)
    return lexicon.MAKERS_FROM[key] if key in lexicon.MAKERS_FROM else lexicon.MAKERS[deliverable]


def targets(brief: Brief, manifest: Manifest) -> tuple[Target, ...]:
    """Return what is to be made; what several tasks yield under one name may come from any of them."""
    fixed = [Target(item.value, makers(item, brief)) for item in brief.deliverables]
    return (*fixed, *(Target(task, (task, *_twins(task, manifest))) for task in brief.tasks))


def _twins(task: str, manifest: Manifest) -> list[str]:
    """Return the other tasks that yield a result of the same name; a media kind is too wide to be one result."""
    own = _kinds(task, manifest) - MEDIA_KINDS
    return [name for name in _others(manifest) if name != task and own and own <= _kinds(name, manifest)]


def _kinds(task: str, manifest: Manifest, *, of_inputs: bool = False) -> set[str]:
    entry = advertised(manifest, task)
    ports = (entry.capability.inputs if of_inputs else entry.capability.outputs) if entry else None
    return {port.kind_of(name) for name, port in (ports or {}).items()}


def _others(manifest: Manifest) -> list[str]:
    """Return the tasks that no contract here fixes."""
    return [name for name in (*manifest.node, *manifest.python) if name not in contracts()]


def settled_on(brief: Brief, manifest: Manifest, *, covered: Collection[Deliverable] = ()) -> Brief:
    """Return the brief with the tasks that the goal means besides, or instead of, its deliverables.

    Args:
        covered: what some template makes; another task takes its place only when it is clearly nearer.
    """
    if not brief.goal:
        return brief
    brief = _guessed(brief, manifest) if brief.is_guess else brief
    others = _others(manifest)
    if not others:
        return brief
    matches = _matches(brief, manifest, others)
    best = max(matches.values(), key=lambda match: match.score)
    if brief.is_guess or not brief.deliverables:
        rival = 0.0 if best.is_brought else _nearness(brief, brief.deliverables, manifest)
        if not _is_plausible(best, matches) or (rival >= PLAUSIBLE and best.score < rival + AHEAD):
            return brief
        chosen = _chosen(matches, brief, manifest, floor=min(PLAUSIBLE, best.score))
        return brief.model_copy(update={"deliverables": (), "is_guess": False, "tasks": chosen})
    rivals = {item: _rival(item, brief, manifest, matches, covered) for item in brief.deliverables}
    kept = tuple(item for item in brief.deliverables if rivals[item] is None)
    made = {item.kind for item in kept}
    meant = {
        task: match
        for task, match in matches.items()
        if match.score >= CLEAR
        or task in rivals.values()
        or (match.score >= ON_TOP and made & _kinds(task, manifest, of_inputs=True))
    }
    chosen = _chosen(meant, brief, manifest, floor=0.0) if meant else ()
    return brief.model_copy(update={"deliverables": kept, "tasks": chosen})


def _is_plausible(best: _Match, matches: Mapping[str, _Match]) -> bool:
    """Say whether the nearest task may be meant: near, or not quite so near and far ahead of all the others."""
    second = max((match.score for match in matches.values() if match is not best), default=0.0)
    return best.score >= PLAUSIBLE or (len(matches) > 1 and best.score >= FAR_AHEAD + max(0.0, second))


def _guessed(brief: Brief, manifest: Manifest) -> Brief:
    """Return the brief with the live deliverable that its words are nearest to, where that is clear."""
    guessed = _nearness(brief, brief.deliverables, manifest)
    near = {item: _nearness(brief, (item,), manifest) for item in lexicon.MAKERS}
    best = max(near, key=lambda item: near[item])
    if near[best] < CLEAR or near[best] < guessed + 2 * AHEAD or best in brief.excluded:
        return brief
    return brief.model_copy(update={"deliverables": (best,)})


def _matches(brief: Brief, manifest: Manifest, names: Sequence[str]) -> dict[str, _Match]:
    """Return how near each task is to the goal or its nearest clause."""
    clauses = list(dict.fromkeys([brief.goal, *(part for part in _CLAUSE.split(brief.goal) if part.strip())]))
    entries = {name: entry for name in names if (entry := advertised(manifest, name)) is not None}
    table = similarity(clauses, [_described(name, entry.capability.description) for name, entry in entries.items()])
    spoken = {word.lower() for word in _WORDS.findall(brief.goal)}
    found: dict[str, _Match] = {}
    for column, (name, entry) in enumerate(entries.items()):
        row = int(table[:, column].argmax())
        score = float(table[row, column])
        yields = {
            word.lower() for port, out in (entry.capability.outputs or {}).items() for word in (port, out.kind_of(port))
        }
        takes = entry.capability.inputs or {}
        score += NAMED * bool(yields & spoken - _COMMON)
        brought = any(port in brief.others for port in takes)
        found[name] = _Match(name, score + BROUGHT * brought, clauses[row], brought)
    return found


@lru_cache(maxsize=4096)
def _described(name: str, description: str) -> str:
    """Return the words to compare: the description without what is aimed at the system, else the name's words."""
    text = judge(description).legitimate
    return text or " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name))


def _brought(brief: Brief) -> set[str]:
    """Return the kinds of what the caller brought along."""
    media = {"image": brief.images, "audio": brief.audio, "svg": brief.svg}
    return {kind for kind, there in media.items() if there} | set(brief.others)


def _nearness(brief: Brief, deliverables: Sequence[Deliverable], manifest: Manifest) -> float:
    """Return how near the live tasks that make these are to the goal; 0 when none is live."""
    found = [advertised(manifest, task) for item in deliverables for task in makers(item, brief)]
    texts = [entry.capability.description for entry in found if entry is not None and entry.capability.enabled]
    return float(similarity([brief.goal], texts).max()) if texts else 0.0


def _rival(
    item: Deliverable, brief: Brief, manifest: Manifest, matches: Mapping[str, _Match], covered: Collection[Deliverable]
) -> str | None:
    """Return the task that makes this instead: of the same kind and nearer, or live where the fixed one is not."""
    if item in lexicon.NAMED_BY_METHOD:
        return None
    fixed = _nearness(brief, (item,), manifest)
    best = max(matches.values(), key=lambda match: match.score)
    if not fixed and item not in covered and best.score >= ON_TOP:
        return best.task
    works_on_brought = _kinds(best.task, manifest, of_inputs=True) & _brought(brief)
    if works_on_brought and best.score >= max(CLEAR, fixed + 4 * AHEAD):
        return best.task
    for match in sorted(matches.values(), key=lambda match: -match.score):
        takes = _kinds(match.task, manifest, of_inputs=True)
        if item.kind in _kinds(match.task, manifest) and (item.kind not in takes or item.kind in _brought(brief)):
            return match.task if match.score >= max(PLAUSIBLE, fixed + AHEAD) else None
    return None


def _chosen(matches: Mapping[str, _Match], brief: Brief, manifest: Manifest, *, floor: float) -> tuple[str, ...]:
    """Return the nearest task, or one that works on its result; and one for each other clause that is clear."""
    live = usable(manifest, brief)
    found = derive(live, stock=stock(brief, planned=[]), seconds=costs(live, {}).__getitem__)
    ways = {name: set(used(name, found)) for name in matches if name in found}
    chosen: list[str] = []
    taken: set[str] = set()
    ranked = sorted(matches.values(), key=lambda match: -match.score)
    reachable = max((match.score for match in ranked if match.task in ways), default=0.0)
    for match in ranked:
        if match.task not in ways and not chosen and reachable >= REACHABLE * match.score:
            continue  # one that can be had is nearly as near
        said_already = match.clause in {matches[name].clause for name in chosen}
        if match.score < floor or match.task in taken or (chosen and (match.score < CLEAR or said_already)):
            continue
        last = _last(match, ranked, ways, manifest, floor=floor)
        chosen = [name for name in chosen if name not in ways.get(last, ())] + [last]
        taken |= ways.get(last, {last})
    return tuple(chosen)


def _last(
    match: _Match, ranked: Sequence[_Match], ways: Mapping[str, set[str]], manifest: Manifest, *, floor: float
) -> str:
    """Return the task at the end of what is meant: the match, one that works on its result, or one that it feeds."""

    def feeds_back(task: str, way: Collection[str]) -> bool:
        yields = _kinds(task, manifest)
        return any(yields & _kinds(other, manifest, of_inputs=True) for other in way)

    last = match.task
    if feeds_back(last, ways.get(last, ())):  # it works backwards: as near and further up is what is meant
        near = (each.task for each in ranked if each.score >= AS_NEAR * match.score and each.task in ways[last])
        last = next((task for task in near if task != last), last)
    for other in ranked:
        on_top = last in ways.get(other.task, ()) and other.score >= max(floor / 2, DOWNSTREAM * match.score)
        if on_top and not feeds_back(other.task, ways.get(last, ())):
            last = other.task
    return last


_COMMON = frozenset(
    {"video", "image", "audio", "text", "script", "svg", "voice", "model3d", "json", "result", "output"}
)
