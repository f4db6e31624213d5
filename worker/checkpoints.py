"""What an attempt keeps to go on from: the latest file of the child goes to S3 and then, fenced, into the ledger.

An upload works in the background, one at a time; while it does, the newest file waits and older ones are forgotten.
Objects lie under `OWNER/JOB/NODE/checkpoints/`, beside those of the claims, so that what a stopped claim deletes of
its own outputs leaves them alone. What nobody deletes here, the reaper does.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import structlog

from schemas.states import FailureKind
from worker.ledger import Checkpoint, Claim, Ledger, LedgerDown, LedgerRefused
from worker.objects import ObjectsFailed, ObjectStore
from worker.patience import patiently

log = structlog.get_logger()
MAX_STEP = 10**12
_PAUSE_S = 1.0  # between two tries to reach Postgres


class Checkpoints:
    """The checkpoints of one attempt.

    Attributes:
        found: what an earlier claim kept, once `fetch` has brought it.
    """

    def __init__(
        self, claim: Claim, *, workdir: Path, ledger: Ledger, store: ObjectStore, stop: asyncio.Event, time_scale: float
    ) -> None:
        self.found: Path | None = None
        self._claim = claim
        self._folder = workdir / "checkpoints"  # where `ctx.keep_checkpoint` copies them to
        self._ledger = ledger
        self._store = store
        self._stop = stop
        self._scale = time_scale
        self._waiting: tuple[Path, int] | None = None
        self._working: asyncio.Task[None] | None = None
        self._closed = False
        self._count = 0
        self._keys: set[str] = {claim.checkpoint.key} if claim.checkpoint else set()

    async def fetch(self, folder: Path) -> None:
        """Bring what an earlier claim kept into `folder`; one that is gone or damaged does not count.

        Raises:
            ObjectsFailed: S3 is down.
        """
        kept, owner_id = self._claim.checkpoint, self._claim.owner_id
        if kept is None:
            return
        target = folder / kept.key.rpartition("/")[2]
        try:
            await patiently(
                lambda: self._store.fetch_one(kept.key, sha256=kept.sha256, owner_id=owner_id, target=target),
                stop=self._stop, time_scale=self._scale,
            )  # fmt: skip
        except ObjectsFailed as error:
            if error.failure.kind is FailureKind.DEPENDENCY:
                raise
            log.warning("checkpoint.unusable", key=kept.key, code=error.failure.code)
            return
        self.found = target

    def offer(self, message: dict[str, Any]) -> None:
        """Take a `checkpoint` message of the child; one that is malformed is ignored."""
        path, step = message.get("path"), message.get("step")
        if self._closed or not isinstance(path, str) or type(step) is not int or not 0 <= step <= MAX_STEP:
            return
        if self._waiting is not None:
            self._forget(self._waiting[0])
        self._waiting = (Path(path), step)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())

    async def settle(self) -> None:
        """Wait until the latest one is stored and recorded, or cannot be."""
        if self._working is not None:
            await self._working

    async def close(self) -> None:
        """Take no more; only the upload that is under way ends."""
        self._closed, self._waiting = True, None
        await self.settle()

    async def drop(self) -> None:
        """Delete them all: the run ended well, or will never go on."""
        await self.close()
        for key in self._keys:
            await asyncio.to_thread(self._store.delete_one, key)

    async def _work(self) -> None:
        while (taken := self._waiting) is not None:
            self._waiting = None
            path, step = taken
            try:
                await self._keep(path, step=step)
            except ObjectsFailed as error:
                log.warning("checkpoint.not_stored", step=step, code=error.failure.code)
            except LedgerRefused as error:
                log.error("checkpoint.not_recorded", step=step, error=str(error))
            finally:
                self._forget(path)

    async def _keep(self, path: Path, *, step: int) -> None:
        claim = self._claim
        self._count += 1
        name = f"{claim.epoch}-{self._count:04d}{path.suffix}"  # never the name of another one, whoever wakes up late
        key = f"{claim.owner_id}/{claim.job_id}/{claim.node_path}/checkpoints/{name}"
        sha256, size_bytes = await patiently(
            lambda: self._store.store_one(key, path, folder=self._folder), stop=self._stop, time_scale=self._scale
        )
        self._keys.add(key)
        useless = await self._recorded(Checkpoint(key=key, sha256=sha256, size_bytes=size_bytes, step=step))
        log.info("checkpoint.kept" if useless != key else "checkpoint.fenced", step=step, size_bytes=size_bytes)
        if useless is not None:
            self._keys.discard(useless)
            await asyncio.to_thread(self._store.delete_one, useless)

    async def _recorded(self, kept: Checkpoint) -> str | None:
        """Say it until Postgres answers or nobody wants it any more; return the key of what no longer counts."""
        while True:
            try:
                return await self._ledger.keep(self._claim, kept)
            except LedgerDown as error:
                log.warning("checkpoint.ledger_down", error=str(error))
                if self._closed or self._waiting is not None:
                    return None
                await asyncio.sleep(_PAUSE_S * self._scale)

    def _forget(self, path: Path) -> None:
        """Free the disk of a file that was taken; one that lies elsewhere is not ours."""
        if path.parent == self._folder:
            path.unlink(missing_ok=True)
