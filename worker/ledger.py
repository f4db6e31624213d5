"""The worker's side of the ledger: claim, renew, commit, fail, crash, stop. The only file here that knows asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from schemas.queries import keep_session, queries, set_codecs

ACQUIRE_TIMEOUT_S = 5.0
MAX_CONNECTIONS = 4
# SQLSTATE classes that a second try cannot mend: data exception, constraint violation, syntax or access.
_PERMANENT = ("22", "23", "42")


class LedgerDown(Exception):
    """Raised when Postgres cannot be reached or gave up; the statement may or may not have happened."""


class LedgerRefused(Exception):
    """Raised when Postgres can never take these values: a bug of ours, not an outage."""


@dataclass(frozen=True)
class Checkpoint:
    """A kept state of a run: an object of the bucket `artifacts`."""

    key: str
    sha256: str
    size_bytes: int
    step: int


@dataclass(frozen=True)
class Claim:
    """A claimed run: ours until another claim raises the epoch."""

    job_id: str
    node_path: str
    node_id: str
    task: str
    epoch: int
    attempts: int
    crashes: int
    max_attempts: int
    timeout_s: float
    params: dict[str, Any]
    inputs: dict[str, Any]
    owner_id: str
    plan_digest: str
    failures: int
    seq: int
    body: dict[str, Any]
    cache_key: str | None = None
    checkpoint: Checkpoint | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Job and node path."""
        return self.job_id, self.node_path

    @property
    def attempt(self) -> int:
        """The number of this try, from 1."""
        return self.attempts + self.crashes + 1


