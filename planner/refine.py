"""Reads a wish that changes an earlier request: "shorter", "in German", "about bees instead". Deterministic and pure.

Knows words (`planner/refine_words.py`, `planner/lexicon.py`), no tasks, no manifest and no plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from planner import lexicon
from planner.brief import read_brief
from planner.refine_draft import Draft
from planner.refine_steps import STEPS
from schemas.errors import ValidationFailed
from schemas.planning import MAX_GOAL_CHARS, PlanRequest


@dataclass(frozen=True)
class Refined:
    """The request that stands for the whole conversation, and a sentence for each thing that was understood."""

    request: PlanRequest
    changes: tuple[str, ...]


def refine(
    previous: PlanRequest, wish: str, *, duration_seconds: float | None = None, resolution: str | None = None
) -> Refined:
    """Return `previous` changed as `wish` says; what is not understood becomes another sentence of the goal.

    Args:
        duration_seconds: concrete length in the previous plan, which "longer" and "shorter" start from.
        resolution: concrete picture size in the previous plan, for "higher resolution".

    Raises:
        ValidationFailed: the goal outgrows its limit.
    """
    brief, user = read_brief(previous).brief, previous.user_context
    draft = Draft(
        goal=previous.goal,
        wish=wish.strip(),
        brief=brief,
        duration_s=duration_seconds or brief.duration_seconds or lexicon.DEFAULT_DURATION_S,
        resolution=resolution or brief.resolution or lexicon.DEFAULT_RESOLUTION,
        language=user.language or (brief.language if brief.language != "en" else None),
        style=user.style,
        variant=previous.requested_variant,
    )
    for step in STEPS:
        step(draft)
    if len(draft.goal) > MAX_GOAL_CHARS:
        raise ValidationFailed(
            "the conversation says more than a goal can hold",
            path="/goal",
            got=len(draft.goal),
            allowed=MAX_GOAL_CHARS,
            hint="start over with one goal that says everything",
        )
    context = user.model_copy(update={"language": draft.language, "style": draft.style})
    changed = {"goal": draft.goal, "user_context": context, "requested_variant": draft.variant}
    return Refined(previous.model_copy(update=changed), tuple(draft.changes))


def merged(previous: PlanRequest, given: PlanRequest) -> Refined:
    """Return `previous` with the fields besides the goal that a later request sets; inputs are replaced by name."""
    changed: dict[str, Any] = {}
    for name in sorted(given.model_fields_set - {"goal", "conversation"}):
        before, value = getattr(previous, name), getattr(given, name)
        if name in {"user_context", "constraints"}:
            value = before.model_copy(update={key: getattr(value, key) for key in value.model_fields_set})
        elif name == "inputs":
            value = {**before, **value}
        if value != before:
            changed[name] = value
    changes = tuple(f"{name.replace('_', ' ')}: as given" for name in changed)
    return Refined(previous.model_copy(update=changed), changes)
