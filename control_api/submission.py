"""Submitting: plan, check what the plan refers to, accept one job. A refusal leaves no row behind."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from control_api.conversations import Turn
from control_api.foreseen import foreseen
from control_api.objects import Objects, own_key
from control_api.origins import made_by
from control_api.requests import GenerateBody, JobBody, TrainBody
from graphs.compiler import GRAPH_VERSION
from graphs.facades import LOCAL_OWNER, LOCAL_TENANT, parse_uuid
from planner.estimate import estimate, over_budget
from planner.manifest import read_manifest
from planner.mermaid import mermaid
from planner.plan import plan as make_plan
from planner.plan import plan_from_template
from planner.rules.view import Limits
from planner.validator import prove, read_plan, refused
from schemas.artifact import ARTIFACTS
from schemas.capability import Manifest
from schemas.errors import Conflict, NotFound, QuotaExceeded
from schemas.plan import Plan, sha256_of
from schemas.planning import Constraints, Estimate, PlanRequest, PlanResponse

if TYPE_CHECKING:  # it holds what plans jobs, which submits
    from control_api.platform import Platform

JOB_DEADLINE_S = 6 * 3600.0
UNPLANNED: dict[str, Any] = {"variant": None, "profile_id": None, "plan": {}, "plan_digest": "", "estimate": None}
"""The columns of a job that a language model still plans."""


@dataclass
class Proposal:
    """A proven plan and what is known about the job that it becomes."""

    response: PlanResponse
    title: str
    mode: str
    request: dict[str, Any]

    @cached_property
    def plan(self) -> Plan:
        return Plan.model_validate(self.response.graph)


class Submission:
    """Plans and submits for the one local user."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def plan(self, request: PlanRequest) -> PlanResponse:
        """Return a proven plan, as a turn of a conversation; opens and executes nothing.

        Raises:
            NotFound: the request names a conversation that is not there.
        """
        conversations = self._platform.conversations
        turn = await conversations.opened(request, owner=LOCAL_OWNER)
        return await conversations.closed(turn, await self._planned(turn.request), owner=LOCAL_OWNER)

    async def _planned(self, request: PlanRequest) -> PlanResponse:
        make = partial(
            make_plan,
            request,
            manifest=self._platform.manifest.current(),
            templates=self._platform.templates.by_name,
            statistics=await self._platform.statistics.current(),
            strategies=self._platform.strategies.for_mode(request.mode),
        )
        response = await self._platform.strategies.run(request.mode, make)
        return response if request.capabilities_manifest is not None else await self._requoted(response)

    @property
    def _limits(self) -> Limits:
        return Limits(max_nodes=self._platform.settings.max_plan_nodes)

    async def check(self, document: dict[str, Any], request: PlanRequest) -> PlanResponse:
        """Prove and quote a given plan, under the request's constraints and manifest; opens and executes nothing.

        Raises:
            InvalidPlan: with every problem, those of the form too.
        """
        given, live = request.capabilities_manifest, self._platform.manifest.current()
        manifest = live if given is None else read_manifest(given)
        proven = prove(read_plan(document), manifest=manifest, constraints=request.constraints, limits=self._limits)
        return await self._quoted(proven, manifest=manifest, constraints=request.constraints)

    async def propose(self, body: TrainBody | GenerateBody | JobBody) -> Proposal:
        """Return the proposal for any submitting body.

        Raises:
            UnsatisfiableGoal, VariantUnavailable, InvalidPlan, ValidationFailed: with every problem.
            UnsafeInput, NotFound: an input is not the caller's, or not there.
        """
        proposal = await self._proposed(body)
        return proposal if body.cache == "on" else await self._uncached(proposal)

    async def _uncached(self, proposal: Proposal) -> Proposal:
        """Return the proposal with a plan whose every node runs, and the quote for that."""
        plan = proposal.plan
        nodes = tuple(node.model_copy(update={"cache": "off"}) for node in plan.nodes)
        fresh = plan.model_copy(update={"nodes": nodes})
        quote = await self._estimate(fresh, self._platform.manifest.current())
        response = proposal.response.model_copy(update={"graph": fresh.emitted(), "estimate": quote})
        return Proposal(response, proposal.title, proposal.mode, proposal.request)

    async def _proposed(self, body: TrainBody | GenerateBody | JobBody) -> Proposal:
        asked = _asked(body)
        match body:
            case TrainBody() | GenerateBody():
                name = "train_and_generate_v1" if isinstance(body, TrainBody) else "generate_v1"
                params = await self._resolved(body.template_params(), "")
                response = await self._template(name, params)
                return await self._checked(Proposal(response, body.topic, body.mode, asked))
            case JobBody(plan=Plan() as given):
                title = str(given.context.get("goal") or given.context.get("topic") or given.workflow_id)
                return await self._given(given, body, title=title, at="/plan/context")
            case JobBody(from_file=str() as file):
                job = await made_by(file, database=self._platform.database, objects=self._platform.objects)
                return await self._given(Plan.model_validate(job["plan"]), body, title=job["title"], at="/from_file")
            case JobBody(template=str() as name):
                params = await self._resolved(body.params, "/params")
                response = await self._template(name, params, constraints=body.constraints)
                title = str(params.get("goal") or params.get("topic") or name)
                return await self._checked(Proposal(response, title, "template", asked))
            case _:
                turn, request = await self._wished(body)
                response = await self._planned(request)
                proposal = await self._checked(Proposal(response, request.goal, "goal", asked))
                proposal.response = await self._platform.conversations.closed(turn, response, owner=LOCAL_OWNER)
                return proposal

    async def _given(self, given: Plan, body: JobBody, *, title: str, at: str) -> Proposal:
        """Return the proposal for a plan that is there already, proven against what is live now."""
        context = await self._resolved(given.context, at)
        resolved = Plan.model_validate(given.emitted() | {"context": context})
        manifest = self._platform.manifest.current()
        proven = prove(resolved, manifest=manifest, constraints=body.constraints, limits=self._limits)
        response = await self._quoted(proven, manifest=manifest, constraints=body.constraints)
        return await self._checked(Proposal(response, title, "plan", _asked(body)))

    async def _wished(self, body: JobBody) -> tuple[Turn, PlanRequest]:
        """Return the turn of the conversation that a goal is, and the request with its references checked."""
        turn = await self._platform.conversations.opened(body.planning(), owner=LOCAL_OWNER)
        inputs = await self._resolved(turn.request.inputs, "/inputs")
        request = turn.request.model_copy(update={"inputs": inputs})
        await self._known_profile(request.user_context.profile_id, "/user_context/profile_id")
        return turn, request

    async def known(self, body: TrainBody | GenerateBody | JobBody, *, key: str | None) -> dict[str, Any] | None:
        """Return the job that this key and body made before, so that a repeat does not depend on what is live now.

        Raises:
            Conflict: the key was used with another body.
        """
        if key is None:
            return None
        row = await self._platform.database.one("job_of_key", tenant_id=LOCAL_TENANT, key=key)
        return _answer(row, request_hash=_hash(_asked(body)), key=key) if row else None

    async def submit(self, proposal: Proposal, *, key: str | None) -> dict[str, Any]:
        """Accept the job and return `{"jobId", "status", "conversation"?}`; the same key and body give the same job.

        Raises:
            Conflict: the key was used with another body.
            QuotaExceeded: too many open jobs.
        """
        response = proposal.response
        events = [
            {"type": "job.queued", "body": {"status": "queued", "title": proposal.title[:200]}},
            planned_event(proposal, status="queued"),
        ]
        head = {"status": "queued", "title": proposal.title[:200], "mode": proposal.mode, "request": proposal.request}
        row = await self._accepted({**head, **planned_columns(proposal), "events": events}, key=key)
        if row["fresh"]:
            self._platform.scheduler.wake(str(row["id"]))
        said = response.model_dump(mode="json", include={"conversation", "changes", "diff"}, exclude_none=True)
        return _answer(row, request_hash=_hash(proposal.request), key=key) | said

    async def submit_unplanned(self, body: JobBody, *, key: str | None) -> dict[str, Any]:
        """Accept a goal that a language model plans after the answer (`control_api/planning_jobs.py`).

        Raises:
            ValidationFailed: there is no language model here.
            UnsafeInput, NotFound: an input is not the caller's, or not there.
            Conflict, QuotaExceeded: as for `submit`.
        """
        self._platform.strategies.for_mode(body.mode)
        _, request = await self._wished(body)
        asked = _asked(body)
        events = [{"type": "job.queued", "body": {"status": "planning", "title": request.goal[:200]}}]
        head = {"status": "planning", "title": request.goal[:200], "mode": "goal", "request": asked}
        row = await self._accepted({**head, **UNPLANNED, "events": events}, key=key)
        if row["fresh"]:
            self._platform.planning.poke()
        return _answer(row, request_hash=_hash(asked), key=key)

    async def _accepted(self, job: dict[str, Any], *, key: str | None) -> dict[str, Any]:
        """Insert the job, or return the one of this key."""
        platform = self._platform
        limit = platform.settings.max_open_jobs
        if limit and await platform.database.run("open_jobs", owner_id=LOCAL_OWNER) >= limit:
            raise QuotaExceeded("too many open jobs", allowed=limit, retry_after_s=10, hint="wait, or cancel one")
        job |= {
            "id": uuid4(),
            "tenant_id": LOCAL_TENANT,
            "owner_id": LOCAL_OWNER,
            "idempotency_key": key,
            "request_hash": _hash(job["request"]),
            "graph_version": GRAPH_VERSION,
            "priority": 1,
            "deadline_s": JOB_DEADLINE_S,
        }
        row = await platform.database.one("submit_job", **job)
        if row is None:  # a twin with the same key was committed while this statement waited for it; now it is seen
            row = await platform.database.one("submit_job", **job)
        assert row is not None
        if row["fresh"]:
            platform.metrics.submitted.labels(job["mode"]).inc()
        return row

    async def _template(
        self, name: str, params: dict[str, Any], *, constraints: Constraints | None = None
    ) -> PlanResponse:
        response = plan_from_template(
            name,
            params,
            manifest=self._platform.manifest.current(),
            templates=self._platform.templates.by_name,
            statistics=await self._platform.statistics.current(),
            constraints=constraints,
        )
        return await self._requoted(response)

    async def _quoted(self, plan: Plan, *, manifest: Manifest, constraints: Constraints) -> PlanResponse:
        quote = await self._estimate(plan, manifest)
        over = over_budget(quote, constraints)
        if over:
            raise refused(over)
        return PlanResponse(
            graph=plan.emitted(), estimate=quote, rationale="The submitted plan is valid here.", mermaid=mermaid(plan)
        )

    async def _estimate(self, plan: Plan, manifest: Manifest) -> Estimate:
        """Return the quote, with what the node cache has at hand."""
        known = await foreseen(plan, manifest, self._platform.database, owner_id=LOCAL_OWNER)
        statistics = await self._platform.statistics.current()
        return estimate(plan, manifest=manifest, statistics=statistics, cached=known)

    async def _requoted(self, response: PlanResponse) -> PlanResponse:
        """Return the answer of the planner, which knows no database, with what the node cache has at hand."""
        manifest = self._platform.manifest.current()
        live = (manifest.python.get(node["task"]) for node in response.graph["nodes"])
        if not any(capability is not None and capability.cacheable for capability in live):
            return response
        quote = await self._estimate(Plan.model_validate(response.graph), manifest)
        return response.model_copy(update={"estimate": quote})

    async def _resolved(self, values: dict[str, Any], at: str) -> dict[str, Any]:
        """Replace artifact ids of the caller by their uris, where images, audio or svg are named.

        Raises:
            UnsafeInput, NotFound: a reference or the profile is not the caller's, or not there; before any planning.
        """
        await self._known_profile(values.get("profile_id"), f"{at}/profile_id" if at else "/profileId")
        found: dict[str, Any] = dict(values)
        for key in ("images", "audio", "svg"):
            value = values.get(key)
            if isinstance(value, str):
                found[key] = await self._uri(value, f"{at}/{key}")
            elif isinstance(value, list):
                found[key] = [await self._uri(item, f"{at}/{key}/{n}") for n, item in enumerate(value)]
        return found

    async def _uri(self, value: Any, path: str) -> Any:
        if not isinstance(value, str) or value.lstrip().startswith("<"):
            return value
        if "://" in value:
            own_key(value, path)
            return value
        artifact_id = parse_uuid(value, what="artifact", path=path)
        row = await self._platform.database.one("get_artifact", id=artifact_id, owner_id=LOCAL_OWNER)
        if row is None:
            raise NotFound("no such artifact", path=path, got=value)
        return f"s3://{ARTIFACTS}/{row['object_key']}"

    async def _checked(self, proposal: Proposal) -> Proposal:
        """Check that every object and profile that the plan names is the caller's and there."""
        context = proposal.plan.context
        uris = [(path, uri) for path, uri in _strings(context, "") if uri.startswith("s3://")]
        await asyncio.gather(*(_check_object(self._platform.objects, uri, path) for path, uri in uris))
        await self._known_profile(context.get("profile_id"), "/profileId")
        return proposal

    async def _known_profile(self, profile_id: Any, path: str) -> None:
        if not profile_id:
            return
        known = parse_uuid(str(profile_id), what="profile", path=path)
        if await self._platform.database.one("get_profile", id=known, owner_id=LOCAL_OWNER) is None:
            raise NotFound("no such profile", path=path, got=profile_id, hint="GET /api/profiles lists yours")


