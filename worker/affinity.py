"""Warm affinity: a run goes to a child that has its models loaded, if one is near; it never waits for long.

What a run will load is told without loading it, by its task and the params that choose a model: its *flavour*. A
child says after each run what it used and what it still holds. Another worker's word is taken from Redis; losing it
costs a cold start, never a run: who claims is decided in Postgres, as ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger()
CHOOSING_PARAMS = ("backend", "base", "model", "variant")
WARM = "rg:warm"  # hash boot -> what is warm there, until when
OFFER = "rg:offer:{boot}"  # Pub/Sub: a run that would be warm there
TOLD_FOR_S = 15.0
PATIENCE_S = 0.3
_MOST = 64


def flavour(task: str, params: Mapping[str, Any]) -> str:
    """Return what decides which models a run loads."""
    chosen = (f"{name}={params[name]}" for name in CHOOSING_PARAMS if isinstance(params.get(name), str))
    return " ".join([task, *chosen])[:300]


class Warmth:
    """What one child holds, and which flavours ran on it with models that it still holds."""

    def __init__(self) -> None:
        self.resident: frozenset[str] = frozenset()
        self._needs: dict[str, frozenset[str]] = {}

    def learn(self, ran: str, *, used: Iterable[object], resident: Iterable[object]) -> None:
        """Take a child's word after a run of the flavour `ran`: ids of the models it used, and of those it holds."""
        self.resident, needed = _ids(resident), _ids(used)
        self._needs.pop(ran, None)
        if needed:
            self._needs[ran] = needed
        while len(self._needs) > _MOST:
            del self._needs[next(iter(self._needs))]

    def clear(self) -> None:
        """Forget everything: the child is gone."""
        self.resident, self._needs = frozenset(), {}

    def has(self, wanted: str) -> bool:
        """Whether a run of this flavour would find all its models loaded."""
        return wanted in self._needs and self._needs[wanted] <= self.resident

    def flavours(self) -> frozenset[str]:
        """Return every flavour that is warm."""
        return frozenset(filter(self.has, self._needs))


class Neighbours:
    """What is warm on the other live workers, and the way to offer them a run."""

    def __init__(self, redis: Redis, *, boot: str) -> None:
        self._redis = redis
        self._boot = boot
        self._warm: dict[str, frozenset[str]] = {}

    @property
    def any_warm(self) -> bool:
        """Whether another worker has anything loaded: without that no run needs a look."""
        return bool(self._warm)

    async def exchange(self, own: frozenset[str]) -> None:
        """Tell which flavours are warm and free here and learn which are elsewhere; without Redis nobody is warm."""
        now = time.time()
        try:
            if own:
                await self._redis.hset(WARM, self._boot, orjson.dumps({"until": now + TOLD_FOR_S, "warm": sorted(own)}))  # type: ignore[misc]
            else:
                await self._redis.hdel(WARM, self._boot)  # type: ignore[misc]
            told: dict[bytes, bytes] = await self._redis.hgetall(WARM)  # type: ignore[misc, assignment]
            entries = {boot.decode(): _entry(text) for boot, text in told.items()}
            self._warm = {boot: warm for boot, (until, warm) in entries.items() if until >= now and boot != self._boot}
            if stale := [boot for boot, (until, _) in entries.items() if until < now]:
                await self._redis.hdel(WARM, *stale)  # type: ignore[misc]
        except (RedisError, OSError, TimeoutError) as error:
            self._warm = {}
            log.debug("affinity.redis_down", error=type(error).__name__)

    async def leave(self) -> None:
        """Say that nothing is warm here any more."""
        try:
            await self._redis.hdel(WARM, self._boot)  # type: ignore[misc]
        except (RedisError, OSError, TimeoutError):
            log.debug("affinity.redis_down")

    async def offer(self, job_id: str, node_path: str, *, wanted: str) -> None:
        """Give a worker that is warm for a flavour the first try at a run; returns after 0.3 s at the latest.

        Returns at once when none is, or none listens.
        """
        boot = next((boot for boot, warm in self._warm.items() if wanted in warm), None)
        if boot is None:
            return
        try:
            heard = await self._redis.publish(OFFER.format(boot=boot), orjson.dumps([job_id, node_path]))
        except (RedisError, OSError, TimeoutError):
            heard = 0
        if heard:
            log.info("run.offered", job_id=job_id, node_path=node_path, to=boot)
            await asyncio.sleep(PATIENCE_S)
        else:
            self._warm.pop(boot, None)


def offered(data: str) -> tuple[str, str] | None:
    """Return job and node path of an offer, or None when it is malformed."""
    try:
        job_id, node_path = orjson.loads(data)
    except (ValueError, TypeError):
        return None
    return (job_id, node_path) if isinstance(job_id, str) and isinstance(node_path, str) else None


def _entry(text: bytes) -> tuple[float, frozenset[str]]:
    """Return until when which flavours are warm; what is malformed was over long ago."""
    try:
        told = orjson.loads(text)
        return float(told["until"]), _ids(told["warm"])
    except (ValueError, KeyError, TypeError):
        return 0.0, frozenset()


def _ids(told: Iterable[object]) -> frozenset[str]:
    return frozenset(one[:300] for one in list(told)[:_MOST] if isinstance(one, str))
