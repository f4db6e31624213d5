"""Plans the jobs in state `planning`, those that wait for a language model, beside the engine.

A job in `planning` belongs to the process whose lease it holds; a crash lets the lease lapse, and any API process
plans the job again. The engine sees the job when it has a plan, or when it is to be cancelled.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from control_api.requests import JobBody
from control_api.submission import Proposal, Submission, planned_columns, planned_event
from graphs.bus import Bus
from graphs.compiler import GRAPH_VERSION
from graphs.database import Database
from schemas.errors import DependencyDown, ReelgraphError

log = structlog.get_logger()
MAX_AT_ONCE = 2
MAX_TAKEOVERS = 3
"""Processes that may end while they plan a job, as for a node (DESIGN.md section 3, `crash`)."""
_PAUSE_S = 0.5


class PlanningJobs:
    """Takes planning jobs under a lease, two at a time; `wake(job_id)` hands a job to the engine."""

    def __init__(self, database: Database, bus: Bus, *, boot: str, lease_s: float, wake: Any) -> None:
        self._database = database
        self._bus = bus
        self._boot = boot
        self._lease_s = lease_s
        self._wake = wake
        self._due = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}

    def poke(self) -> None:
        """Say that a job waits."""
        self._due.set()

    def cancel(self, job_id: str) -> None:
        """Stop planning a job, so that the engine can cancel it."""
        if job_id in self._running:
            self._running[job_id].cancel()

    async def run(self, submission: Submission) -> None:
        """Serve until cancelled; what is being planned then is let go."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._due.clear()
                try:
                    await self._serve(group, submission)
                except DependencyDown:
                    log.warning("planning.database_down")
                try:
                    async with asyncio.timeout(self._lease_s / 6):
                        await self._due.wait()
                except TimeoutError:
                    continue

    async def renew(self) -> None:
        """Renew the leases of the jobs at work; stop those that were cancelled or lost."""
        ids = list(self._running)
        if not ids:
            return
        rows = await self._database.all("renew_planning", ids=ids, runner=self._boot, lease_s=self._lease_s)
        kept = {str(row["id"]) for row in rows}
        for job_id in ids:
            if job_id not in kept:
                self.cancel(job_id)

    async def _serve(self, group: asyncio.TaskGroup, submission: Submission) -> None:
        while len(self._running) < MAX_AT_ONCE:
            row = await self._database.one("take_planning", runner=self._boot, lease_s=self._lease_s)
            if row is None:
                return
            job_id = str(row["id"])
            self._running[job_id] = task = group.create_task(self._plan(row, submission))
            task.add_done_callback(lambda ended, job_id=job_id: self._done(job_id, ended))

    def _done(self, job_id: str, task: asyncio.Task[None]) -> None:
        if self._running.get(job_id) is task:
            del self._running[job_id]
        self._due.set()

    async def _plan(self, row: dict[str, Any], submission: Submission) -> None:
        """Plan one job and record how that ended; nothing that goes wrong here ends the others."""
        job_id = str(row["id"])
        if row["takeovers"] >= MAX_TAKEOVERS:
            message = f"planning this goal ended {row['takeovers']} processes"
            await self._refused(row, ReelgraphError(message, code="poisoned", hint="say it otherwise, or use 'auto'"))
            return
        try:
            proposal = await submission.propose(JobBody.model_validate(row["request"]))
            await self._planned(row, proposal)
        except DependencyDown:
            log.warning("planning.postponed", job_id=job_id)
            await asyncio.sleep(_PAUSE_S)
            await self._let_go(row)
        except asyncio.CancelledError:
            await self._let_go(row)
            raise
        except ReelgraphError as refusal:
            await self._refused(row, refusal)
        except Exception:
            log.exception("planning.bug", job_id=job_id)
            await self._refused(row, ReelgraphError("planning failed for a reason of ours: look at the API's log"))

    async def _planned(self, row: dict[str, Any], proposal: Proposal) -> None:
        events = [planned_event(proposal, status="running"), {"type": "job.running", "body": {"status": "running"}}]
        columns = {**planned_columns(proposal), "graph_version": GRAPH_VERSION}
        answer = await self._database.one("planned_job", **self._lease(row), **columns, events=events)
        self._told(row, events, answer)

    async def _refused(self, row: dict[str, Any], refusal: ReelgraphError) -> None:
        error = refusal.body.model_dump(mode="json", exclude_none=True)
        events = [{"type": "job.failed", "body": {"status": "failed", "error": error}}]
        ended = {"status": "failed", "error": error, "result": None, "wake": row["wake"]}
        try:
            answer = await self._database.one("release_job", **self._lease(row), **ended, events=events)
        except DependencyDown:  # the lease lapses and the job is planned again
            log.warning("planning.postponed", job_id=str(row["id"]))
            return
        self._told(row, events, answer)

    async def _let_go(self, row: dict[str, Any]) -> None:
        """Free the lease; the job is planned again, or cancelled by the engine."""
        kept = {"status": None, "error": None, "result": None, "wake": row["wake"] - 1}
        try:
            await self._database.one("release_job", **self._lease(row), **kept, events=[])
        except DependencyDown:
            log.warning("planning.postponed", job_id=str(row["id"]))
        self._wake(str(row["id"]))

    def _told(self, row: dict[str, Any], events: list[dict[str, Any]], answer: dict[str, Any] | None) -> None:
        job_id = str(row["id"])
        if answer is None:
            log.warning("planning.fenced", job_id=job_id)
        else:
            first = answer["seq"] - len(events) + 1
            published = [{**event, "node": None, "seq": first + place} for place, event in enumerate(events)]
            self._bus.publish(job_id, published)
        self._wake(job_id)

    def _lease(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"id": row["id"], "runner": self._boot, "epoch": row["epoch"]}
