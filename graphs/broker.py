"""Enqueue doorbells into Dramatiq: only its public `enqueue`, ids only (RELIABILITY 4.13)."""

from __future__ import annotations

from collections.abc import Sequence

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from schemas.channels import ACTOR, BROKER_NAMESPACE


class DramatiqBroker:
    """The Redis broker without retries, results or delays; it forgets a message rather than double it."""

    def __init__(self, redis_url: str) -> None:
        client = Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0), socket_timeout=5, socket_connect_timeout=2)
        self._broker = RedisBroker(
            client=client,
            middleware=[],
            namespace=BROKER_NAMESPACE,
            heartbeat_timeout=60_000,
            maintenance_chance=100_000,
        )

    def enqueue(self, calls: Sequence[tuple[str, str, str]]) -> None:
        """Enqueue `(queue, job_id, node_path)` each; blocking."""
        for queue, job_id, node_path in calls:
            self._broker.declare_queue(queue)
            self._broker.enqueue(
                dramatiq.Message(
                    queue_name=queue, actor_name=ACTOR, args=(job_id, node_path), kwargs={}, options={"max_retries": 0}
                )
            )

    def close(self) -> None:
        self._broker.close()
