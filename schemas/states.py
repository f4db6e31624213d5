"""The states of jobs and node runs, and the one table of legal moves."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never


class JobStatus(StrEnum):
    """Where a job is; the same eight names in SQL, REST and events."""

    QUEUED = "queued"  # accepted, nothing started
    PLANNING = "planning"  # a slow (LLM) planner works
    RUNNING = "running"  # nodes are ready, queued or running
    AWAITING_APPROVAL = "awaiting_approval"  # only a person can move it
    CANCELLING = "cancelling"  # cancel accepted, live children are being stopped
    COMPLETED = "completed"
    FAILED = "failed"  # parked: a retry continues it
    CANCELLED = "cancelled"


class RunStatus(StrEnum):
    """Where a node run is, as stored in `node_run.status`."""

    READY = "ready"
    DISPATCHED = "dispatched"  # its doorbell was rung
    RUNNING = "running"  # claimed under a lease
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"  # poisoned: it crashed its worker three times


class NodeStatus(StrEnum):
    """Where a node is, as users see it."""

    PENDING = "pending"
    READY = "ready"
    QUEUED = "queued"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class FailureKind(StrEnum):
    """Why an attempt failed; the kind decides the retry budget (`schemas/retry.py`)."""

    DEPENDENCY = "dependency"
    CAPACITY = "capacity"
    CRASH = "crash"
    TIMEOUT = "timeout"
    INPUT = "input"
    BUG = "bug"
    CANCELLED = "cancelled"


JOB_MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.PLANNING, JobStatus.RUNNING, JobStatus.CANCELLING, JobStatus.FAILED}),
    JobStatus.PLANNING: frozenset({JobStatus.RUNNING, JobStatus.CANCELLING, JobStatus.FAILED}),
    JobStatus.RUNNING: frozenset(
        {JobStatus.AWAITING_APPROVAL, JobStatus.CANCELLING, JobStatus.COMPLETED, JobStatus.FAILED}
    ),
    JobStatus.AWAITING_APPROVAL: frozenset({JobStatus.RUNNING, JobStatus.CANCELLING, JobStatus.FAILED}),
    JobStatus.CANCELLING: frozenset({JobStatus.CANCELLED}),
    JobStatus.FAILED: frozenset({JobStatus.RUNNING, JobStatus.CANCELLING}),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}

RUN_MOVES: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.READY: frozenset(
        {RunStatus.DISPATCHED, RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.SUCCEEDED, RunStatus.FAILED}
    ),
    RunStatus.DISPATCHED: frozenset(
        {RunStatus.READY, RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.SUCCEEDED, RunStatus.FAILED}
    ),
    RunStatus.RUNNING: frozenset(
        {RunStatus.READY, RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.DEAD}
    ),
    RunStatus.FAILED: frozenset({RunStatus.READY}),
    RunStatus.DEAD: frozenset({RunStatus.READY}),
    RunStatus.SUCCEEDED: frozenset(),
    RunStatus.CANCELLED: frozenset(),
}

ENDED_JOBS = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})
ENDED_RUNS = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.DEAD})


def shown(status: RunStatus) -> NodeStatus:
    """Return the name that users see for a stored node run status."""
    match status:
        case RunStatus.READY:
            return NodeStatus.READY
        case RunStatus.DISPATCHED:
            return NodeStatus.QUEUED
        case RunStatus.RUNNING:
            return NodeStatus.RUNNING
        case RunStatus.SUCCEEDED:
            return NodeStatus.COMPLETED
        case RunStatus.FAILED | RunStatus.DEAD:
            return NodeStatus.FAILED
        case RunStatus.CANCELLED:
            return NodeStatus.CANCELLED
        case _:
            assert_never(status)
