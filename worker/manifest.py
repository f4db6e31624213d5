"""What this worker advertises: its tasks as the children found them, in Redis with a time to live and in its row."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from schemas.channels import MANIFEST, MANIFEST_CHANGED, MANIFEST_TTL_S
from worker.ledger import Ledger, LedgerDown

log = structlog.get_logger()
DEFAULT_IDLE_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class TaskFacts:
    """What the supervisor knows of a task without importing it."""

    queue: str = "cpu"
    idle_timeout_s: float = DEFAULT_IDLE_TIMEOUT_S
    memory_gib: float = 0.5


class Advertiser:
    """The manifest of one worker process."""

    def __init__(
        self,
        redis: Redis,
        ledger: Ledger,
        *,
        boot: str,
        queues: tuple[str, ...],
        slots: int,
        gpu_uuid: str | None,
        machine: Callable[[], dict[str, float | None]],
    ) -> None:
        self._redis = redis
        self._ledger = ledger
        self._boot = boot
        self._about = {"host": f"{platform.node()}:{os.getpid()}", "gpu_uuid": gpu_uuid, "slots": slots}
        self._queues = list(queues)
        self._machine = machine
        self._facts: dict[str, TaskFacts] = {}
        self._changed = asyncio.Event()
        self.tasks: dict[str, Any] = {}
        self.resident: tuple[str, ...] = ()  # ids of the models that its children hold

    def learn(self, described: dict[str, Any]) -> None:
        """Take a child's description; a change is advertised at once."""
        served = {
            name: entry
            for name, entry in described["manifest"].items()
            if not entry.get("enabled", True) or described["facts"][name]["queue"] in self._queues
        }
        self._facts = {name: TaskFacts(**facts) for name, facts in described["facts"].items()}
        if served != self.tasks:
            self.tasks = served
            self._changed.set()

    def facts(self, task: str) -> TaskFacts:
        """Return what is known of a task."""
        return self._facts.get(task, TaskFacts())

    async def run(self, *, every_s: float) -> None:
        """Advertise until cancelled, from the first description on."""
        await self._changed.wait()
        while True:
            changed = self._changed.is_set()
            self._changed.clear()
            await self.advertise(changed=changed)
            try:
                await asyncio.wait_for(self._changed.wait(), every_s)
            except TimeoutError:
                continue

    async def advertise(self, *, changed: bool) -> None:
        """Write the manifest to Redis and to the worker row; either may be down."""
        queues = {name: self.facts(name).queue for name in self.tasks}
        manifest = {"tasks": self.tasks, "queues": queues, "machine": self._machine(), "resident": self.resident}
        alive = {**self._about, "boot": self._boot, **manifest}
        try:
            await self._redis.set(MANIFEST.format(boot=self._boot), orjson.dumps(alive), ex=MANIFEST_TTL_S)
            if changed:
                await self._redis.publish(MANIFEST_CHANGED, self._boot)
        except (RedisError, OSError, TimeoutError):
            log.debug("manifest.redis_down")
        try:
            await self._ledger.register(**self._about, queues=self._queues, manifest=manifest)
        except LedgerDown:
            log.debug("manifest.ledger_down")

    async def withdraw(self) -> None:
        """Say that this worker leaves."""
        try:
            await self._redis.delete(MANIFEST.format(boot=self._boot))
            await self._redis.publish(MANIFEST_CHANGED, self._boot)
        except (RedisError, OSError, TimeoutError):
            log.debug("manifest.redis_down")
        try:
            await self._ledger.drain()
        except LedgerDown:
            log.debug("manifest.ledger_down")
