"""What leaves the control plane over Redis: doorbells, events, wake-ups. Everything here may be lost; Postgres may not.

Sending happens in one background task, in batches, so that no engine step waits for Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from schemas.channels import CANCEL, DOORBELL, EVENTS, WAKE
from schemas.events import live

log = structlog.get_logger()
MAX_WAITING = 10_000
MAX_BATCH = 200


class Broker(Protocol):
    """Enqueues doorbells; blocking, called in a thread."""

    def enqueue(self, calls: Sequence[tuple[str, str, str]]) -> None:
        """Enqueue `(queue, job_id, node_path)` each."""
        ...


class Bus:
    """Outbound Redis traffic of one API process."""

    def __init__(self, redis: Redis, broker: Broker, *, sent: Any) -> None:
        """`sent(ids)` is awaited with outbox ids whose doorbell was enqueued."""
        self._redis = redis
        self._broker = broker
        self._sent = sent
        self._waiting: asyncio.Queue[tuple[str, Any]] = asyncio.Queue(maxsize=MAX_WAITING)
        self._listeners: list[Any] = []

    def listen(self, listener: Any) -> None:
        """Call `listener(job_id, message)` for every event of this process at once, before Redis."""
        self._listeners.append(listener)

    def ring(self, rows: Iterable[dict[str, Any]]) -> None:
        """Ring the doorbells of outbox rows `{id, queue, body: {job_id, node_path}}`."""
        for row in rows:
            self._put(("ring", row))

    def publish(self, job_id: str, events: Iterable[dict[str, Any]]) -> None:
        """Publish committed events `{seq, type, node, body}` of a job."""
        now = time.time()
        for event in events:
            message = live(
                job_id, seq=event["seq"], ts=now, type_=event["type"], node=event.get("node"), body=event["body"]
            ).model_dump_json(exclude_none=True)
            for listener in self._listeners:
                listener(job_id, message)
            self._put(("publish", (EVENTS.format(job_id=job_id), message)))

    def tick(self, job_id: str, message: str) -> None:
        """Publish a lossy tick that is already on the wire form."""
        self._put(("publish", (EVENTS.format(job_id=job_id), message)))

    def wake(self, job_id: str) -> None:
        """Tell the other replicas that a job has something to advance."""
        self._put(("publish", (WAKE, job_id)))

    def cancel(self, job_id: str) -> None:
        """Tell the workers to stop the live runs of a job."""
        self._put(("publish", (CANCEL, job_id)))

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty() and len(batch) < MAX_BATCH:
                batch.append(self._waiting.get_nowait())
            try:
                await self._send(batch)
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("bus.unreachable", dropped=len(batch), error=type(error).__name__)
                await asyncio.sleep(0.2)

    async def _send(self, batch: list[tuple[str, Any]]) -> None:
        rings = [row for verb, row in batch if verb == "ring"]
        if rings:
            calls = [(row["queue"], str(row["body"]["job_id"]), row["body"]["node_path"]) for row in rings]
            await asyncio.to_thread(self._broker.enqueue, calls)
        async with self._redis.pipeline(transaction=False) as pipe:
            for queue in {row["queue"] for row in rings}:
                pipe.publish(DOORBELL.format(queue=queue), "1")
            for verb, value in batch:
                if verb == "publish":
                    pipe.publish(*value)
            await pipe.execute()
        if rings:
            await self._sent([row["id"] for row in rings])

    def _put(self, item: tuple[str, Any]) -> None:
        with contextlib.suppress(asyncio.QueueFull):  # the outbox and the event log make up for it
            self._waiting.put_nowait(item)
