"""Who is advanced when: wake-ups from this process, from Redis and from the sweeper, one advance per job at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from schemas.channels import WAKE
from schemas.errors import DependencyDown

log = structlog.get_logger()
MAX_AT_ONCE = 3  # more would add a tenth of throughput and make the turns of the event loop longer (bench.overhead)


class Scheduler:
    """Runs `advance(job_id)` for every wake-up; a wake-up during an advance runs it once more."""

    def __init__(self, advance: Callable[[str], Awaitable[bool]], *, woken: Callable[[], None]) -> None:
        """`woken()` is called at every wake-up that came from a worker."""
        self._advance = advance
        self._woken = woken
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()
        self._busy: set[str] = set()
        self._again: set[str] = set()

    def wake(self, job_id: str) -> None:
        """Ask for an advance of the job."""
        if job_id in self._busy:
            self._again.add(job_id)
        elif job_id not in self._waiting:
            self._waiting.add(job_id)
            self._queue.put_nowait(job_id)

    async def run(self) -> None:
        """Advance until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(MAX_AT_ONCE):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            job_id = await self._queue.get()
            self._waiting.discard(job_id)
            self._busy.add(job_id)
            again = False
            try:
                again = await self._advance(job_id)
            except DependencyDown:
                log.warning("job.advance_postponed", job_id=job_id)
                await asyncio.sleep(0.2)
            except Exception:
                # The lease lapses and the sweeper wakes the job again: a bug here must not stop the others.
                log.exception("job.advance_failed", job_id=job_id)
            finally:
                self._busy.discard(job_id)
                if again or job_id in self._again:
                    self._again.discard(job_id)
                    self.wake(job_id)

    async def listen(self, redis: Redis) -> None:
        """Turn wake-ups from Redis into advances, until cancelled; reconnects by itself."""
        while True:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with redis.pubsub() as pubsub:
                    await pubsub.subscribe(WAKE)
                    async for message in pubsub.listen():
                        if message["type"] == "message":
                            self._woken()
                            self.wake(message["data"].decode())
            await asyncio.sleep(0.5)
