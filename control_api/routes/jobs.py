"""Jobs: list, read, events, cancel, retry, approve."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from control_api.body import CleanRoute
from control_api.platform import Platform
from schemas.events import live
from schemas.states import JobStatus
from schemas.text import MAX_INT, clean_text

router = APIRouter(prefix="/api", tags=["jobs"], route_class=CleanRoute)


class RetryBody(BaseModel):
    """Edited params of failed nodes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    params: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Node id -> params to change.")


class ApproveBody(BaseModel):
    """The answer to a gate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node: str = Field(max_length=128)
    questionHash: str = Field(max_length=128)
    decision: Literal["approve", "reject"]
    value: Any = Field(default=None, description="The edited value; the proposed one when absent.")


@router.get("/status/{job_id}")
async def status(job_id: str, request: Request) -> dict[str, Any]:
    """Live state of a job."""
    return await _platform(request).jobs.status(job_id)


@router.get("/jobs")
async def list_jobs(
    request: Request,
    status: Annotated[list[JobStatus] | None, Query()] = None,
    mode: Annotated[str | None, Query(max_length=64)] = None,
    variant: Annotated[str | None, Query(max_length=64)] = None,
    search: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> dict[str, Any]:
    """Jobs, newest first."""
    filters = {
        "status": ",".join(status) if status else None,
        "mode": mode and clean_text(mode),
        "variant": variant and clean_text(variant),
        "search": _like(clean_text(search or "")),
    }
    return await _platform(request).jobs.page(limit=limit, cursor=cursor, filters=filters)


@router.get("/jobs/{job_id}")
async def get_job(job_id: str, request: Request) -> dict[str, Any]:
    """Full record of a job: plan, quote and actual seconds, script, artifacts, approvals."""
    return await _platform(request).jobs.record(job_id)


@router.get("/jobs/{job_id}/events")
async def events(
    job_id: str,
    request: Request,
    after: Annotated[int, Query(ge=0, le=MAX_INT)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> dict[str, Any]:
    """The ordered log after `after`."""
    rows = await _platform(request).jobs.events(job_id, after=after, count=limit)
    items = [
        live(
            job_id, seq=row["seq"], ts=row["ts"], type_=row["type"], node=row["node"], body=row["body"]
        ).model_dump(mode="json", exclude_none=True)
        for row in rows
    ]  # fmt: skip
    return {"items": items, "next": items[-1]["seq"] if len(items) == limit else None}


@router.post("/jobs/{job_id}/cancel", status_code=202)
async def cancel(job_id: str, request: Request) -> dict[str, Any]:
    """Cancel; repeating it is harmless, a completed job answers 409."""
    return await _platform(request).jobs.cancel(job_id)


@router.post("/jobs/{job_id}/retry", status_code=202)
async def retry(job_id: str, request: Request, body: RetryBody | None = None) -> dict[str, Any]:
    """Run the failed nodes of a failed job again; what succeeded is kept."""
    return await _platform(request).jobs.retry(job_id, params=body.params if body else {})


@router.post("/jobs/{job_id}/approve", status_code=202)
async def approve(job_id: str, request: Request, body: ApproveBody) -> dict[str, Any]:
    """Answer an open gate, with an edited value when given."""
    return await _platform(request).jobs.approve(
        job_id,
        node=body.node,
        question_hash=body.questionHash,
        approve=body.decision == "approve",
        value=body.value,
    )


def _platform(request: Request) -> Platform:
    return request.app.state.platform


def _like(text: str) -> str | None:
    """Escape what LIKE would read as a pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") if text else None
