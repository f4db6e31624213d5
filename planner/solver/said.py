"""What a brief offers to a task's inputs: the caller's files and values, and what the goal says. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from planner import lexicon
from schemas.brief import Brief
from schemas.capability import Port

_NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)(?![\w.])")


@dataclass(frozen=True)
class Said:
    """The brief as a source of inputs. Keys are those of the plan's context, `request.KEY`."""

    brief: Brief

    def at_hand(self, name: str, port: Port) -> str | None:
        """Return the key of what the caller brought along for this port."""
        kind = port.kind_of(name)
        if name in self.brief.others or kind in self.brief.others:
            return name if name in self.brief.others else kind
        if kind == "image" and self.brief.images:
            return "images"
        if kind == "audio" and self.brief.audio:
            return "audio"
        return "svg" if kind == "svg" and self.brief.svg else None

    def said(self, name: str, port: Port) -> str | None:
        """Return the key of what the goal's words say for a value port; an optional one needs a word of its own."""
        key = lexicon.VALUE_PORTS.get(name.lower(), "goal")
        if key == "goal" and port.optional:
            return None
        if port.type in {"number", "integer"}:
            key = "duration_seconds" if re.search(r"duration|seconds|length", name, re.IGNORECASE) else name
        elif port.type == "boolean":
            key = name
        if self.value(key, port) is not None:
            return key
        return "goal" if key == "style" and not port.optional else None  # a string at worst with the goal itself

    def value(self, key: str, port: Port | None = None) -> Any:
        """Return what `request.KEY` stands for; None when there is nothing."""
        brief = self.brief
        known: dict[str, Any] = {
            "topic": brief.topic or (brief.goal if brief.tasks else None),
            "goal": brief.goal,
            "style": brief.style,
            "language": brief.language,
            "profile_id": brief.profile_id,
            "images": list(brief.images),
            "audio": list(brief.audio),
            "svg": brief.svg,
            "duration_seconds": brief.duration_seconds,
        }
        if key in brief.others:
            return brief.others[key]
        if key in known:
            return known[key] or None
        if port is not None and port.type in {"number", "integer"}:
            match = _NUMBER.search(brief.goal)
            return None if match is None else int(float(match[1])) if port.type == "integer" else float(match[1])
        return False if port is not None and port.type == "boolean" else None