class Ledger:
    """Every statement is one atomic query of `schemas/sql/queries/work.sql`."""

    def __init__(self, dsn: str, *, boot: str, lease_s: float) -> None:
        self._dsn = dsn
        self._boot = boot
        self._lease_s = lease_s
        self._work: Any = queries("work")
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Prepare the pool; connects to nothing yet, so that a worker may start before Postgres does."""
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=0,
            max_size=MAX_CONNECTIONS,
            command_timeout=10,
            timeout=ACQUIRE_TIMEOUT_S,
            init=set_codecs,
            reset=keep_session,
            server_settings={
                "application_name": "reelgraph-worker",
                "idle_in_transaction_session_timeout": "15000",
                "statement_timeout": "10000",
                "jit": "off",
            },
        )

    async def claim(self, job_id: str, node_path: str, *, queues: Sequence[str]) -> Claim | None:
        """Take a run by compare-and-set; None: a duplicate, early or cancelled doorbell."""
        row = await self._one(
            "claim_run", job_id=job_id, node_path=node_path, boot=self._boot, lease_s=self._lease_s, queues=list(queues)
        )
        if row is None:
            return None
        given, kept = row["input"], row["checkpoint"]
        fields = {name: row[name] for name in Claim.__dataclass_fields__ if name in row and name != "checkpoint"}
        return Claim(
            **{**fields, "job_id": str(row["job_id"]), "owner_id": str(row["owner_id"])},
            params=given.get("params") or {},
            inputs=given.get("inputs") or {},
            checkpoint=Checkpoint(**{name: kept[name] for name in Checkpoint.__dataclass_fields__}) if kept else None,
        )

    async def renew(self, claims: Sequence[tuple[Claim, float]]) -> dict[tuple[str, str, int], bool]:
        """Renew all leases with their progress; `(job, path, epoch) -> cancel asked`. A missing one is lost."""
        rows = await self._all(
            "renew_runs",
            lease_s=self._lease_s,
            job_ids=[claim.job_id for claim, _ in claims],
            node_paths=[claim.node_path for claim, _ in claims],
            epochs=[claim.epoch for claim, _ in claims],
            progress=[progress for _, progress in claims],
        )
        return {(str(row["job_id"]), row["node_path"], row["epoch"]): row["cancel"] for row in rows}

    async def commit(
        self, claim: Claim, *, result: dict[str, Any], artifacts: list[dict[str, Any]], events: list[dict[str, Any]]
    ) -> int | None:
        """Record a good end; return the number of the last event, or None when fenced or cancelled."""
        return await self._end("commit_run", claim, result=result, artifacts=artifacts, events=events)

    async def fail(
        self,
        claim: Claim,
        *,
        error: dict[str, Any],
        delay_s: float | None,
        artifacts: list[dict[str, Any]],
        events: list[dict[str, Any]],
    ) -> int | None:
        """Record a bad end: ready again after `delay_s`, or parked when it is None."""
        return await self._end("fail_run", claim, error=error, delay_s=delay_s, artifacts=artifacts, events=events)

    async def crash(
        self, claim: Claim, *, error: dict[str, Any], delay_s: float | None, events: list[dict[str, Any]]
    ) -> int | None:
        """Record that the child died: ready again after `delay_s`, or dead when it is None."""
        return await self._end("crash_run", claim, error=error, delay_s=delay_s, events=events)

    async def stop(self, claim: Claim, *, release: bool) -> int | None:
        """End a cancelled run, or give a run back when `release`; nothing is published."""
        return await self._end("stop_run", claim, release=release)

    async def note(self, claim: Claim, *, events: list[dict[str, Any]]) -> int | None:
        """Append durable log lines of a live run."""
        return await self._end("note_run", claim, events=events)

    async def keep(self, claim: Claim, checkpoint: Checkpoint) -> str | None:
        """Record what a later claim goes on from; return the key of the object that does not count any more.

        It is the one that this one replaces; this one itself where the claim is lost.
        """
        facts = asdict(checkpoint)
        row = await self._one("keep_checkpoint", job_id=claim.job_id, node_path=claim.node_path, epoch=claim.epoch,
                              **facts)  # fmt: skip
        if row is None:
            return checkpoint.key
        return row["was"] if row["was"] != checkpoint.key else None

    async def committed(self, claim: Claim) -> bool:
        """Say whether this very claim has succeeded: a commit whose answer was lost."""
        row = await self._find(claim)
        return row is not None and row["epoch"] == claim.epoch and row["status"] == "succeeded"

    async def held(self, claim: Claim) -> bool:
        """Say whether this claim still stands."""
        row = await self._find(claim)
        return row is not None and row["epoch"] == claim.epoch and row["status"] == "running"

    async def outlook(self, job_id: str, node_path: str) -> tuple[str, dict[str, Any]] | None:
        """Return task and params of a run that waits to be claimed, or None when it does not wait any more."""
        row = await self._one("find_run", job_id=job_id, node_path=node_path)
        if row is None or row["status"] not in {"ready", "dispatched"}:
            return None
        return row["task"], row["params"] or {}

    async def ready(self, *, queues: Sequence[str], stale_s: float, count: int) -> list[tuple[str, str]]:
        """Return runs that may be claimed without a doorbell, in fair order."""
        rows = await self._all("ready_runs", queues=list(queues), stale_s=stale_s, count=count)
        return [(str(row["job_id"]), row["node_path"]) for row in rows]

    async def register(self, **worker: Any) -> None:
        """Write or refresh this worker's row."""
        async with self._connection() as connection:
            await self._work.register_worker(connection, boot=self._boot, **worker)

    async def drain(self) -> None:
        """Mark this worker as leaving."""
        async with self._connection() as connection:
            await self._work.drain_worker(connection, boot=self._boot)

    async def close(self) -> None:
        """Drop every connection."""
        if self._pool is not None:
            self._pool.terminate()

    async def _find(self, claim: Claim) -> dict[str, Any] | None:
        return await self._one("find_run", job_id=claim.job_id, node_path=claim.node_path)

    async def _end(self, name: str, claim: Claim, **arguments: Any) -> int | None:
        row = await self._one(name, job_id=claim.job_id, node_path=claim.node_path, epoch=claim.epoch, **arguments)
        return None if row is None else int(row["seq"])

    async def _one(self, name: str, **arguments: Any) -> dict[str, Any] | None:
        async with self._connection() as connection:
            row = await getattr(self._work, name)(connection, **arguments)
        return None if row is None else dict(row)

    async def _all(self, name: str, **arguments: Any) -> list[dict[str, Any]]:
        async with self._connection() as connection:
            return [dict(row) async for row in getattr(self._work, name)(connection, **arguments)]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """Lend a connection; after anything unexpected it is terminated, never reused."""
        pool = self._pool
        if pool is None:
            raise LedgerDown("not open")
        try:
            connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise LedgerDown(type(error).__name__) from error
        try:
            yield connection
        except asyncpg.PostgresError as error:
            if str(getattr(error, "sqlstate", "")).startswith(_PERMANENT):
                raise LedgerRefused(f"{type(error).__name__}: {error}") from error
            connection.terminate()
            raise LedgerDown(type(error).__name__) from error
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            if isinstance(error, ValueError):  # asyncpg could not encode an argument; nothing was sent
                raise LedgerRefused(str(error)) from error
            connection.terminate()
            raise LedgerDown(type(error).__name__) from error
        except BaseException:
            connection.terminate()
            raise
        finally:
            await pool.release(connection, timeout=ACQUIRE_TIMEOUT_S)
