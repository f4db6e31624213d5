"""Compares a draft with what the goal asks for, whatever a model says: all of it, and nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from planner import lexicon
from planner.agent.draft import Draft
from planner.rules.view import problem
from planner.strategy import Situation
from schemas.brief import Brief, Deliverable
from schemas.contracts.table import advertised, contracts, spellings
from schemas.diagnostics import Code, Diagnostic
from schemas.plan import PlanNode

_ENDS = frozenset({"artifacts"})
"""Kinds that may come last although nobody asks for them: what registers the results yields these."""


def first_draft(situation: Situation) -> Draft:
    """Return the empty draft of a situation: what can be bound, what is settled, what is excluded."""
    brief, settled = situation.brief, situation.settled
    known = {
        "goal": brief.goal,
        "topic": brief.topic or brief.goal,
        "style": brief.style,
        "language": brief.language,
        "profile_id": brief.profile_id,
        "images": list(brief.images),
        "audio": list(brief.audio),
        "svg": brief.svg,
        **brief.others,
    }
    wishes = {
        "variant": settled.variant,
        "duration_seconds": settled.duration_seconds,
        "resolution": settled.resolution,
        "style": brief.style,
        "language": brief.language,
    }
    asked = {
        "variant": settled.variant,
        "duration_seconds": settled.duration_seconds if brief.duration_seconds is not None else None,
        "resolution": settled.resolution if brief.resolution is not None else None,
    }
    return Draft(
        manifest=situation.manifest,
        constraints=situation.request.constraints,
        context={key: value for key, value in known.items() if value not in (None, "", [], ())},
        wishes={key: value for key, value in wishes.items() if value is not None},
        settled={key: value for key, value in asked.items() if value is not None},
        forbidden=makers(brief.excluded) - makers(brief.deliverables),
    )


def unmet(draft: Draft, brief: Brief) -> Iterator[Diagnostic]:
    """Yield what the goal asks for and the draft does not make, and what it makes and nobody asks for."""
    for wanted in brief.deliverables:
        if not any(_makes(draft, node, wanted) for node in draft.nodes):
            yield problem(
                Code.UNSATISFIABLE_GOAL,
                "/nodes",
                f"nothing in the draft makes what the goal asks for: {wanted.value.replace('_', ' ')}",
                got=[node.task for node in draft.nodes],
                allowed=sorted(makers([wanted])),
                hint="add a node that yields it",
            )
    used = {binding.source for node in draft.nodes for binding in node.bindings().values()}
    for place, node in enumerate(draft.nodes):
        asked_for = any(_makes(draft, node, wanted) for wanted in brief.deliverables)
        if node.id not in used and not asked_for and not _ENDS & set(_kinds(draft, node)):
            yield problem(
                Code.DEAD_END,
                f"/nodes/{place}",
                f"nobody uses what {node.id!r} ({node.task}) makes and the goal does not ask for it",
                got=node.id,
                hint="bind its output to a node that needs it, or remove it",
            )


def makers(deliverables: Iterable[Deliverable]) -> frozenset[str]:
    """Return the fixed tasks, in every spelling, that make these deliverables."""
    named = {task for item in deliverables for task in lexicon.MAKERS[item]}
    return frozenset(named | {other for task in named for other in spellings(task)})


def _makes(draft: Draft, node: PlanNode, wanted: Deliverable) -> bool:
    """A fixed task makes what the lexicon says, a user's own task what its ports say."""
    return node.task in makers([wanted]) or (node.task not in contracts() and wanted.kind in _kinds(draft, node))


def _kinds(draft: Draft, node: PlanNode) -> list[str]:
    found = advertised(draft.manifest, node.task)
    return [port.kind_of(name) for name, port in (found.capability.outputs or {}).items()] if found else []
