"""From outcome to ledger: uploads, the retry decision, the one final statement, and what is published after it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from schemas.artifact import ArtifactRef
from schemas.outcome import Cancelled, Failed, Outcome, Succeeded, TaskFailure
from schemas.retry import MAX_ATTEMPTS, retry_delay_s
from schemas.states import FailureKind
from worker.attempt import Attempt
from worker.ledger import Ledger, LedgerDown, LedgerRefused
from worker.objects import ObjectsFailed, ObjectStore, with_stored
from worker.patience import patiently
from worker.publish import Publisher

log = structlog.get_logger()
Event = dict[str, Any]
T = TypeVar("T")
_PAUSES_S = (0.2, 0.5, 1.0, 2.0)


class Settlement:
    """Ends attempts. Never gives up on recording an outcome while the claim may still be ours."""

    def __init__(self, *, ledger: Ledger, store: ObjectStore, publisher: Publisher, time_scale: float) -> None:
        self._ledger = ledger
        self._store = store
        self._publisher = publisher
        self._scale = time_scale

    async def settle(self, attempt: Attempt, outcome: Outcome) -> None:
        """Record how an attempt ended and publish it."""
        if attempt.reason is not None:
            await self._stopped(attempt)
            return
        match outcome:
            case Cancelled():
                failure = TaskFailure(
                    kind=FailureKind.BUG, code="cancelled_itself", message="the task stopped though nobody asked it to"
                )
                await self._failed(attempt, Failed(failure=failure))
            case Succeeded():
                await self._succeeded(attempt, outcome)
            case Failed():
                await self._failed(attempt, outcome)

    async def _succeeded(self, attempt: Attempt, outcome: Succeeded) -> None:
        await attempt.checkpoints.close()
        try:
            stored = await self._upload(attempt, outcome.artifacts)
        except ObjectsFailed as error:
            await self._failed(attempt, Failed(failure=error.failure))
            return
        rows = [_row(ref, attempt.prefix) for ref in stored.values()]
        events = [
            *await attempt.unwritten(),
            *(_created(ref) for ref in stored.values()),
            {"type": "node.completed", "body": {"status": "completed", "progress": 1.0}},
        ]
        result = with_stored(outcome.outputs, stored)
        try:
            seq = await self._record(
                attempt, lambda: self._ledger.commit(attempt.claim, result=result, artifacts=rows, events=events)
            )
        except LedgerRefused as error:
            await self._discard(attempt)
            failure = TaskFailure(kind=FailureKind.BUG, code="cannot_record", message=str(error)[:2000])
            await self._failed(attempt, Failed(failure=failure))
            return
        if seq is not None:
            self._publish(attempt, seq, events)
        elif await self._record(attempt, lambda: self._ledger.committed(attempt.claim)):
            self._publisher.wake(attempt.claim.job_id)  # an answer was lost; the log has the events
        else:
            await self._stopped(attempt)
            return
        await attempt.checkpoints.drop()

    async def _failed(self, attempt: Attempt, outcome: Failed) -> None:
        claim, failure = attempt.claim, outcome.failure
        crashed = failure.kind is FailureKind.CRASH
        await attempt.checkpoints.settle()  # first: the next claim may come right after the last statement
        made = (claim.crashes if crashed else claim.attempts) + 1
        delay_s = retry_delay_s(
            failure.kind,
            attempt=made,
            max_attempts=claim.max_attempts,
            job_attempts=claim.failures + 1,
            jitter=random.random(),
            unknown=failure.unknown,
        )
        if delay_s is not None:
            delay_s *= self._scale
        stored: dict[str, ArtifactRef] = {}
        if not crashed and outcome.artifacts:
            try:
                stored = await self._upload(attempt, outcome.artifacts)
            except ObjectsFailed as error:
                log.warning("attempt.partial_lost", code=error.failure.code)
        error = failure.model_dump(mode="json", exclude_none=True)
        if crashed and delay_s is None:
            error |= {"code": "poisoned", "message": f"{failure.message}; it crashed {made} times"[:2000]}
            error.setdefault("hint", "look at the detail, change the params and retry")
        body = {"attempt": claim.attempt, "error": error}
        if delay_s is None:
            last = {"type": "node.failed", "body": {"status": "failed", "code": error["code"], **body}}
        else:
            last = {"type": "node.retrying", "body": {"status": "ready", "delaySeconds": round(delay_s, 2),
                    "maxAttempts": min(claim.max_attempts, MAX_ATTEMPTS[failure.kind]), **body}}  # fmt: skip
        events = [*await attempt.unwritten(), *(_created(ref) for ref in stored.values()), last]
        log.warning("attempt.failed", code=failure.code, kind=str(failure.kind), retry_in_s=delay_s)

        def record() -> Awaitable[int | None]:
            if crashed:
                return self._ledger.crash(claim, error=error, delay_s=delay_s, events=events)
            rows = [_row(ref, attempt.prefix) for ref in stored.values()]
            return self._ledger.fail(claim, error=error, delay_s=delay_s, artifacts=rows, events=events)

        seq = await self._record(attempt, record)
        if seq is not None:
            self._publish(attempt, seq, events)
        else:  # partial files may be registered if only the answer was lost: the reaper knows, we do not
            await self._stopped(attempt, discard=False)

    async def _stopped(self, attempt: Attempt, *, discard: bool = True) -> None:
        """End a run without a result: cancelled, given back, or no longer ours. Own objects go."""
        match attempt.reason:
            case "cancelled":
                await attempt.checkpoints.drop()
            case "released":
                await attempt.checkpoints.settle()
            case _:
                await attempt.checkpoints.close()
        if discard:
            await self._discard(attempt)
        if attempt.reason == "lost" or not await self._record(attempt, lambda: self._ledger.held(attempt.claim)):
            log.warning("attempt.fenced", epoch=attempt.claim.epoch)
            return
        release = attempt.reason == "released"
        seq = await self._record(attempt, lambda: self._ledger.stop(attempt.claim, release=release))
        if seq is not None:
            word = "ready" if release else "cancelled"
            self._publish(attempt, seq, [{"type": f"node.{word}", "body": {"status": word}}])

    async def _upload(self, attempt: Attempt, artifacts: tuple[ArtifactRef, ...]) -> dict[str, ArtifactRef]:
        """Return local path -> stored ref; S3 being down is waited out for some seconds: a render is precious."""
        if not artifacts:
            return {}
        stored = await patiently(
            lambda: self._store.store(artifacts, prefix=attempt.prefix, outbox=attempt.workdir / "outbox"),
            stop=attempt.stop, time_scale=self._scale,
        )  # fmt: skip
        return {ref.path or "": kept for ref, kept in zip(artifacts, stored, strict=True)}

    async def _discard(self, attempt: Attempt) -> None:
        if (attempt.workdir / "outbox").exists():
            await asyncio.to_thread(self._store.delete, attempt.prefix)

    async def _record(self, attempt: Attempt, statement: Callable[[], Awaitable[T]]) -> T:
        """Say a statement until Postgres answers; whether it still counts, the epoch decides there."""
        tries = 0
        while True:
            try:
                return await statement()
            except LedgerDown as error:
                if tries == 0:
                    log.warning("ledger.down", error=str(error), node_path=attempt.claim.node_path)
                await asyncio.sleep(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)] * self._scale)
                tries += 1

    def _publish(self, attempt: Attempt, seq: int, events: list[Event]) -> None:
        self._publisher.events(attempt.claim.job_id, node=attempt.claim.node_path, last_seq=seq, events=events)
        self._publisher.wake(attempt.claim.job_id)


def _row(ref: ArtifactRef, prefix: str) -> dict[str, Any]:
    facts = ref.model_dump(mode="json", include={"id", "name", "kind", "role", "media", "size_bytes", "sha256"})
    return {**facts, "object_key": f"{prefix}/{ref.name}"}


def _created(ref: ArtifactRef) -> Event:
    body = ref.model_dump(mode="json", include={"id", "uri", "name", "kind", "role", "media", "size_bytes"})
    return {"type": "artifact.created", "body": body}
