"""The live manifest: this process's nodes and every live worker's tasks, from Redis or, without it, from the rows."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import orjson
import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from graphs.database import Database
from graphs.dispatch import WORKER_SEEN_WITHIN_S
from graphs.registry import NodeRegistry
from schemas.capability import Capability, Manifest
from schemas.channels import DEFAULT_QUEUE, MANIFEST_CHANGED, MANIFEST_PATTERN
from schemas.contracts.table import spellings
from schemas.errors import DependencyDown

log = structlog.get_logger()
REFRESH_S = 5.0


class LiveManifest:
    """The newest merged manifest. Reading it is free; it is refreshed every 5 s and when a worker says so."""

    def __init__(self, redis: Redis, database: Database, nodes: NodeRegistry) -> None:
        self._redis = redis
        self._database = database
        self._nodes = {name: node.capability() for name, node in nodes.nodes.items()}
        self._manifest = Manifest(node=self._nodes)
        self._queues: dict[str, str] = {}

    def current(self) -> Manifest:
        """Return the manifest as last seen."""
        return self._manifest

    def queue_of(self, task: str) -> str:
        """Return the queue that serves a data-plane task."""
        return self._queues.get(task, DEFAULT_QUEUE)

    def capability_of(self, task: str) -> Capability | None:
        """Return what is live of a task, by its name or alias; None when nothing is."""
        names = (task, *spellings(task))
        return next((self._manifest.python[name] for name in names if name in self._manifest.python), None)

    async def refresh(self) -> None:
        """Read every live worker's part."""
        try:
            parts = await self._from_redis()
        except (RedisError, OSError, TimeoutError):
            parts = [{"host": row["host"], **row["manifest"]} for row in await self._rows()]
        merged: dict[str, Capability] = {}
        queues: dict[str, str] = {}
        for part in parts:
            machine = {"worker": part.get("host", "a worker"), **part.get("machine", {})}
            for name, entry in part.get("tasks", {}).items():
                try:
                    capability = Capability.model_validate({**entry, "machines": [machine]})
                except ValidationError:
                    log.warning("manifest.refused", task=name)
                    continue
                merged[name] = _joined(merged[name], capability) if name in merged else capability
                queues[name] = part.get("queues", {}).get(name, DEFAULT_QUEUE)
        self._manifest = Manifest(node=self._nodes, python=merged)
        self._queues = queues

    async def run(self) -> None:
        """Refresh until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            while True:
                with contextlib.suppress(DependencyDown):
                    await self.refresh()
                await asyncio.sleep(REFRESH_S)

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError, TimeoutError, DependencyDown):
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(MANIFEST_CHANGED)
                    async for message in pubsub.listen():
                        if message["type"] == "message":
                            await self.refresh()
            await asyncio.sleep(1.0)

    async def _from_redis(self) -> list[dict[str, Any]]:
        keys = [key async for key in self._redis.scan_iter(match=MANIFEST_PATTERN, count=100)]
        values = await self._redis.mget(keys) if keys else []
        return [orjson.loads(value) for value in values if value]

    async def _rows(self) -> list[dict[str, Any]]:
        return await self._database.all("live_workers", within_s=WORKER_SEEN_WITHIN_S)


def _joined(left: Capability, right: Capability) -> Capability:
    """Return what two workers offer together: a task is enabled when one of them can run it."""
    if not right.enabled:
        return left
    if not left.enabled:
        return right
    variants = tuple(dict.fromkeys([*(left.variants or ()), *(right.variants or ())])) or None
    return left.model_copy(
        update={
            "variants": variants,
            "backends": {**(right.backends or {}), **(left.backends or {})} or None,
            "models": {**right.models, **left.models},
            "workers": left.workers + right.workers,
            "machines": left.machines + right.machines,
        }
    )
