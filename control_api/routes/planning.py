"""Plan and submit: `POST /api/plan`, `/api/jobs`, `/api/train`, `/api/generate`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request

from control_api.body import CleanRoute
from control_api.platform import Platform
from control_api.requests import GenerateBody, JobBody, TrainBody
from control_api.submission import Submission
from schemas.planning import PlanRequest

router = APIRouter(prefix="/api", tags=["submit"], route_class=CleanRoute)
QUICK_S = 0.05
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]


@router.post("/plan")
async def plan(body: PlanRequest, request: Request) -> dict[str, Any]:
    """Plan a goal without running it: graph, diagnostics, estimate, rationale, drawing."""
    response = await Submission(request.app.state.platform).plan(body)
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
    return known or await submission.submit(await submission.propose(body), key=key)