def planned_columns(proposal: Proposal) -> dict[str, Any]:
    """Return what the job row holds of a plan."""
    plan = proposal.plan
    profile_id = plan.context.get("profile_id")
    return {
        "variant": _variant(plan),
        "profile_id": UUID(profile_id) if profile_id else None,
        "plan": proposal.response.graph,
        "plan_digest": plan.digest(),
        "estimate": proposal.response.estimate.model_dump(mode="json"),
    }


def planned_event(proposal: Proposal, *, status: str) -> dict[str, Any]:
    """Return the event that tells the proposal, its reason and its diagnostics."""
    response = proposal.response
    body = {
        "status": status,
        "digest": proposal.plan.digest(),
        "rationale": response.rationale,
        "diagnostics": [item.model_dump(mode="json", exclude_none=True) for item in response.diagnostics],
    }
    return {"type": "job.planned", "body": body}


def _asked(body: TrainBody | GenerateBody | JobBody) -> dict[str, Any]:
    """Return what the caller sent; `mode` is always there, so that one body to two routes is two requests."""
    asked = body.model_dump(mode="json", exclude_unset=True)
    return asked if isinstance(body, JobBody) else {**asked, "mode": body.mode}


def _hash(asked: dict[str, Any]) -> bytes:
    return bytes.fromhex(sha256_of(asked))


def _answer(row: dict[str, Any], *, request_hash: bytes, key: str | None) -> dict[str, Any]:
    if row["request_hash"] != request_hash:
        raise Conflict("this Idempotency-Key was used with another body", path="Idempotency-Key", got=key)
    return {"jobId": str(row["id"]), "status": row["status"]}


async def _check_object(objects: Objects, uri: str, path: str) -> None:
    if await objects.size_of(*own_key(uri, path)) is None:
        raise NotFound("no such object", path=path, got=uri[:200], hint="upload it again")


def _strings(value: Any, path: str) -> list[tuple[str, str]]:
    match value:
        case str():
            return [(path, value)]
        case list():
            return [found for index, item in enumerate(value) for found in _strings(item, f"{path}/{index}")]
        case dict():
            return [found for key, item in value.items() for found in _strings(item, f"{path}/{key}")]
        case _:
            return []


def _variant(plan: Plan) -> str | None:
    return next((node.params["variant"] for node in plan.nodes if node.params.get("variant")), None)
