"""Control-plane nodes: run one, and serve the slow and retried ones beside the engine.

A fast node runs inside an advance. A slow one (LLM, sandbox), and every retry, is a `node_run` on the queue
`control` that this process claims, renews and commits with the same statements as a worker.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError

from graphs.board import Work
from graphs.bus import Bus
from graphs.database import Database
from graphs.facades import JobArtifacts, ProfileRows
from graphs.registry import Children, NodeContext, NodeError, NodeRegistry
from schemas.capability import Manifest, fitted
from schemas.channels import CONTROL_QUEUE
from schemas.errors import DependencyDown, ReelgraphError
from schemas.events import live
from schemas.outcome import Failed, Outcome, Succeeded, TaskFailure
from schemas.plan import Plan, PlanNode
from schemas.retry import retry_delay_s
from schemas.states import FailureKind
from schemas.text import clean_json

log = structlog.get_logger()
MAX_AT_ONCE = 2
TICK_PAUSE_S = 0.25


@dataclass(frozen=True)
class Executed:
    """How a fast node ended, how long it took, and the log lines it wrote."""

    outcome: Outcome
    seconds: float
    notes: list[str]


class ControlNodes:
    """Runs control-plane nodes; `manifest()` returns the live capabilities."""

    def __init__(
        self,
        registry: NodeRegistry,
        database: Database,
        bus: Bus,
        children: Children,
        *,
        boot: str,
        lease_s: float,
        manifest: Callable[[], Manifest],
        wake: Callable[[str], None],
    ) -> None:
        self.registry = registry
        self._database = database
        self._bus = bus
        self._children = children
        self._boot = boot
        self._lease_s = lease_s
        self._manifest = manifest
        self._wake = wake
        self._due = asyncio.Event()
        self._room = asyncio.Semaphore(MAX_AT_ONCE)
        self._running: dict[tuple[str, str, int], asyncio.Task[None]] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    def poke(self) -> None:
        """Say that control work waits."""
        self._due.set()

    async def execute(self, work: Work, job: dict[str, Any], *, plan: Plan) -> Executed:
        """Run one fast node inside an advance."""
        began = time.monotonic()
        notes: list[str] = []
        context = self._context(
            job_id=str(job["id"]),
            node_id=work.node.id,
            owner_id=str(job["owner_id"]),
            attempt=1,
            request=plan.context,
            notes=notes,
        )
        outcome = await self._call(work.node, work.node.params, work.inputs, context)
        return Executed(outcome, time.monotonic() - began, notes)

    async def run(self) -> None:
        """Serve the control queue until cancelled."""
        while True:
            try:
                await self._serve()
            except DependencyDown:
                log.warning("control.database_down")
            self._due.clear()
            try:
                async with asyncio.timeout(1.0):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def renew(self) -> None:
        """Renew the leases of live control runs; stop those that were cancelled or lost."""
        keys = list(self._running)
        if not keys:
            return
        rows = await self._database.all(
            "renew_runs",
            file="work",
            lease_s=self._lease_s,
            job_ids=[key[0] for key in keys],
            node_paths=[key[1] for key in keys],
            epochs=[key[2] for key in keys],
            progress=[0.0] * len(keys),
        )
        kept = {(str(row["job_id"]), row["node_path"], row["epoch"]) for row in rows if not row["cancel"]}
        for key in set(keys) - kept:
            self._running[key].cancel()

    def cancel(self, job_id: str) -> None:
        """Stop the live control runs of a job."""
        for key, task in self._running.items():
            if key[0] == job_id:
                task.cancel()

    async def _serve(self) -> None:
        while True:
            await self._room.acquire()
            claimed = None
            try:
                for row in await self._database.all(
                    "ready_runs", file="work", queues=[CONTROL_QUEUE], stale_s=0.0, count=8
                ):
                    claimed = await self._database.one(
                        "claim_run",
                        file="work",
                        job_id=row["job_id"],
                        node_path=row["node_path"],
                        boot=self._boot,
                        lease_s=self._lease_s,
                        queues=[CONTROL_QUEUE],
                    )
                    if claimed is not None:
                        break
            finally:
                if claimed is None:
                    self._room.release()
            if claimed is None:
                return
            job_id = str(claimed["job_id"])
            self._bus.publish(
                job_id,
                [
                    {
                        "seq": claimed["seq"],
                        "type": "node.running",
                        "node": claimed["node_path"],
                        "body": claimed["body"],
                    }
                ],
            )
            key = (job_id, claimed["node_path"], claimed["epoch"])
            task = asyncio.create_task(self._guarded(claimed))
            self._running[key] = task
            task.add_done_callback(lambda task, key=key: self._done(key, task))

    def _done(self, key: tuple[str, str, int], task: asyncio.Task[None]) -> None:
        self._running.pop(key, None)
        self._room.release()
        self._due.set()
        if task.cancelled():  # said here and not in the task: a cancel may come before its first line
            job_id, path, epoch = key
            stop = self._record("stop_run", [], job_id=job_id, node_path=path, epoch=epoch, release=False)
            stopping = asyncio.create_task(stop)
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)

    async def _guarded(self, run: dict[str, Any]) -> None:
        """Work; a bug of ours leaves the lease to lapse, so that the run is tried again and poisons at the third."""
        try:
            await self._work(run)
        except Exception:
            log.exception("control.abandoned", job_id=str(run["job_id"]), node_path=run["node_path"])

    async def _work(self, run: dict[str, Any]) -> None:
        job_id, path = str(run["job_id"]), run["node_path"]
        key = {"job_id": run["job_id"], "node_path": path, "epoch": run["epoch"]}
        plan_row = await self._database.one("get_job", id=run["job_id"], owner_id=run["owner_id"])
        plan = Plan.model_validate(plan_row["plan"]) if plan_row else None
        if plan is None:
            return
        node = plan.node(run["node_id"])
        notes: list[str] = []
        context = self._context(
            job_id=job_id,
            node_id=run["node_id"],
            owner_id=str(run["owner_id"]),
            attempt=run["attempts"] + run["crashes"] + 1,
            request=plan.context,
            notes=notes,
            path=path,
        )
        try:
            async with asyncio.timeout(run["timeout_s"]):
                outcome = await self._call(node, run["input"]["params"], run["input"]["inputs"], context)
        except TimeoutError:
            outcome = Failed(
                failure=TaskFailure(
                    kind=FailureKind.TIMEOUT, code="timeout", message=f"took longer than {run['timeout_s']:g} s"
                )
            )
        logged = [log_event(note) for note in notes]
        match outcome:
            case Succeeded():
                events = [*logged, {"type": "node.completed", "body": {"status": "completed", "progress": 1.0}}]
                await self._record("commit_run", events, **key, result=outcome.outputs, artifacts=[])
            case Failed():
                await self._fail(run, outcome.failure, key, logged)

    async def _fail(
        self, run: dict[str, Any], failure: TaskFailure, key: dict[str, Any], logged: list[dict[str, Any]]
    ) -> None:
        delay_s = retry_delay_s(
            failure.kind,
            attempt=run["attempts"] + 1,
            max_attempts=run["max_attempts"],
            job_attempts=run["failures"] + 1,
            jitter=random.random(),
            unknown=failure.unknown,
        )
        error = failure.model_dump(mode="json", exclude_none=True)
        name = "failed" if delay_s is None else "retrying"
        events = [*logged, {"type": f"node.{name}", "body": {"status": name, "error": error}}]
        await self._record("fail_run", events, **key, error=error, delay_s=delay_s, artifacts=[])

    async def _record(self, verb: str, events: list[dict[str, Any]], **arguments: Any) -> None:
        """Record an outcome, trying again while the database is down: only the epoch decides."""
        job_id = str(arguments["job_id"])
        if verb != "stop_run":
            arguments["events"] = events
        while True:
            try:
                answer = await self._database.one(verb, file="work", **arguments)
                break
            except DependencyDown:
                await asyncio.sleep(0.5)
        if answer is None:
            log.warning("run.fenced", job_id=job_id, node_path=arguments["node_path"])
            return
        first = answer["seq"] - len(events) + 1
        self._bus.publish(
            job_id,
            [{**event, "seq": first + index, "node": arguments["node_path"]} for index, event in enumerate(events)],
        )
        self._wake(job_id)

    async def _call(
        self, plan_node: PlanNode, params: dict[str, Any], inputs: dict[str, Any], context: NodeContext
    ) -> Outcome:
        try:
            node = self.registry.get(plan_node.task)
            typed = node.params.model_validate(params)
        except KeyError as error:
            return _failed(FailureKind.INPUT, "unknown_task", str(error))
        except ValidationError as error:
            first = error.errors()[0]
            path = "/params/" + "/".join(str(part) for part in first["loc"])
            return _failed(FailureKind.INPUT, "invalid_param", f"{path}: {first['msg']}")
        try:
            outputs = await node.function(context, typed, fitted(node.inputs, inputs))
            return Succeeded(outputs=clean_json(outputs, strict=False))
        except NodeError as error:
            return Failed(failure=error.failure)
        except DependencyDown as error:
            return _failed(FailureKind.DEPENDENCY, error.body.code, str(error))
        except ReelgraphError as error:
            return _failed(FailureKind.INPUT, error.body.code, str(error), hint=error.body.hint)
        except Exception as error:
            log.exception("control.bug", task=plan_node.task, job_id=context.job_id)
            return _failed(FailureKind.BUG, "bug", f"{plan_node.task}: {type(error).__name__}: {error}", unknown=True)

    def _context(
        self,
        *,
        job_id: str,
        node_id: str,
        owner_id: str,
        attempt: int,
        request: Any,
        notes: list[str],
        path: str | None = None,
    ) -> NodeContext:
        last = 0.0

        def progress(fraction: float, stage: str | None = None, message: str | None = None) -> None:
            nonlocal last
            now = time.time()
            if now - last < TICK_PAUSE_S:
                return
            last = now
            body = {"progress": min(1.0, max(0.0, fraction)), "stage": stage, "message": message}
            known = {key: value for key, value in body.items() if value is not None}
            tick = live(job_id, seq=None, ts=now, type_="progress", node=path or node_id, body=known)
            self._bus.tick(job_id, tick.model_dump_json(exclude_none=True))

        return NodeContext(
            job_id=job_id,
            node_id=node_id,
            owner_id=owner_id,
            attempt=attempt,
            request=request,
            manifest=self._manifest(),
            profiles=ProfileRows(self._database, owner_id=owner_id),
            outputs=JobArtifacts(self._database, job_id=job_id),
            children=self._children,
            progress=progress,
            log=notes.append,
        )


def log_event(message: str) -> dict[str, Any]:
    """Return a durable line for the job's log."""
    return {"type": "log", "body": {"message": message[:1000]}}


def _failed(kind: FailureKind, code: str, message: str, *, hint: str | None = None, unknown: bool = False) -> Failed:
    failure = TaskFailure(kind=kind, code=code[:64], message=message[:2000], hint=hint, unknown=unknown)
    return Failed(failure=failure)
