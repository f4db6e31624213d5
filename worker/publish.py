"""What leaves the worker over Redis Pub/Sub: committed events, ticks, wake-ups. All of it may be lost.

One background task sends in batches, so that no attempt waits for Redis.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from schemas.channels import EVENTS, TICKS, WAKE
from schemas.events import LiveEvent, live

log = structlog.get_logger()
MAX_WAITING = 10_000
MAX_BATCH = 200
TICK_GAP_S = 0.25  # at most 4 ticks a second per node. Source: DESIGN.md section 7
TICK_TTL_S = 120
RETRY_S = 0.2
_MIN_ETA_PROGRESS = 0.03

Command = tuple[Any, ...]


class Publisher:
    """Outbound Redis traffic of one worker. When Redis is away, what waits is dropped."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: deque[Command] = deque(maxlen=MAX_WAITING)
        self._due = asyncio.Event()
        self._down = False

    def events(self, job_id: str, *, node: str, last_seq: int, events: Sequence[dict[str, Any]]) -> None:
        """Publish committed events `{type, body}` of a node; the last one has number `last_seq`."""
        now = time.time()
        channel = EVENTS.format(job_id=job_id)
        for seq, event in enumerate(events, start=last_seq - len(events) + 1):
            message = live(job_id, seq=seq, ts=now, type_=event["type"], node=node, body=event["body"])
            self._put("PUBLISH", channel, message.model_dump_json(exclude_none=True))

    def wake(self, job_id: str) -> None:
        """Say that a job has something to advance."""
        self._put("PUBLISH", WAKE, job_id)

    def tick(self, event: LiveEvent, *, keep: bool) -> None:
        """Publish a lossy tick; `keep` it for clients that subscribe later."""
        text = event.model_dump_json(exclude_none=True)
        self._put("PUBLISH", EVENTS.format(job_id=event.jobId), text)
        if keep:
            key = TICKS.format(job_id=event.jobId)
            self._put("HSET", key, event.node or "", text)
            self._put("EXPIRE", key, TICK_TTL_S)

    def forget_tick(self, job_id: str, *, node: str) -> None:
        """Drop the kept tick of a node that ended."""
        self._put("HDEL", TICKS.format(job_id=job_id), node)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]
                await self._guarded(lambda batch=batch: self._send(batch), dropped=len(batch))

    async def flush(self) -> None:
        """Send what still waits, at the end of the process."""
        batch, self._waiting = list(self._waiting), deque()
        if batch:
            await self._guarded(lambda: self._send(batch), dropped=len(batch))

    async def _send(self, batch: list[Command]) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            for command in batch:
                pipe.execute_command(*command)
            await pipe.execute()

    async def _guarded(self, send: Callable[[], Awaitable[None]], *, dropped: int) -> None:
        try:
            await send()
            self._down = False
        except (RedisError, OSError, TimeoutError) as error:
            if not self._down:
                log.warning("publisher.redis_down", dropped=dropped, error=type(error).__name__)
            self._down = True
            await asyncio.sleep(RETRY_S)

    def _put(self, *command: Any) -> None:
        self._waiting.append(command)
        self._due.set()


class Ticker:
    """The throttle of one attempt: the first tick at once, then at most 4 a second, the latest wins."""

    def __init__(self, publisher: Publisher, *, job_id: str, node: str) -> None:
        self._publisher = publisher
        self._job_id = job_id
        self._node = node
        self._began_at = time.monotonic()
        self._gates = {"progress": _Gate(TICK_GAP_S), "preview": _Gate(2 * TICK_GAP_S)}
        self.progress = 0.0
        self.kept = False

    def offer(self, message: dict[str, Any]) -> None:
        """Take a `progress` or `preview` message of the child."""
        if message["type"] == "progress":
            self.progress = max(self.progress, float(message["progress"]))
        self._gates[message["type"]].offer(lambda: self._send(message))

    def eta_s(self) -> float | None:
        """Return the seconds left at the present pace, or None before there is one."""
        if self.progress < _MIN_ETA_PROGRESS:
            return None
        spent_s = time.monotonic() - self._began_at
        return spent_s * (1 - self.progress) / self.progress

    def close(self) -> None:
        """Stop; what waits is dropped, since a state event follows."""
        for gate in self._gates.values():
            gate.close()
        if self.kept:
            self._publisher.forget_tick(self._job_id, node=self._node)

    def _send(self, message: dict[str, Any]) -> None:
        keep = message["type"] == "progress"
        eta_s = self.eta_s()
        event = LiveEvent(
            jobId=self._job_id,
            ts=message.get("ts") or time.time(),
            type=message["type"],
            node=self._node,
            progress=self.progress if keep else None,
            stage=message.get("stage"),
            step=message.get("step"),
            steps=message.get("steps"),
            message=message.get("message"),
            preview=message.get("preview"),
            data={"metrics": message["metrics"]} if message.get("metrics") else None,
            etaSeconds=round(eta_s, 1) if keep and eta_s is not None else None,
        )
        self.kept = self.kept or keep
        self._publisher.tick(event, keep=keep)


class _Gate:
    """Lets one call through per gap; of those that wait only the newest survives."""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._free_at = 0.0
        self._latest: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def offer(self, call: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is None and loop.time() >= self._free_at:
            self._free_at = loop.time() + self._gap_s
            call()
            return
        self._latest = call
        if self._timer is None:
            self._timer = loop.call_at(self._free_at, self._open)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._latest = None

    def _open(self) -> None:
        self._timer = None
        call, self._latest = self._latest, None
        if call is not None:
            self.offer(call)
