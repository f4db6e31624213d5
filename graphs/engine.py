"""The engine: `advance` is the one verb that moves a job.

Take the job's lease, apply every recorded outcome in one superstep, create the runs of what became ready, let go.
Nothing waits here while a worker works, and any replica can advance any job (DESIGN.md section 3).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from graphs.board import Board, Run, Verdict, Work
from graphs.bus import Bus
from graphs.cache import key_of
from graphs.checkpoints import Checkpoints
from graphs.compiler import Graph, compile_plan, read, resume, start, write
from graphs.control import ControlNodes, log_event
from graphs.database import Database
from graphs.dispatch import Dispatcher
from graphs.rows import Created, cached_row, gate_row, run_row
from schemas.capability import Capability
from schemas.channels import CONTROL_QUEUE
from schemas.errors import ReelgraphError
from schemas.plan import Plan
from schemas.states import ENDED_JOBS, JobStatus, RunStatus

log = structlog.get_logger()
MAX_COMPILED = 256


class LeaseLost(Exception):
    """Raised when another process owns the job now, or a cancel came: stop this advance, touch nothing."""


@dataclass
class _Advance:
    """One advance under its lease."""

    job: dict[str, Any]
    job_id: str
    plan: Plan
    board: Board
    graph: Graph


class Engine:
    """Advances jobs. One per API process; `runner` is its boot id."""

    def __init__(
        self,
        database: Database,
        checkpoints: Checkpoints,
        bus: Bus,
        dispatcher: Dispatcher,
        control: ControlNodes,
        *,
        runner: str,
        lease_s: float,
        queue_of: Callable[[str], str],
        capability_of: Callable[[str], Capability | None],
        started_slow: Callable[[], None],
    ) -> None:
        """`queue_of(task)` names a data-plane task's queue, `capability_of(task)` is what is live of it;
        `started_slow()` is called when control work waits."""
        self._database = database
        self._checkpoints = checkpoints
        self._bus = bus
        self._dispatcher = dispatcher
        self._control = control
        self._runner = runner
        self._lease_s = lease_s
        self._queue_of = queue_of
        self._capability_of = capability_of
        self._started_slow = started_slow
        self._compiled: OrderedDict[str, tuple[Plan, Graph]] = OrderedDict()
        self.live: set[str] = set()

    async def advance(self, job_id: str) -> bool:
        """Move the job as far as it goes now; return True when a wake-up came meanwhile.

        Raises:
            DependencyDown: Postgres went away; the lease lapses and the job is advanced again.
        """
        job = await self._database.one("take_job", id=job_id, runner=self._runner, lease_s=self._lease_s)
        if job is None:
            return False
        self.live.add(job_id)
        try:
            if job["status"] == "cancelling":
                verdict = await self._cancel(job_id)
                await self._checkpoints.close(job_id, epoch=job["epoch"], ended=True)
            else:
                verdict = await self._step(job_id, job)
            return await self._release(job_id, job, verdict)
        except LeaseLost:
            log.warning("job.lease_lost", job_id=job_id)
            self._checkpoints.hot.delete_thread(job_id)
            return await self._let_go(job_id, job)
        except BaseException as error:
            self._checkpoints.hot.delete_thread(job_id)
            if isinstance(error, Exception):  # not advanced, so its wake-up stays: it is tried again within a second
                with contextlib.suppress(ReelgraphError):
                    await self._let_go(job_id, {**job, "wake": job["wake"] - 1})
            raise
        finally:
            self.live.discard(job_id)

    async def _step(self, job_id: str, job: dict[str, Any]) -> Verdict:
        plan, graph = await self._compile(job)
        progress, board = await self._checkpoints.open(job_id, epoch=job["epoch"]) or (None, Board(plan))
        for row in await self._database.all("load_runs", id=job_id, settled=board.settled()):
            board.record(_run(row))
        advance, due = _Advance(job, job_id, plan, board, graph), False
        if progress is None:
            progress, due = await read(graph, job_id)
        if progress is None:
            progress = await start(graph, job_id)
        elif due:
            progress = await resume(graph, job_id)
        try:
            while True:
                work = board.to_create(progress["announced"], progress["done"])
                if work:
                    await self._create(advance, work)
                ended = board.to_write(progress["announced"], progress["done"])
                if not ended:
                    verdict = board.verdict(progress["done"])
                    is_over = verdict.status in ENDED_JOBS
                    await self._checkpoints.close(job_id, epoch=job["epoch"], ended=is_over, kept=(progress, board))
                    return verdict
                self._dispatcher.left(board.queues(ended))
                progress = await write(graph, job_id, ended)
        except ReelgraphError as error:
            if error.status >= 500:
                raise
            return Verdict(JobStatus.FAILED, error=error.body.model_dump(mode="json", exclude_none=True))

    async def _create(self, advance: _Advance, work: list[Work]) -> None:
        """Create the rows of new work; fast control-plane nodes run here and are recorded as ended."""
        keys = {item.path: key for item in work if (key := self._cache_key(item)) is not None}
        hits = await self._hits(advance, keys)
        created = await asyncio.gather(*(self._row(advance, item, keys=keys, hits=hits) for item in work))
        events = [event for row in created for event in row.events]
        if advance.job["status"] == JobStatus.QUEUED:
            events.insert(0, {"type": "job.running", "node": None, "body": {"status": "running"}})
            advance.job["status"] = JobStatus.RUNNING
        answer = await self._database.one(
            "create_runs",
            id=advance.job_id,
            runner=self._runner,
            epoch=advance.job["epoch"],
            runs=[row.row for row in created],
            events=events,
            artifacts=[each for row in created for each in row.artifacts],
        )
        if answer is None:
            raise LeaseLost
        self._bus.publish(advance.job_id, answer["events"])
        self._bus.ring(answer["outbox"])
        fresh = set(answer["created"])
        for row in created:
            if row.row["node_path"] in fresh:
                advance.board.record(_run(row.row))
        if len(fresh) != len(created):  # a crash left rows behind: what they say counts, not what we just computed
            for known in await self._database.all("load_runs", id=advance.job_id, settled=[]):
                advance.board.record(_run(known))
        if any(row.row["queue"] == CONTROL_QUEUE and not row.row["ended"] for row in created):
            self._started_slow()
        self._dispatcher.look()  # now that rows which wait for room can be seen

    def _cache_key(self, work: Work) -> str | None:
        capability = self._capability_of(work.node.task) if work.node.plane == "python" else None
        return key_of(work, capability) if capability is not None else None

    async def _hits(self, advance: _Advance, keys: dict[str, str]) -> dict[str, dict[str, Any]]:
        """Return node path -> the earlier result that its key names."""
        if not keys:
            return {}
        owner_id = advance.job["owner_id"]
        rows = await self._database.all("cached_runs", owner_id=owner_id, keys=list(set(keys.values())))
        found = {row["key"]: row for row in rows}
        return {path: found[key] for path, key in keys.items() if key in found}

    async def _row(
        self, advance: _Advance, work: Work, *, keys: dict[str, str], hits: dict[str, dict[str, Any]]
    ) -> Created:
        job = advance.job
        if work.path in hits:
            return cached_row(work, job, hit=hits[work.path], cache_key=keys[work.path])
        if work.node.plane == "python":
            queue = self._queue_of(work.node.task)
            status = RunStatus.DISPATCHED if self._dispatcher.reserve(queue) else RunStatus.READY
            return run_row(work, job, queue=queue, status=status, cache_key=keys.get(work.path))
        node = self._control.registry.get(work.node.task)
        if node.gate:
            return await self._gate(advance, work)
        if node.slow:
            return run_row(work, job, queue=CONTROL_QUEUE, status=RunStatus.READY)
        executed = await self._control.execute(work, job, plan=advance.plan)
        created = run_row(work, job, queue=CONTROL_QUEUE, outcome=executed.outcome, seconds=executed.seconds)
        notes = [{**log_event(note), "node": work.path} for note in executed.notes]
        return Created(created.row, [*notes, *created.events])

    async def _gate(self, advance: _Advance, work: Work) -> Created:
        row = gate_row(work, advance.job)
        await self._database.one(
            "ask",
            id=row.row["approval_id"],
            job_id=advance.job_id,
            node_path=work.path,
            question=row.row["input"],
            question_hash=row.row["input_hash"],
        )
        return row

    async def _cancel(self, job_id: str) -> Verdict:
        answer = await self._database.one("cancel_runs", id=job_id)
        if answer is None:
            raise LeaseLost
        self._bus.publish(job_id, answer["events"])
        if answer["live"]:
            self._bus.cancel(job_id)
            return Verdict(JobStatus.CANCELLING)
        return Verdict(JobStatus.CANCELLED)

    async def _release(self, job_id: str, job: dict[str, Any], verdict: Verdict) -> bool:
        changed = verdict.status != job["status"]
        body = {"status": verdict.status, **({"error": verdict.error} if verdict.error else {})}
        events = [{"type": f"job.{verdict.status}", "node": None, "body": body}] if changed else []
        answer = await self._database.one(
            "release_job",
            id=job_id,
            runner=self._runner,
            epoch=job["epoch"],
            wake=job["wake"],
            status=verdict.status if changed else None,
            error=verdict.error,
            result=verdict.result,
            events=events,
        )
        if answer is None:
            raise LeaseLost
        for event in events:
            self._bus.publish(job_id, [{**event, "seq": answer["seq"]}])
            log.info("job.advanced", job_id=job_id, status=str(verdict.status))
        return bool(answer["again"])

    async def _let_go(self, job_id: str, job: dict[str, Any]) -> bool:
        """Free the lease if it is still ours: a cancel in mid-advance refuses our statements, too."""
        answer = await self._database.one(
            "release_job", id=job_id, runner=self._runner, epoch=job["epoch"], wake=job["wake"], status=None,
            error=None, result=None, events=[],
        )  # fmt: skip
        return answer is not None and bool(answer["again"])

    async def _compile(self, job: dict[str, Any]) -> tuple[Plan, Graph]:
        digest = job["plan_digest"]
        known = self._compiled.get(digest)
        if known is None:
            document = await self._database.run("plan_of", id=job["id"])
            plan = Plan.model_validate(document)
            known = self._compiled[digest] = (plan, compile_plan(plan, self._checkpoints.hot))
            if len(self._compiled) > MAX_COMPILED:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(digest)
        return known


def _run(row: dict[str, Any]) -> Run:
    return Run(
        node_path=row["node_path"],
        node_id=row["node_id"],
        status=RunStatus(row["status"]),
        queue=row["queue"],
        result=row["result"],
        error=row["error"],
    )
