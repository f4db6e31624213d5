"""Compares a draft with what the goal asks for, whatever a model says: all of it, and nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner import lexicon
from planner.agent.draft import Draft
from planner.rules.view import problem
from planner.solver.said import Said
from planner.strategy import Situation
from schemas.contracts.table import Advertised, spellings
from schemas.diagnostics import Code, Diagnostic


def first_draft(situation: Situation, tasks: Sequence[Advertised]) -> Draft:
    """Return the empty draft of a situation: what these tasks can be bound to, what is settled, what is excluded."""
    brief, settled = situation.brief, situation.settled
    said = Said(brief)
    known = {key: said.value(key) for key in ("goal", "style", "language", "profile_id", "images", "audio", "svg")}
    known |= {"topic": brief.topic or brief.goal, **brief.others}
    for item in tasks:
        for name, port in (item.capability.inputs or {}).items():
            key = said.said(name, port) if port.is_value else None
            if key is not None:
                known.setdefault(key, said.value(key, port))
    wishes = {
        "variant": settled.variant,
        "requested_variant": settled.variant,
        "duration_seconds": settled.duration_seconds,
        "resolution": settled.resolution,
        "style": brief.style,
        "language": brief.language,
    }
    scales = any(lexicon.UPSCALER in target.tasks for target in situation.targets)
    asked = {
        "variant": settled.variant,
        "duration_seconds": settled.duration_seconds if brief.duration_seconds is not None else None,
        "resolution": settled.resolution if brief.resolution is not None and not scales else None,
    }
    wanted = {task for target in situation.targets for task in target.tasks}
    excluded = {task for item in brief.excluded for task in lexicon.MAKERS[item]} - wanted
    return Draft(
        manifest=situation.manifest,
        constraints=situation.request.constraints,
        context={key: value for key, value in known.items() if value not in (None, "", [], ())},
        wishes={key: value for key, value in wishes.items() if value is not None},
        settled={key: value for key, value in asked.items() if value is not None},
        forbidden=frozenset(_spelled(excluded)),
    )


def needed(situation: Situation, tasks: Sequence[Advertised]) -> list[str]:
    """Return the tasks that the goal needs besides what makes its results: approval, earlier work, the profile."""
    brief, names = situation.brief, {item.name for item in tasks}
    found = [lexicon.GATE] if brief.approve else []
    found += [lexicon.LOADED_PROFILE] if brief.profile_id and not brief.trains else []
    if brief.recalls:
        found += [item.name for item in tasks if lexicon.REFERENCE_PORT in (item.capability.outputs or {})][:1]
    return [task for task in found if task in names]


def unmet(draft: Draft, situation: Situation, needs: Sequence[str]) -> Iterator[Diagnostic]:
    """Yield what the goal asks for and the draft does not make, and what it makes and nobody asks for."""
    present = {node.task for node in draft.nodes}
    for target in situation.targets:
        if not present & set(_spelled(target.tasks)):
            yield problem(
                Code.UNSATISFIABLE_GOAL,
                "/nodes",
                f"nothing in the draft makes what the goal asks for: {target.wanted.replace('_', ' ')}",
                got=sorted(present),
                allowed=list(target.tasks),
                hint=f"add a node that runs {' or '.join(target.tasks[:3])}",
            )
    for task in needs:
        if task not in present:
            message = f"the goal needs {task}, and the draft does not use it"
            yield problem(Code.UNSATISFIABLE_GOAL, "/nodes", message, got=sorted(present), allowed=[task])
    ends = set(_spelled([task for target in situation.targets for task in target.tasks])) | {lexicon.FINISHER}
    used = {binding.source for node in draft.nodes for binding in node.bindings().values()}
    for place, node in enumerate(draft.nodes):
        if node.id not in used and node.task not in ends:
            yield problem(
                Code.DEAD_END,
                f"/nodes/{place}",
                f"nobody uses what {node.id!r} ({node.task}) makes and the goal does not ask for it",
                got=node.id,
                hint="bind its output to a node that needs it, or remove it",
            )


def with_makers(found: Diagnostic, tasks: Sequence[Advertised]) -> Diagnostic:
    """Return a diagnostic about an input that nothing in the draft offers with the tasks that would yield it."""
    port = found.path.rpartition("/inputs/")[2]
    if found.code is not Code.MISSING_INPUT or found.allowed or not port:
        return found
    kinds = {p.kind_of(name) for item in tasks for name, p in (item.capability.inputs or {}).items() if name == port}
    makers = [
        item.name
        for item in tasks
        if kinds & {given.kind_of(name) for name, given in (item.capability.outputs or {}).items()}
    ]
    return found.model_copy(update={"hint": f"add a node that runs {' or '.join(makers[:3])}"}) if makers else found


def _spelled(tasks: Sequence[str] | set[str]) -> Iterator[str]:
    """Yield the tasks in every accepted spelling."""
    for task in tasks:
        yield task
        yield from spellings(task)
