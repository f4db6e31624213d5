"""From a goal to a proven plan with its quote, or an honest refusal. Pure: everything it knows is passed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from planner import lexicon
from planner.brief import read_brief
from planner.estimate import estimate, over_budget
from planner.manifest import read_manifest
from planner.mermaid import mermaid
from planner.rules.references import check_inputs
from planner.rules.view import Limits, did_you_mean, problem
from planner.settle import Settled, renders, settle
from planner.solver.strategy import from_solver
from planner.strategy import Proposal, Situation, Strategy, built, from_templates, template_problems
from planner.targets import settled_on, targets
from planner.validator import validate
from schemas.brief import Brief, Deliverable
from schemas.capability import Manifest
from schemas.diagnostics import Code, Diagnostic, Severity
from schemas.errors import UnsatisfiableGoal, ValidationFailed, VariantUnavailable
from schemas.plan import MAX_NODES
from schemas.planning import Constraints, PlanRequest, PlanResponse, Statistics
from schemas.template import Template

STRATEGIES: Mapping[str, Strategy] = {"template": from_templates, "solver": from_solver}
"""Mode -> strategy, in the order in which `auto` tries them."""


def plan(
    request: PlanRequest,
    *,
    manifest: Manifest,
    templates: Mapping[str, Template],
    statistics: Statistics | None = None,
    strategies: Mapping[str, Strategy] = STRATEGIES,
) -> PlanResponse:
    """Return a plan that is proven against the manifest.

    Args:
        manifest: the live one; the request's own replaces it.
        strategies: mode -> strategy; `auto` tries all in this order.

    Raises:
        ValidationFailed: the mode is unknown or the request's manifest is not one.
        VariantUnavailable: the variant is not live and its task is.
        UnsatisfiableGoal: there is no valid plan; the diagnostics name what is missing.
    """
    if request.mode != "auto" and request.mode not in strategies:
        modes = ["auto", *strategies]
        raise ValidationFailed(
            f"there is no planning mode {request.mode!r} here",
            path="/mode",
            got=request.mode,
            allowed=modes,
            hint=did_you_mean(request.mode, modes, otherwise="use 'auto'"),
        )
    if request.capabilities_manifest is not None:
        manifest = read_manifest(request.capabilities_manifest)
    understood = read_brief(request)
    brief, remarks = understood.brief, understood.diagnostics
    brief = settled_on(brief, manifest, covered={item for each in templates.values() for item in each.makes})
    problems = [*check_inputs(request.inputs), *_against(brief, remarks)]
    if problems:
        raise UnsatisfiableGoal(problems[0].message, diagnostics=[*problems, *remarks])
    settled = settle(
        manifest=manifest,
        constraints=request.constraints,
        requested_variant=request.requested_variant,
        wanted_variant=brief.variant,
        duration_seconds=brief.duration_seconds,
        resolution=brief.resolution,
        renders=renders(brief.deliverables),
    )
    situation = Situation(request, brief, settled, manifest, templates, statistics or {}, targets(brief, manifest))
    modes = _modes(request.mode, strategies)
    refusal: UnsatisfiableGoal | None = None
    before: list[Diagnostic] = []
    for mode in modes:
        try:
            proposal = strategies[mode](situation)
            return _proven(proposal, situation, mode=mode, remarks=(*remarks, *settled.diagnostics, *before))
        except UnsatisfiableGoal as error:
            refusal = error  # the last strategy looks furthest: its reasons are those that count
            if mode == "llm":  # and why the model's plan is not the answer is worth knowing
                failed = f"the model's plan was not used: {error}"
                before = [problem(Code.ASSUMED, "/mode", failed, severity=Severity.WARNING, hint="the solver planned")]
    assert refusal is not None
    raise UnsatisfiableGoal(str(refusal), diagnostics=_unique([*(refusal.body.diagnostics or []), *before, *remarks]))


def _modes(mode: str, strategies: Mapping[str, Strategy]) -> list[str]:
    """Return the strategies to try in turn: a model that fails leaves the goal to the solver."""
    if mode == "auto":
        return [name for name in strategies if name != "llm"]
    return [mode, "solver"] if mode == "llm" and "solver" in strategies else [mode]


def plan_from_template(
    name: str,
    params: Mapping[str, Any],
    *,
    manifest: Manifest,
    templates: Mapping[str, Template],
    statistics: Statistics | None = None,
    constraints: Constraints | None = None,
) -> PlanResponse:
    """Return the proven plan of a template with the given params; a duration or size over the constraints is clamped.

    Raises:
        ValidationFailed: the template is unknown or the params are malformed; lists every problem.
        VariantUnavailable: the variant is not live and its task is.
        UnsatisfiableGoal: the plan would not be valid here.
    """
    template = templates.get(name)
    if template is None:
        hint = did_you_mean(name, templates)
        raise ValidationFailed(
            f"there is no template {name!r}", path="/template", got=name, allowed=sorted(templates), hint=hint
        )
    try:
        typed = template.params.model_validate(dict(params))
    except ValidationError as error:
        problems = template_problems(error, root="/params")
        raise ValidationFailed(problems[0].message, path=problems[0].path, diagnostics=problems) from error
    fields = typed.model_dump()
    deliverables = [Deliverable(item) for item in fields.get("deliverables", sorted(template.makes))]
    settled = settle(
        manifest=manifest,
        constraints=constraints or Constraints(),
        requested_variant=str(params["variant"]) if params.get("variant") else None,
        wanted_variant=None,
        duration_seconds=fields.get("duration_seconds"),
        resolution=fields.get("resolution"),
        renders="variant" in fields and renders(deliverables),
    )
    chosen = {
        "variant": settled.variant,
        "duration_seconds": settled.duration_seconds,
        "resolution": settled.resolution,
    }
    typed = typed.model_copy(update={key: value for key, value in chosen.items() if key in fields})
    problems = list(
        check_inputs({key: fields[key] for key in ("images", "audio", "svg") if key in fields}, path="/params")
    )
    if problems:
        raise UnsatisfiableGoal(problems[0].message, diagnostics=problems)
    goal = str(fields.get("goal") or fields.get("topic") or name)
    request = PlanRequest(goal=goal, constraints=constraints or Constraints())
    brief = Brief(goal=goal, deliverables=tuple(deliverables))
    situation = Situation(request, brief, settled, manifest, templates, statistics or {})
    proposed, notes = built(template, typed, manifest=manifest)
    proposal = Proposal(proposed, f"The template {name} was asked for.", notes)
    return _proven(proposal, situation, mode="template", remarks=settled.diagnostics)


def _against(brief: Brief, remarks: tuple[Diagnostic, ...]) -> list[Diagnostic]:
    """Return why there is nothing to plan, if so."""
    if brief.deliverables or brief.tasks:
        return []
    if not brief.goal and remarks:
        message = "the goal asks for nothing that can be made: all of it is aimed at the system"
        return [problem(Code.UNSAFE_INPUT, "/goal", message, hint="say what you want to have")]
    if brief.excluded:
        message = "the goal excludes what it could have and names nothing else"
        return [problem(Code.UNSATISFIABLE_GOAL, "/goal", message, got=list(brief.excluded))]
    return [
        problem(
            Code.UNSATISFIABLE_GOAL,
            "/goal",
            "the goal names nothing that can be made",
            got=brief.goal[:300],
            hint="say what you want to have and what it is about, for example: a 20-second explainer about black holes",
        )
    ]


def _proven(proposal: Proposal, situation: Situation, *, mode: str, remarks: tuple[Diagnostic, ...]) -> PlanResponse:
    """Validate a proposal, quote it and put the answer together."""
    constraints, proposed = situation.request.constraints, proposal.plan
    problems = validate(
        proposed, manifest=situation.manifest, constraints=constraints, limits=Limits(max_nodes=MAX_NODES)
    )
    if problems:
        unavailable = [item for item in problems if item.code is Code.VARIANT_UNAVAILABLE]
        error = VariantUnavailable if unavailable else UnsatisfiableGoal
        raise error((unavailable or problems)[0].message, diagnostics=[*problems, *proposal.diagnostics, *remarks])
    quote = estimate(proposed, manifest=situation.manifest, statistics=situation.statistics)
    over = over_budget(quote, constraints)
    if over:
        raise UnsatisfiableGoal(over[0].message, diagnostics=[*over, *remarks])
    planner = {"mode": mode, "model": proposal.model, "rounds": proposal.rounds}
    final = proposed.model_copy(update={"metadata": {**proposed.metadata, "planner": planner}})
    diagnostics = _unique([*proposal.diagnostics, *remarks])
    return PlanResponse(
        graph=final.emitted(),
        diagnostics=tuple(diagnostics),
        estimate=quote,
        rationale=_rationale(proposal, situation.settled, diagnostics),
        mermaid=mermaid(final),
    )


def _rationale(proposal: Proposal, settled: Settled, diagnostics: list[Diagnostic]) -> str:
    sentences = [proposal.reason]
    if any(node.task == lexicon.VIDEO_MAKER for node in proposal.plan.nodes):
        sentences.append(
            f"The video is rendered with the variant {settled.variant}, {settled.duration_seconds:g} s long at "
            f"{settled.resolution}."
        )
    sentences += [item.message[:1].upper() + item.message[1:].rstrip(".") + "." for item in diagnostics]
    return " ".join(sentences)


def _unique(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    return list({(item.code, item.path, item.message): item for item in diagnostics}.values())
