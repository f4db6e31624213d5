"""Events: the durable, numbered log of a job and the lossy ticks between them. No I/O."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

DURABLE_TYPES = frozenset(
    {
        *(
            f"job.{name}"
            for name in (
                "queued", "planned", "running", "awaiting_approval", "cancelling",
                "completed", "failed", "cancelled", "retried",
            )
        ),
        *(
            f"node.{name}"
            for name in ("ready", "queued", "running", "completed", "failed", "retrying", "skipped", "cancelled")
        ),
        "artifact.created", "approval.requested", "approval.answered", "log",
    }
)  # fmt: skip
LOSSY_TYPES = frozenset({"progress", "preview"})


class NewEvent(BaseModel):
    """An event before it has a number: what the committer hands to the log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    node: str | None = None
    body: dict[str, Any] = Field(default_factory=dict)


class LiveEvent(BaseModel):
    """What a client receives; ticks have no `seq`."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    schema_version: Literal[1] = SCHEMA_VERSION
    jobId: str
    seq: int | None = None
    ts: float
    type: str
    node: str | None = None
    status: str | None = None
    progress: float | None = None
    stage: str | None = None
    step: int | None = None
    steps: int | None = None
    etaSeconds: float | None = None
    message: str | None = None
    preview: str | None = Field(default=None, description="A small JPEG as data URI.")
    data: dict[str, Any] | None = None


def live(job_id: str, *, seq: int | None, ts: float, type_: str, node: str | None, body: dict[str, Any]) -> LiveEvent:
    """Return the wire form of a stored event: known fields on top, the rest under `data`."""
    known = {key: body[key] for key in ("status", "progress", "stage", "step", "steps", "message") if key in body}
    rest = {key: value for key, value in body.items() if key not in known}
    return LiveEvent(jobId=job_id, seq=seq, ts=ts, type=type_, node=node, data=rest or None, **known)
