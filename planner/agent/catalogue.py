"""Which live tasks a model is shown, and how: those on the ways back from what is wanted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from planner import lexicon
from planner.solver.stock import usable
from planner.strategy import Situation
from schemas.capability import Port
from schemas.contracts.table import Advertised, spellings

MAX_TASKS = 40
MAX_DESCRIPTION_CHARS = 240
_WORD = re.compile(r"\w{3,}")
_SHOWN_OF_A_PARAM = ("type", "enum", "minimum", "maximum", "default")


def relevant(situation: Situation) -> list[Advertised]:
    """Return the usable tasks that can have a part in the plan, nearest to what is wanted first, 40 at most."""
    goal = situation.brief.goal
    live = usable(situation.manifest, situation.brief)
    producers: dict[str, list[Advertised]] = {}
    for item in live.values():
        for name, port in (item.capability.outputs or {}).items():
            producers.setdefault(port.kind_of(name), []).append(item)
    wanted = [name for target in situation.targets for task in target.tasks for name in (task, *spellings(task))]
    chosen = {name: live[name] for name in wanted[:MAX_TASKS] if name in live}
    if lexicon.GATE in live and situation.brief.approve:
        chosen[lexicon.GATE] = live[lexicon.GATE]
    waiting = list(chosen.values())
    for item in waiting:  # grows while it is walked
        for name, port in (item.capability.inputs or {}).items():
            for maker in _alike(producers.get(port.kind_of(name), ()), goal):
                if maker.name not in chosen and maker.name != lexicon.GATE and len(chosen) < MAX_TASKS:
                    chosen[maker.name] = maker
                    waiting.append(maker)
    return list(chosen.values())


def described(item: Advertised) -> dict[str, Any]:
    """Return a task as the model sees it: what it does, needs, may take and yields, and its params."""
    capability = item.capability
    inputs, outputs = capability.inputs or {}, capability.outputs or {}
    shown = {
        "task": item.name,
        "does": capability.description[:MAX_DESCRIPTION_CHARS],
        "needs": {name: kind(name, port) for name, port in inputs.items() if not port.optional},
        "may_take": {name: kind(name, port) for name, port in inputs.items() if port.optional},
        "yields": {name: kind(name, port) for name, port in outputs.items()},
        "params": _params(capability.params or {}),
    }
    return {key: value for key, value in shown.items() if value}


def kind(name: str, port: Port) -> str:
    """Return how a port's kind is written: `image`, `image[]` for a list, `number` for a plain value."""
    if port.is_value:
        return str(port.type)
    return port.kind_of(name) + ("[]" if port.type == "array" else "")


def _params(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties: Mapping[str, Any] = schema.get("properties") or {}
    return {
        name: {key: fields[key] for key in _SHOWN_OF_A_PARAM if key in fields}
        for name, fields in properties.items()
        if isinstance(fields, Mapping)
    }


def _alike(items: Iterable[Advertised], goal: str) -> list[Advertised]:
    """Return the tasks with those first that share words with the goal."""
    words = set(_WORD.findall(goal.lower()))

    def shared(item: Advertised) -> int:
        text = f"{item.name} {item.capability.description}".lower()
        return len(words & set(_WORD.findall(text.replace("_", " ").replace(".", " "))))

    return sorted(items, key=shared, reverse=True)
