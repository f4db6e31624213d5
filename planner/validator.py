"""The validator: proves a plan against a manifest, or says everything that is wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from planner.rules import params, ports, references, structure, tasks
from planner.rules.view import Limits, Rule, View, did_you_mean, pointer, problem
from schemas.capability import Manifest
from schemas.diagnostics import Code, Diagnostic
from schemas.errors import InvalidPlan
from schemas.plan import Plan, PlanNode
from schemas.planning import Constraints
from schemas.text import clean_json

MAX_LISTED = 100
RULES: tuple[Rule, ...] = (
    structure.the_plan_is_not_too_large,
    structure.ids_are_unique,
    structure.edges_join_known_nodes,
    structure.nothing_waits_for_itself,
    structure.everything_can_start,
    tasks.tasks_are_live,
    tasks.planes_are_those_advertised,
    tasks.variants_are_live,
    params.params_fit_the_schema,
    params.renderings_are_concrete,
    params.constraints_are_kept,
    ports.required_inputs_are_bound,
    ports.bound_ports_exist,
    ports.bindings_lead_to_a_source,
    ports.kinds_and_types_agree,
    ports.fan_out_is_over_a_list,
    tasks.results_are_written_once,
    structure.everything_is_of_use,
    references.references_are_allowed,
)


def validate(
    plan: Plan, *, manifest: Manifest, constraints: Constraints | None = None, limits: Limits | None = None
) -> list[Diagnostic]:
    """Return every problem of the plan, in the order of the rules; an empty list proves it.

    Of each rule the first 100 are listed: a hostile plan has tens of thousands.
    """
    view = View(plan, manifest, constraints or Constraints(), limits or Limits())
    found: dict[tuple[str, str, str], Diagnostic] = {}
    for rule in RULES:
        for diagnostic in _listed(rule(view)):
            found.setdefault((diagnostic.code, diagnostic.path, diagnostic.message), diagnostic)
    return list(found.values())


def prove(
    plan: Plan, *, manifest: Manifest, constraints: Constraints | None = None, limits: Limits | None = None
) -> Plan:
    """Return the plan when it is valid.

    Raises:
        InvalidPlan: with every problem.
    """
    problems = validate(plan, manifest=manifest, constraints=constraints, limits=limits)
    if problems:
        raise refused(problems)
    return plan


def read_plan(document: Mapping[str, Any]) -> Plan:
    """Return the plan that a JSON document spells in any accepted spelling.

    Raises:
        InvalidPlan: with every place where the document is not a plan.
        ValidationFailed: it holds a value that JSON cannot carry.
    """
    try:
        return Plan.model_validate(clean_json(dict(document)))
    except ValidationError as error:
        found: list[dict[str, Any]] = [dict(item) for item in error.errors(include_url=False)]
        inside = any(len(item["loc"]) > 1 for item in found)  # then "too few nodes" only repeats that one was bad
        telling = (_malformed(item) for item in found if not (inside and item["type"] == "too_short"))
        raise refused(list(_listed(telling))) from error


def refused(problems: list[Diagnostic]) -> InvalidPlan:
    """Return the error that carries these problems."""
    first, count = problems[0], len(problems)
    more = f" (and {count - 1} more)" if count > 1 else ""
    return InvalidPlan(f"the plan is not valid: {first.message}{more}", path=first.path, diagnostics=problems)


def _listed(problems: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Yield the first problems, and a remark where there are more."""
    for count, diagnostic in enumerate(problems):
        if count == MAX_LISTED:
            message = f"there are more problems like this one; the first {MAX_LISTED} are listed"
            yield diagnostic.model_copy(update={"message": message})
            return
        yield diagnostic


def _malformed(error: dict[str, Any]) -> Diagnostic:
    location = [str(token) for token in error["loc"]]
    path = "".join(f"/{pointer(token)}" for token in location)
    given, kind = error.get("input"), error["type"]
    context = error.get("ctx", {})
    if kind == "too_long" and location == ["nodes"]:
        return problem(
            Code.CONSTRAINT_VIOLATED,
            path,
            error["msg"],
            allowed=context.get("max_length"),
            hint="split it into several jobs",
        )
    if location[-1:] == ["plane"] and kind != "missing":
        planes = ["node", "python"]
        hint = did_you_mean(str(given), planes, otherwise="use 'node' in the API process, 'python' on a worker")
        return problem(Code.WRONG_PLANE, path, "there are two planes", got=_shown(given), allowed=planes, hint=hint)
    if kind == "extra_forbidden":
        known = sorted(PlanNode.model_fields if location[:1] == ["nodes"] else Plan.model_fields)
        hint = did_you_mean(location[-1], known, otherwise="remove it")
        return problem(Code.INVALID_PARAM, path, f"there is no field {location[-1]!r}", allowed=known, hint=hint)
    hint = f"add {location[-1]!r}" if kind == "missing" else "compare with a plan that POST /api/plan returns"
    pattern = context.get("pattern")
    return problem(Code.INVALID_PARAM, path, error["msg"], got=_shown(given), allowed=pattern, hint=hint)


def _shown(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)[:200]
