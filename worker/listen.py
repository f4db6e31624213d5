"""What the worker hears over Redis Pub/Sub: doorbells, cancels and offers. Missing one costs time only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from schemas.channels import CANCEL, DOORBELL
from worker.affinity import OFFER, offered

log = structlog.get_logger()
PING_S = 10.0
RETRY_S = 1.0


class Listener:
    """One subscription; `up` says whether it stands."""

    def __init__(
        self,
        redis: Redis,
        *,
        queues: Sequence[str],
        on_ring: Callable[[str | None], None],
        on_cancel: Callable[[str], None],
        boot: str,
        on_offer: Callable[[str, str], None],
    ) -> None:
        self._redis = redis
        self._queues = {DOORBELL.format(queue=queue): queue for queue in queues}
        self._on_ring = on_ring
        self._on_cancel = on_cancel
        self._offer = OFFER.format(boot=boot)
        self._on_offer = on_offer
        self.up = False

    async def run(self) -> None:
        """Listen until cancelled; subscribe again whenever Redis was away, and ring for what was missed."""
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(CANCEL, self._offer, *self._queues)
                    self.up = True
                    self._on_ring(None)
                    while True:
                        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=PING_S)
                        if message is None:
                            await pubsub.ping()
                        elif message["type"] == "message":
                            self._hear(message["channel"].decode(), message["data"].decode())
            except (RedisError, OSError, TimeoutError) as error:
                if self.up:
                    log.warning("listener.redis_down", error=type(error).__name__)
                self.up = False
                await asyncio.sleep(RETRY_S)

    def _hear(self, channel: str, data: str) -> None:
        if channel == CANCEL:
            self._on_cancel(data)
        elif channel == self._offer:
            if (run := offered(data)) is not None:
                self._on_offer(*run)
        else:
            self._on_ring(self._queues.get(channel))
