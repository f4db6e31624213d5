"""Checkpoints: the newest one of each live job in memory, written behind to the published Postgres saver.

A checkpoint is a cache of progress: every outcome is in `node_run` before a successor starts, so a lost or old one
costs a few reads. That is why it is written at most once per `flush_every_s` and job, under the job's lease, and
why a job that another process advanced meanwhile (its epoch moved) is read again from Postgres.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

MAX_HOT = 5_000


@dataclass
class _Thread:
    """The newest checkpoint of one job, as LangGraph handed it over."""

    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    writes: list[tuple[str, str, Any]] = field(default_factory=list)
    epoch: int = -1
    stored: ChannelVersions = field(default_factory=dict)
    stored_at_s: float = 0.0
    kept: Any = None


class HotSaver(BaseCheckpointSaver[Any]):
    """A LangGraph saver that keeps only the newest checkpoint per thread, in memory, without serialising."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: OrderedDict[str, _Thread] = OrderedDict()

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        thread_id = _thread_id(config)
        thread = self.threads.get(thread_id)
        if thread is None:
            return None
        return CheckpointTuple(
            config=_config(thread_id, thread.checkpoint["id"]),
            checkpoint=thread.checkpoint,
            metadata=thread.metadata,
            parent_config=None,
            pending_writes=list(thread.writes),
        )

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        thread_id = _thread_id(config)
        before = self.threads.get(thread_id)
        thread = _Thread(checkpoint=checkpoint.copy(), metadata=metadata)
        if before is not None:
            thread.epoch, thread.stored, thread.stored_at_s = before.epoch, before.stored, before.stored_at_s
        self.threads[thread_id] = thread
        return _config(thread_id, checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        thread = self.threads.get(_thread_id(config))
        if thread is not None:
            thread.writes = [write for write in thread.writes if write[0] != task_id]
            thread.writes += [(task_id, channel, value) for channel, value in writes]

    def delete_thread(self, thread_id: str) -> None:
        self.threads.pop(thread_id, None)

    def list(self, config: RunnableConfig | None, **_: Any) -> Iterator[CheckpointTuple]:  # type: ignore[override]
        found = self.get_tuple(config) if config else None
        return iter([found] if found else [])

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self.get_tuple(config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self.put_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        self.delete_thread(thread_id)

    async def alist(self, config: RunnableConfig | None, **_: Any) -> AsyncIterator[CheckpointTuple]:  # type: ignore[override]
        for found in self.list(config):
            yield found


class Checkpoints:
    """The hot checkpoints of this process and their store in Postgres."""

    def __init__(self, store: AsyncPostgresSaver | None, *, flush_every_s: float = 2.0) -> None:
        self.hot = HotSaver()
        self._store = store
        self._flush_every_s = flush_every_s

    async def open(self, job_id: str, *, epoch: int) -> Any:
        """Make the newest known checkpoint of the job hot; `epoch` is the lease just taken.

        The one in memory is good only if nobody advanced the job since: then its epoch is one less, and what the last
        advance closed with is returned; else None, and the graph and the ledger must be asked.
        """
        thread = self.hot.threads.get(job_id)
        if thread is not None and thread.epoch == epoch - 1:
            thread.epoch = epoch
            self.hot.threads.move_to_end(job_id)
            return thread.kept
        self.hot.delete_thread(job_id)
        found = await self._store.aget_tuple(_config(job_id)) if self._store and epoch > 1 else None
        if found is not None:
            self.hot.threads[job_id] = _Thread(
                checkpoint=found.checkpoint,
                metadata=found.metadata,
                writes=list(found.pending_writes or []),
                epoch=epoch,
                stored=dict(found.checkpoint["channel_versions"]),
                stored_at_s=time.monotonic(),
            )
        while len(self.hot.threads) > MAX_HOT:
            self.hot.threads.popitem(last=False)
        return None

    async def close(self, job_id: str, *, epoch: int, ended: bool, kept: Any = None) -> None:
        """End an advance: drop the checkpoints of an ended job, else write behind when one is due."""
        thread = self.hot.threads.get(job_id)
        if thread is None:
            return
        thread.epoch, thread.kept = epoch, kept
        if ended:
            was_stored = bool(thread.stored)
            self.hot.delete_thread(job_id)
            if self._store is not None and was_stored:
                await self._store.adelete_thread(job_id)
        elif self._store is not None and time.monotonic() - thread.stored_at_s >= self._flush_every_s:
            versions = thread.checkpoint["channel_versions"]
            changed = {name: at for name, at in versions.items() if thread.stored.get(name) != at}
            if thread.stored_at_s or self._flush_every_s == 0:
                await self._store.aput(_config(job_id), thread.checkpoint, thread.metadata, changed)
                thread.stored = dict(versions)
            thread.stored_at_s = time.monotonic()


def postgres_saver(pool: AsyncConnectionPool[Any]) -> AsyncPostgresSaver:
    """Return the published saver with a strict serializer: checkpoint bytes can never execute code.

    Raises:
        RuntimeError: strict msgpack is off (`LANGGRAPH_STRICT_MSGPACK` is not `true`).
    """
    if os.environ.get("LANGGRAPH_STRICT_MSGPACK", "").lower() != "true":
        raise RuntimeError("set LANGGRAPH_STRICT_MSGPACK=true before importing langgraph; refusing to start")
    return AsyncPostgresSaver(pool, serde=JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None))


def checkpoint_pool(dsn: str, *, runner: str) -> AsyncConnectionPool[Any]:
    """Return the closed pool for the saver; `app.runner` names us to the fence trigger."""
    return AsyncConnectionPool(
        dsn,
        min_size=0,
        max_size=4,
        open=False,
        timeout=5,
        max_idle=300,
        max_lifetime=1800,
        check=AsyncConnectionPool.check_connection,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 0,
            "row_factory": dict_row,
            "options": f"-c app.runner={runner} -c statement_timeout=10000",
        },
    )


def _thread_id(config: RunnableConfig) -> str:
    return config.get("configurable", {})["thread_id"]


def _config(thread_id: str, checkpoint_id: str | None = None) -> RunnableConfig:
    configurable: dict[str, str] = {"thread_id": thread_id, "checkpoint_ns": ""}
    if checkpoint_id is not None:
        configurable["checkpoint_id"] = checkpoint_id
    return {"configurable": configurable}
