"""One live attempt at a claimed run: its progress, its log lines, and the reason to stop it, if any."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path
from typing import Any, Literal

import structlog

from schemas.text import clean_json
from worker.checkpoints import Checkpoints
from worker.ledger import Claim, Ledger, LedgerDown, LedgerRefused
from worker.objects import ObjectStore, media_refs
from worker.publish import Publisher, Ticker
from worker.settings import Timing

log = structlog.get_logger()
StopReason = Literal["cancelled", "lost", "released"]
MAX_LOG_LINES = 200
SOFTWARE = "Reelgraph"
FENCE_RATIO = 0.8  # of the lease: without a renewal for so long, say nothing more. Source: RELIABILITY 4.4


class Attempt:
    """What the supervisor keeps of a run while it works.

    Attributes:
        stop: set to end the child; `reason` says why.
        checkpoints: what the child keeps, and what an earlier attempt kept for it.
        renewed_at: monotonic time of the last successful renewal.
    """

    def __init__(
        self,
        claim: Claim,
        *,
        folder: Path,
        ledger: Ledger,
        store: ObjectStore,
        publisher: Publisher,
        timing: Timing,
    ) -> None:
        self.claim = claim
        self.folder = folder
        self.began_at = self.renewed_at = time.monotonic()
        self.stop = asyncio.Event()
        self.reason: StopReason | None = None
        self.ticker = Ticker(publisher, job_id=claim.job_id, node=claim.node_path)
        self.prefix = f"{claim.owner_id}/{claim.job_id}/{claim.node_path}/{claim.epoch}"
        self._ledger = ledger
        self._publisher = publisher
        self.checkpoints = Checkpoints(
            claim, workdir=self.workdir, ledger=ledger, store=store, stop=self.stop, time_scale=timing.time_scale
        )
        self._fence_s = timing.scaled("lease_s") * FENCE_RATIO
        self._lines: list[dict[str, Any]] = []
        self._lines_seen = 0
        self._writing: asyncio.Task[None] | None = None

    @property
    def workdir(self) -> Path:
        """The folder that the task sees as its own."""
        return self.folder / "work"

    def end(self, reason: StopReason) -> None:
        """Ask the child to stop; the first reason stands, but a lost claim outranks all."""
        if self.reason is None or reason == "lost":
            self.reason = reason
        self.stop.set()

    def hear(self, message: dict[str, Any]) -> None:
        """Take a message of the child; one that lost touch with the ledger stays silent."""
        if time.monotonic() - self.renewed_at > self._fence_s:
            return
        match message.get("type"):
            case "progress" | "preview":
                self.ticker.offer(message)
            case "checkpoint":
                self.checkpoints.offer(message)
            case "log" if self._lines_seen < MAX_LOG_LINES:
                self._lines_seen += 1
                line = {key: message[key] for key in ("message", "facts") if message.get(key)}
                self._lines.append({"type": "log", "body": clean_json(line, strict=False)})
                if self._writing is None or self._writing.done():
                    self._writing = asyncio.create_task(self._write_lines())
            case _:
                pass

    async def recover(self) -> None:
        """Bring what an earlier attempt kept last, and say so in the job's log.

        Raises:
            ObjectsFailed: S3 is down.
        """
        await self.checkpoints.fetch(self.folder / "checkpoint")
        kept = self.claim.checkpoint
        if kept is not None and self.checkpoints.found is not None:
            self.hear(
                {"type": "log", "message": "goes on from what an earlier attempt kept", "facts": {"step": kept.step}}
            )

    async def unwritten(self) -> list[dict[str, Any]]:
        """Return the log lines that are not in the log yet, to go with the final statement."""
        if self._writing is not None:
            await self._writing
        lines, self._lines = self._lines, []
        return lines

    def order(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return what the child is told."""
        claim = self.claim
        told = claim.cache_key or f"{claim.job_id}/{claim.node_path}"  # what may be taken over must not vary by job
        seed = int.from_bytes(hashlib.sha256(told.encode()).digest()[:4], "big")
        return {
            "task": claim.task,
            "params": claim.params,
            "inputs": inputs,
            "job_id": claim.job_id,
            "node_id": claim.node_id,
            "attempt": claim.attempt,
            "workdir": str(self.workdir),
            "seed": seed & 0x7FFFFFFF,
            "checkpoint": str(self.checkpoints.found) if self.checkpoints.found else None,
            "parents": [
                {"name": ref.get("name") or "", "kind": ref.get("kind") or "", "sha256": ref.get("sha256") or ""}
                for ref in media_refs(inputs)
            ],
            "provenance": {
                "plan_digest": claim.plan_digest,
                "job_id": claim.job_id,
                "node_id": claim.node_id,
                "software": SOFTWARE,
            },
        }

    async def _write_lines(self) -> None:
        while self._lines:
            lines, self._lines = self._lines, []
            try:
                seq = await self._ledger.note(self.claim, events=lines)
            except LedgerDown:
                self._lines = lines + self._lines
                return
            except LedgerRefused as error:
                log.error("attempt.log_refused", error=str(error))
                return
            if seq is not None:
                self._publisher.events(self.claim.job_id, node=self.claim.node_path, last_seq=seq, events=lines)
