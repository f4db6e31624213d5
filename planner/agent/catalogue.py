"""Which live tasks a model is shown, and how: those on the ways back from what is wanted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from planner.agent.wishes import makers
from schemas.brief import Brief
from schemas.capability import Manifest, Port
from schemas.contracts.table import Advertised, advertised

MAX_TASKS = 40
MAX_DESCRIPTION_CHARS = 240
_WORD = re.compile(r"\w{3,}")
_SHOWN_OF_A_PARAM = ("type", "enum", "minimum", "maximum", "default")


def relevant(manifest: Manifest, brief: Brief) -> list[Advertised]:
    """Return the enabled tasks that can have a part in a plan for the brief, nearest to the goal first, 40 at most."""
    found = (advertised(manifest, task) for task in (*manifest.node, *manifest.python))
    live = {item.name: item for item in found if item is not None and item.capability.enabled}
    producers: dict[str, list[Advertised]] = {}
    for item in live.values():
        for name, port in (item.capability.outputs or {}).items():
            producers.setdefault(port.kind_of(name), []).append(item)
    known = makers(brief.deliverables)
    chosen = {name: item for name, item in live.items() if name in known}
    for wanted in brief.deliverables:
        nearest = _alike(producers.get(wanted.kind, ()), brief.goal)[: MAX_TASKS - len(chosen)]
        chosen |= {item.name: item for item in nearest}
    waiting = list(chosen.values())
    for item in waiting:  # grows while it is walked
        for name, port in (item.capability.inputs or {}).items():
            for maker in _alike(producers.get(port.kind_of(name), ()), brief.goal):
                if maker.name not in chosen and len(chosen) < MAX_TASKS:
                    chosen[maker.name] = maker
                    waiting.append(maker)
    return list(chosen.values()) or _alike(live.values(), brief.goal)[:MAX_TASKS]


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
