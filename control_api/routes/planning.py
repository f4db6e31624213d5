"""Plan and submit: `POST /api/plan`, `/api/jobs`, `/api/train`, `/api/generate`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from pydantic import Field, field_validator, model_validator

from control_api.body import CleanRoute
from control_api.platform import Platform
from control_api.requests import GenerateBody, JobBody, TrainBody
from control_api.submission import Submission
from schemas.planning import MAX_GOAL_CHARS, PlanRequest

router = APIRouter(prefix="/api", tags=["submit"], route_class=CleanRoute)
QUICK_S = 0.05
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]


class PlanBody(PlanRequest):
    """`POST /api/plan`: a goal to plan, or a plan to prove and quote."""

    goal: str = Field(default="", max_length=MAX_GOAL_CHARS)
    plan: dict[str, Any] | None = Field(default=None, description="Read leniently: every problem becomes a diagnostic.")

    @field_validator("goal")
    @classmethod
    def _says_something(cls, goal: str) -> str:
        return goal

    @model_validator(mode="after")
    def _one_of(self) -> PlanBody:
        if self.plan is not None and "goal" in self.model_fields_set:
            raise ValueError("give a goal or a plan, not both")
        return self

    def planning(self) -> PlanRequest:
        """Return the planning request inside the body; an empty goal is refused here."""
        return PlanRequest.model_validate(self.model_dump(exclude={"plan"}, exclude_unset=True) | {"goal": self.goal})


@router.post("/plan")
async def plan(body: PlanBody, request: Request) -> dict[str, Any]:
    """Plan a goal, or check a plan, without running it: graph, diagnostics, estimate, rationale, drawing."""
    submission = Submission(request.app.state.platform)
    if body.plan is not None:
        response = await submission.check(body.plan, body)
    else:
        response = await submission.plan(body.planning())
    return response.model_dump(mode="json", exclude_none=True)


@router.post("/jobs", status_code=202)
async def submit(body: JobBody, request: Request, key: Key = None) -> dict[str, Any]:
    """Submit a goal, a plan or a template with params."""
    return await _submit(body, request, key)


@router.post("/train", status_code=202)
async def train(body: TrainBody, request: Request, key: Key = None) -> dict[str, Any]:
    """Train on your images and recordings, and make a video with the result."""
    return await _submit(body, request, key)


@router.post("/generate", status_code=202)
async def generate(body: GenerateBody, request: Request, key: Key = None) -> dict[str, Any]:
    """Make a video, with an existing profile where one is named."""
    return await _submit(body, request, key)


async def _submit(body: TrainBody | GenerateBody | JobBody, request: Request, key: str | None) -> dict[str, Any]:
    """Submit one after the other while that is quick: a burst of plans must not hold up the ticks to clients."""
    platform: Platform = request.app.state.platform
    async with platform.submitting:
        task = asyncio.create_task(_accepted(Submission(platform), body, key))
        await asyncio.wait({task}, timeout=QUICK_S)
    return await task


async def _accepted(
    submission: Submission, body: TrainBody | GenerateBody | JobBody, key: str | None
) -> dict[str, Any]:
    known = await submission.known(body, key=key)
    if known is None and isinstance(body, JobBody) and body.is_for_a_model:
        return await submission.submit_unplanned(body, key=key)
    return known or await submission.submit(await submission.propose(body), key=key)
