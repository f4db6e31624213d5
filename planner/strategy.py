"""Strategies: ways to propose a plan for a brief. The template strategy is here; others plug in beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from planner.rules.view import pointer, problem
from planner.settle import Settled
from planner.targets import Target, makers
from schemas.brief import Brief
from schemas.builder import PlanBuilder, not_live
from schemas.capability import Manifest
from schemas.contracts.table import advertised
from schemas.diagnostics import Code, Diagnostic
from schemas.errors import UnsatisfiableGoal
from schemas.plan import Plan
from schemas.planning import PlanRequest, Statistics
from schemas.template import Template, TemplateParams


@dataclass(frozen=True)
class Situation:
    """All that a strategy may know. It does no I/O; a model it asks is its own affair."""

    request: PlanRequest
    brief: Brief
    settled: Settled
    manifest: Manifest
    templates: Mapping[str, Template]
    statistics: Statistics
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """A plan that is not proven yet, and why it is as it is."""

    plan: Plan
    reason: str
    diagnostics: tuple[Diagnostic, ...] = ()
    model: str | None = None
    rounds: int = 0


Strategy = Callable[[Situation], Proposal]
"""Raises UnsatisfiableGoal with diagnostics when it has nothing to propose."""


def from_templates(situation: Situation) -> Proposal:
    """Propose the narrowest template that makes every wanted deliverable."""
    brief = situation.brief
    if brief.tasks:
        message = f"no template here uses {', '.join(brief.tasks)}"
        raise UnsatisfiableGoal(message, diagnostics=[problem(Code.UNSATISFIABLE_GOAL, "/goal", message)])
    wanted = set(brief.deliverables)
    fitting = [item for item in situation.templates.values() if wanted <= item.makes]
    if not fitting:
        raise _nobody_makes(situation)
    template = min(fitting, key=lambda item: len(item.makes))
    values = {
        **{name: value for name, value in brief if value not in (None, "", (), {})},
        "variant": situation.settled.variant,
        "duration_seconds": situation.settled.duration_seconds,
        "resolution": situation.settled.resolution,
    }
    known = template.params.model_fields
    if unused := sorted(set(brief.others) - set(known)):
        message = f"the template {template.name} has no use for the given {', '.join(unused)}"
        raise UnsatisfiableGoal(
            message, diagnostics=[problem(Code.UNSATISFIABLE_GOAL, f"/inputs/{unused[0]}", message)]
        )
    try:
        params = template.params.model_validate({name: value for name, value in values.items() if name in known})
    except ValidationError as error:
        problems = template_problems(error, root="/goal")
        raise UnsatisfiableGoal(
            f"the goal does not say what {template.name} needs: {problems[0].message}", diagnostics=problems
        ) from error
    plan, notes = built(template, params, manifest=situation.manifest)
    names = ", ".join(item.value.replace("_", " ") for item in brief.deliverables)
    subject = f" about {brief.topic!r}" if brief.topic else ""
    return Proposal(plan, f"The goal asks for: {names}{subject}. The template {template.name} makes that.", notes)


def built(template: Template, params: TemplateParams, *, manifest: Manifest) -> tuple[Plan, tuple[Diagnostic, ...]]:
    """Run a template; return its plan and its notes.

    Raises:
        UnsatisfiableGoal: it needs tasks that are not live.
    """
    builder = PlanBuilder(template.name, manifest=manifest)
    template.build(params, builder)
    return builder.build(), tuple(builder.notes)


def template_problems(error: ValidationError, *, root: str) -> list[Diagnostic]:
    """Return what is wrong with a template's params."""
    found: list[Diagnostic] = []
    for item in error.errors(include_url=False):
        path = root + "".join(f"/{pointer(str(token))}" for token in item["loc"])
        code = Code.MISSING_INPUT if item["type"] == "missing" else Code.INVALID_PARAM
        got: Any = None if item["type"] == "missing" else str(item.get("input"))[:200]
        name = ".".join(str(token) for token in item["loc"])
        found.append(problem(code, path, f"{name}: {item['msg']}", got=got))
    return found


def _nobody_makes(situation: Situation) -> UnsatisfiableGoal:
    """Name what is missing: a task that is not live, else a template that uses it."""
    problems: list[Diagnostic] = []
    made = {item for template in situation.templates.values() for item in template.makes}
    for wanted in situation.brief.deliverables:
        tasks = makers(wanted, situation.brief)
        live = [task for task in tasks if (found := advertised(situation.manifest, task)) and found.capability.enabled]
        name = wanted.value.replace("_", " ")
        if not live:
            problems += [not_live(task, situation.manifest) for task in tasks]
        elif wanted not in made:
            message = f"{live[0]} is available, but no template here makes this deliverable: {name}"
            problems.append(problem(Code.UNSATISFIABLE_GOAL, "/goal", message, got=wanted.value, allowed=sorted(made)))
    if not problems:
        message = "no single template makes all that is asked for"
        problems.append(
            problem(
                Code.UNSATISFIABLE_GOAL, "/goal", message, got=list(situation.brief.deliverables), hint="ask one by one"
            )
        )
    return UnsatisfiableGoal("; ".join(item.message for item in problems), diagnostics=problems)
