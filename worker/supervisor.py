"""The supervisor: hands claimed runs to slots, keeps their leases, hears cancels, drains. It never runs a task itself.

It imports no model code; whatever a task does, this loop stays alive to renew, to kill and to record.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import structlog

from schemas.outcome import Failed, Outcome, TaskFailure
from schemas.states import FailureKind
from worker.affinity import Neighbours, flavour
from worker.attempt import Attempt
from worker.free_slots import FreeSlots
from worker.ledger import Claim, Ledger, LedgerDown, LedgerRefused
from worker.manifest import Advertiser
from worker.memory import MemoryBudget
from worker.objects import ObjectsFailed, ObjectStore, media_refs
from worker.patience import patiently
from worker.publish import Publisher
from worker.settings import Timing
from worker.settle import Settlement
from worker.slot import Limits, Slot

log = structlog.get_logger()


class Supervisor:
    """The attempts of one worker process and the slots they run in."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: ObjectStore,
        publisher: Publisher,
        advertiser: Advertiser,
        neighbours: Neighbours,
        slots: Sequence[Slot],
        memory: MemoryBudget,
        queues: tuple[str, ...],
        timing: Timing,
        folder: Path,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._publisher = publisher
        self._advertiser = advertiser
        self._neighbours = neighbours
        self._memory = memory
        self._queues = queues
        self._timing = timing
        self._folder = folder
        self._slots = list(slots)
        self._free = FreeSlots()
        self._attempts: dict[tuple[str, str], Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._settlement = Settlement(ledger=ledger, store=store, publisher=publisher, time_scale=timing.time_scale)
        self._freed = asyncio.Event()
        self.draining = False
        self.claimed_at = time.monotonic()

    @property
    def has_room(self) -> bool:
        """Whether a slot is free now. Thread-safe."""
        return not self.draining and len(self._free) > 0

    async def start(self) -> None:
        """Warm every slot; a slot is free once its child has described itself."""
        for slot in self._slots:
            self._spawn(self._warm(slot))

    async def take(self, job_id: str, node_path: str, *, first: bool = False) -> bool:
        """Try to claim a run for a free slot; waits for a slot, not for the work. Returns whether it was claimed.

        Args:
            first: claim at once, without giving a neighbour that has the models loaded the first try.
        """
        slot = await self._free.get()
        claim = None
        try:
            if not first and self._neighbours.any_warm:
                await self._offer(job_id, node_path, slot)
            if not self.draining:
                claim = await self._ledger.claim(job_id, node_path, queues=self._queues)
        except LedgerDown as error:
            log.warning("claim.ledger_down", error=str(error))
        finally:
            if claim is None:
                self._release(slot)
        if claim is None:
            return False
        self.claimed_at = time.monotonic()
        slot = self._free.exchange(slot, wanted=flavour(claim.task, claim.params))
        self._spawn(self._run(slot, claim))
        return True

    def invite(self, job_id: str, node_path: str) -> None:
        """Try a run that a neighbour offers, when a slot is free."""
        if self.has_room:
            self._spawn(self._accept(job_id, node_path))

    def cancel(self, job_id: str) -> None:
        """Stop the live attempts of a cancelled job."""
        for attempt in self._attempts.values():
            if attempt.claim.job_id == job_id:
                attempt.end("cancelled")

    async def renew_forever(self) -> None:
        """Renew all live claims in one statement; stop what is lost or cancelled."""
        while True:
            await asyncio.sleep(self._timing.scaled("renew_s"))
            live = list(self._attempts.values())
            if not live:
                continue
            try:
                answer = await self._ledger.renew([(attempt.claim, attempt.ticker.progress) for attempt in live])
            except LedgerDown as error:
                log.warning("lease.ledger_down", error=str(error), live=len(live))
                continue
            for attempt in live:
                claim = attempt.claim
                cancel = answer.get((*claim.key, claim.epoch))
                if cancel is None:
                    attempt.end("lost")
                else:
                    attempt.renewed_at = time.monotonic()
                    if cancel:
                        attempt.end("cancelled")

    async def pull_forever(self, *, redis_is_up: Callable[[], bool]) -> None:
        """Look for ready runs without a doorbell: every 5 s, and after each freed slot while Redis is away."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._next_pull(redis_is_up), self._timing.scaled("pull_s"))
            self._freed.clear()
            if self.has_room:
                await self._pull(deaf=not redis_is_up())

    async def describe_forever(self) -> None:
        """Look again at what this machine can do, whenever a slot is free."""
        while True:
            await asyncio.sleep(self._timing.scaled("describe_s"))
            if not self.has_room:
                continue
            slot = await self._free.get()
            try:
                await slot.describe()
            except RuntimeError as error:
                log.error("child.did_not_start", error=str(error)[-1000:])
            finally:
                self._release(slot)

    async def exchange_forever(self) -> None:
        """Tell and hear what is warm where."""
        while True:
            resident = frozenset[str]().union(*(slot.warmth.resident for slot in self._slots))
            self._advertiser.resident = tuple(sorted(resident))
            await self._neighbours.exchange(self._free.flavours())
            await asyncio.sleep(self._timing.scaled("manifest_s"))

    def stuck(self) -> bool:
        """Say whether nothing was claimed for a minute although runs were ready and a slot free."""
        return self.has_room and time.monotonic() - self.claimed_at > self._timing.scaled("watchdog_s")

    async def drain(self) -> None:
        """Take nothing new; let runs finish that can within the budget, give the others back, stop the children."""
        self.draining = True
        ends_at = time.monotonic() + self._timing.scaled("drain_budget_s")
        log.info("worker.draining", live=len(self._attempts))
        patience = time.monotonic() + min(2.0, self._timing.scaled("drain_budget_s"))
        while self._attempts:
            now = time.monotonic()
            for attempt in list(self._attempts.values()):
                eta_s = attempt.ticker.eta_s()
                hopeless = now > patience and (eta_s is None or now + eta_s > ends_at)
                if hopeless or now > ends_at:
                    attempt.end("released")
            await asyncio.sleep(0.02)
        await asyncio.gather(*(slot.drop("drained") for slot in self._slots))

    def give_back(self) -> None:
        """Give every live run back at once: the second signal."""
        for attempt in self._attempts.values():
            attempt.end("released")

    async def _next_pull(self, redis_is_up: Callable[[], bool]) -> None:
        while True:
            await self._freed.wait()
            if not redis_is_up():
                return
            self._freed.clear()

    async def _pull(self, *, deaf: bool) -> None:
        stale_s = 0.0 if deaf else self._timing.scaled("stale_s")  # who hears no doorbell waits for none
        try:
            found = await self._ledger.ready(queues=self._queues, stale_s=stale_s, count=len(self._free))
        except LedgerDown:
            self.claimed_at = time.monotonic()
            return
        if not found:
            self.claimed_at = time.monotonic()
        for job_id, node_path in found:
            if self.has_room:
                await self.take(job_id, node_path, first=True)

    async def _accept(self, job_id: str, node_path: str) -> None:
        await self.take(job_id, node_path, first=True)

    async def _offer(self, job_id: str, node_path: str, slot: Slot) -> None:
        """Give a neighbour the first try at a run whose models no free slot here has loaded."""
        outlook = await self._ledger.outlook(job_id, node_path)
        if outlook is not None:
            wanted = flavour(*outlook)
            if not slot.warmth.has(wanted) and wanted not in self._free.flavours():
                await self._neighbours.offer(job_id, node_path, wanted=wanted)

    async def _run(self, slot: Slot, claim: Claim) -> None:
        folder = self._folder / f"{slot.name}-run"
        attempt = Attempt(
            claim,
            folder=folder,
            ledger=self._ledger,
            store=self._store,
            publisher=self._publisher,
            timing=self._timing,
        )
        self._attempts[claim.key] = attempt
        with structlog.contextvars.bound_contextvars(
            job_id=claim.job_id, node_path=claim.node_path, task=claim.task, attempt=claim.attempt
        ):
            try:
                running = [{"type": "node.running", "body": claim.body}]
                self._publisher.events(claim.job_id, node=claim.node_path, last_seq=claim.seq, events=running)
                log.info("attempt.started", slot=slot.name)
                outcome = await self._work(slot, attempt)
                attempt.ticker.close()
                await self._settlement.settle(attempt, outcome)
                seconds = round(time.monotonic() - attempt.began_at, 3)
                log.info("attempt.ended", outcome=outcome.type, reason=attempt.reason, seconds=seconds)
            except LedgerRefused as error:
                log.error("attempt.not_recordable", error=str(error))
            except Exception:  # the lease lapses and the run is tried elsewhere
                log.exception("attempt.lost")
                await slot.drop("supervisor_error")
            finally:
                if self._attempts.get(claim.key) is attempt:
                    del self._attempts[claim.key]
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                await self._warm(slot)

    async def _work(self, slot: Slot, attempt: Attempt) -> Outcome:
        claim = attempt.claim
        facts = self._advertiser.facts(claim.task)
        attempt.workdir.mkdir(parents=True)
        try:
            inputs = await self._inputs(attempt)
            await attempt.recover()
        except ObjectsFailed as error:
            return Failed(failure=error.failure)
        if not self._memory.can_ever(facts.memory_gib):
            message = f"the task needs {facts.memory_gib:g} GiB, this worker may use {self._memory.total_gib:.1f} GiB"
            return Failed(failure=TaskFailure(
                kind=FailureKind.CAPACITY, code="not_enough_memory", message=message,
                hint="run it on a larger machine, or ask for a smaller resolution"))  # fmt: skip
        limits = Limits(
            run_s=claim.timeout_s,
            idle_s=facts.idle_timeout_s,
            answer_grace_s=self._timing.scaled("answer_grace_s"),
            cancel_grace_s=self._timing.scaled("cancel_grace_s"),
        )
        async with self._memory.lent(facts.memory_gib):
            return await slot.run(attempt.order(inputs), limits=limits, on_message=attempt.hear, stop=attempt.stop)

    async def _inputs(self, attempt: Attempt) -> dict[str, Any]:
        """Return the inputs with their files at hand; S3 being down is waited out for some seconds."""
        claim = attempt.claim
        if next(media_refs(claim.inputs), None) is None:
            return claim.inputs
        return await patiently(
            lambda: self._store.fetch(claim.inputs, owner_id=claim.owner_id, folder=attempt.folder / "inputs"),
            stop=attempt.stop, time_scale=self._timing.time_scale,
        )  # fmt: skip

    async def _warm(self, slot: Slot) -> None:
        """Make a slot free once it has a live child; a child that cannot start is tried again, ever slower."""
        pause_s = 0.5
        while not self.draining:
            try:
                await slot.warm()
                break
            except RuntimeError as error:
                log.error("child.did_not_start", slot=slot.name, error=str(error)[-2000:])
                await asyncio.sleep(pause_s)
                pause_s = min(30.0, pause_s * 2)
        self._release(slot)

    def _release(self, slot: Slot) -> None:
        self._free.put(slot)
        self._freed.set()
        self.on_room()

    def on_room(self) -> None:
        """Called when a slot becomes free; the wiring rings the doorbells here."""

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
