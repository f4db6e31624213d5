"""The ledger row and events of a new node run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from graphs.board import GATE_QUEUE, Work
from graphs.cache import restored
from schemas.artifact import ARTIFACTS
from schemas.outcome import Cancelled, Failed, Outcome, Succeeded
from schemas.plan import sha256_of
from schemas.states import RunStatus, shown

_NAMESPACE = UUID("7f1e6f0a-62d8-4f6b-9a53-5b9f7f0f3a11")
MAX_STATE_BYTES = 64 * 1024


CACHE_QUEUE = "cache"


@dataclass(frozen=True)
class Created:
    """A row for `create_runs`, the events that tell it, and the artifact rows of a result that was taken over."""

    row: dict[str, Any]
    events: list[dict[str, Any]]
    artifacts: tuple[dict[str, Any], ...] = ()


def run_row(
    work: Work,
    job: dict[str, Any],
    *,
    queue: str,
    status: RunStatus = RunStatus.READY,
    outcome: Outcome | None = None,
    seconds: float | None = 0.0,
    cache_key: str | None = None,
) -> Created:
    """Return the row of a run that is ready or dispatched, or that ended inside the advance (`outcome`).

    Args:
        seconds: what an ended run took; None keeps it out of the statistics.
        cache_key: hex; names the result for later jobs.
    """
    result = error = None
    match outcome:
        case Succeeded():
            status, result = RunStatus.SUCCEEDED, outcome.outputs
        case Failed():
            status, error = RunStatus.FAILED, outcome.failure.model_dump(mode="json", exclude_none=True)
        case Cancelled():
            status = RunStatus.CANCELLED
        case None:
            pass
    value = {"params": work.node.params, "inputs": work.inputs}
    row = {
        "node_path": work.path,
        "node_id": work.node.id,
        "queue": queue,
        "task": work.node.task,
        "task_version": "1",
        "status": status,
        "priority": job["priority"],
        "max_attempts": work.node.max_attempts,
        "timeout_s": work.node.timeout_s,
        "input": value,
        "input_hash": sha256_of(value),
        "cache_key": cache_key,
        "vt": 0.0,
        "result": result,
        "error": error,
        "ended": outcome is not None,
        "seconds": seconds,
    }
    return Created(row, [event_of(work.path, status, error)])


def cached_row(work: Work, job: dict[str, Any], *, hit: dict[str, Any], cache_key: str) -> Created:
    """Return the row of a run whose result an earlier job of the same owner has (`hit`: a row of `cached_runs`)."""
    outputs, artifacts = restored(hit, work, job_id=str(job["id"]))
    ended = run_row(work, job, queue=CACHE_QUEUE, outcome=Succeeded(outputs=outputs), seconds=None, cache_key=cache_key)
    events = [
        {
            "type": "artifact.created",
            "node": work.path,
            "body": {key: row[key] for key in ("id", "name", "kind", "role", "media", "size_bytes")}
            | {"uri": f"s3://{ARTIFACTS}/{row['object_key']}"},
        }
        for row in artifacts
    ]
    for event in ended.events:
        event["body"]["cached"] = {"jobId": str(hit["job_id"]), "node": hit["node_path"]}
    return Created(ended.row, [*events, *ended.events], tuple(artifacts))


def gate_row(work: Work, job: dict[str, Any]) -> Created:
    """Return the row of a gate: ready, on a queue that only a person serves."""
    created = run_row(work, job, queue=GATE_QUEUE)
    question = {"question": work.node.params.get("question", "Approve?"), "value": work.inputs.get("value")}
    hashed = sha256_of(question)
    row = {
        **created.row,
        "input": {**created.row["input"], "question": question},
        "input_hash": hashed,
        "approval_id": str(uuid5(_NAMESPACE, f"{job['id']}/{work.path}")),
    }
    body = {"status": "awaiting_approval", "question": question, "questionHash": hashed}
    return Created(row, [{"type": "approval.requested", "node": work.path, "body": body}])


def event_of(path: str, status: RunStatus, error: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the event that tells the state of a run."""
    name = shown(status)
    body: dict[str, Any] = {"status": name}
    if status is RunStatus.SUCCEEDED:
        body["progress"] = 1.0
    if error is not None:
        body["error"] = error
    return {"type": f"node.{name}", "node": path, "body": body}
