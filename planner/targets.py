"""What a goal wants from this manifest: the lexicon's deliverables, and other tasks by what their description means.

A task that no lexicon knows is chosen by its description (planner/meaning.py), by a result that the goal calls by
name, and by the caller's files that only it can use.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from planner import lexicon
from planner.clauses import judge
from planner.meaning import similarity
from planner.solver.chain import derive, used
from planner.solver.stock import costs, stock, usable
from schemas.brief import Brief, Deliverable
from schemas.capability import Manifest
from schemas.contracts.table import Advertised, advertised, contracts

CLEAR, PLAUSIBLE = 0.40, 0.14
"""Cosines: from `CLEAR` on a clause means a task whatever else it names; below `PLAUSIBLE` it means none."""
AHEAD = 0.05
"""By how much a task must be nearer to the goal than the fixed one that would make the same."""
DOWNSTREAM = 0.55
"""A task that works on the nearest one's result is meant when it is at least this share as near."""
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


def makers(deliverable: Deliverable, brief: Brief) -> tuple[str, ...]:
    """Return the fixed tasks that yield a deliverable in the end."""
    has_svg = brief.svg or {Deliverable.SVG, Deliverable.SCENE_ANIMATION} & set(brief.deliverables)
    material = "svg" if has_svg and not brief.images else None
    return lexicon.MAKERS_FROM.get((deliverable, material), lexicon.MAKERS[deliverable])


def targets(brief: Brief) -> tuple[Target, ...]:
    """Return what is to be made."""
    fixed = [Target(item.value, makers(item, brief)) for item in brief.deliverables]
    return (*fixed, *(Target(task, (task,)) for task in brief.tasks))


def settled_on(brief: Brief, manifest: Manifest) -> Brief:
    """Return the brief with the tasks that the goal means besides, or instead of, its deliverables."""
    others = [name for name in (*manifest.node, *manifest.python) if name not in contracts()]
    if not others or not brief.goal:
        return brief
    matches = _matches(brief, manifest, others)
    best = max(matches.values(), key=lambda match: match.score, default=None)
    if best is None:
        return brief
    if brief.is_guess or not brief.deliverables:
        rival = _nearness(brief, [task for item in brief.deliverables for task in makers(item, brief)], manifest)
        if best.score < max(PLAUSIBLE, rival + AHEAD if rival >= PLAUSIBLE else 0.0):
            return brief
        chosen = _chosen(matches, brief, manifest, floor=PLAUSIBLE)
        return brief.model_copy(update={"deliverables": (), "is_guess": False, "tasks": chosen})
    replaced = {item for item in brief.deliverables if _is_replaced(item, brief, manifest, matches)}
    kept = tuple(item for item in brief.deliverables if item not in replaced)
    clear = {task: match for task, match in matches.items() if match.score >= CLEAR or replaced}
    chosen = _chosen(clear, brief, manifest, floor=CLEAR) if clear else ()
    return brief.model_copy(update={"deliverables": kept, "tasks": chosen})


def _matches(brief: Brief, manifest: Manifest, names: Sequence[str]) -> dict[str, _Match]:
    """Return how near each task is to the goal or its nearest clause."""
    clauses = list(dict.fromkeys([brief.goal, *(part for part in _CLAUSE.split(brief.goal) if part.strip())]))
    entries = {name: entry for name in names if (entry := advertised(manifest, name)) is not None}
    table = similarity(clauses, [_described(name, entry) for name, entry in entries.items()])
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
        score += BROUGHT * any(port in brief.others for port in takes)
        found[name] = _Match(name, score, clauses[row])
    return found


def _described(name: str, entry: Advertised) -> str:
    """Return the words to compare: the description without what is aimed at the system, else the name's words."""
    text = judge(entry.capability.description).legitimate
    return text or " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name))


def _nearness(brief: Brief, names: Collection[str], manifest: Manifest) -> float:
    texts = [entry.capability.description for name in names if (entry := advertised(manifest, name)) is not None]
    return float(similarity([brief.goal], texts).max()) if texts else 0.0


def _is_replaced(item: Deliverable, brief: Brief, manifest: Manifest, matches: Mapping[str, _Match]) -> bool:
    """Say whether another task makes the same kind and is nearer to the goal than the fixed one."""
    if item in lexicon.NAMED_BY_METHOD:
        return False
    fixed = _nearness(brief, makers(item, brief), manifest)
    for name, match in matches.items():
        entry = advertised(manifest, name)
        outputs = (entry.capability.outputs or {}) if entry else {}
        takes = {port.kind_of(key) for key, port in (entry.capability.inputs or {}).items()} if entry else set[str]()
        same = any(port.kind_of(key) == item.kind for key, port in outputs.items()) and item.kind not in takes
        if same and match.score >= max(2 * PLAUSIBLE, fixed + AHEAD):
            return True
    return False


def _chosen(matches: Mapping[str, _Match], brief: Brief, manifest: Manifest, *, floor: float) -> tuple[str, ...]:
    """Return the nearest task, or one that works on its result; and one for each other clause that is clear."""
    live = usable(manifest, brief)
    found = derive(live, stock=stock(brief, planned=[]), seconds=costs(live, {}).__getitem__)
    ways = {name: set(used(name, found)) for name in matches if name in found}
    chosen: list[str] = []
    taken: set[str] = set()
    for match in sorted(matches.values(), key=lambda match: -match.score):
        if match.score < floor or match.task in taken or match.clause in {matches[name].clause for name in chosen}:
            continue
        if chosen and match.score < CLEAR:
            break
        last = match.task
        for other in sorted(matches.values(), key=lambda each: -each.score):
            if last in ways.get(other.task, ()) and other.score >= max(floor / 2, DOWNSTREAM * match.score):
                last = other.task
        chosen = [name for name in chosen if name not in ways.get(last, ())] + [last]
        taken |= ways.get(last, {last})
    return tuple(chosen)


_COMMON = frozenset(
    {"video", "image", "audio", "text", "script", "svg", "voice", "model3d", "json", "result", "output"}
)
