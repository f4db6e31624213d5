"""The doorbell side of Dramatiq: a consumer that sleeps until rung, and the one generic actor.

A message carries ids only and is acknowledged as soon as its claim was tried (RELIABILITY 2.1, 4.13).
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Sequence

import dramatiq
import structlog
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.common import dq_name
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from schemas.channels import ACTOR, BROKER_NAMESPACE

log = structlog.get_logger()
FALLBACK_POLL_S = 5.0  # also the heartbeat of an idle consumer; the broker calls us dead after 60 s
_STOP_MS = 2000
_IDLE_THREAD_MS = 250  # how soon an idle worker thread sees that it shall stop
_CLOSING_PAUSE_S = 0.02
_NODE_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:#=/-]{0,199}")


class Doorbells:
    """One event per queue; consumers sleep on it. `open` says whether a message could be worked on now."""

    def __init__(self, queues: Sequence[str], *, open_: Callable[[], bool]) -> None:
        self._rung = {name: threading.Event() for queue in queues for name in (queue, dq_name(queue))}
        self._queues = tuple(queues)
        self._closing = False
        self.open = open_

    def ring(self, queue: str | None = None) -> None:
        """Wake the consumer of a queue, or of all. Thread-safe."""
        for name in (queue,) if queue is not None else self._queues:
            self._rung[name].set()

    def wait(self, queue: str) -> None:
        """Sleep until rung, at most the fallback poll. A delay queue is never rung: its look is only a heartbeat."""
        if self._closing:
            time.sleep(_CLOSING_PAUSE_S)
        elif self._rung[queue].wait(FALLBACK_POLL_S):
            self._rung[queue].clear()

    def close(self) -> None:
        """Wake everybody for good."""
        self._closing = True
        for event in self._rung.values():
            event.set()


class _DoorbellConsumer(_RedisConsumer):
    """Fetches when rung and a slot is free, instead of polling."""

    broker: DoorbellBroker

    def __next__(self):
        bells = self.broker.bells
        self.timeout = 0  # the parent's own polling sleep
        if self.queue_name in self.broker.queues and not bells.open():
            bells.wait(self.queue_name)
            return None
        message = super().__next__()
        if message is None:
            bells.wait(self.queue_name)
        return message

    def ack(self, message):
        super().ack(message)
        self.broker.bells.ring(self.queue_name)

    def nack(self, message):
        super().nack(message)
        self.broker.bells.ring(self.queue_name)


class DoorbellBroker(RedisBroker):
    """Redis broker with the settings of RELIABILITY 4.13 and no middleware."""

    def __init__(self, redis_url: str, *, bells: Doorbells) -> None:
        client = Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0), socket_timeout=5, socket_connect_timeout=2)
        super().__init__(
            client=client,
            middleware=[],
            namespace=BROKER_NAMESPACE,
            heartbeat_timeout=60_000,
            maintenance_chance=100_000,
        )
        self.bells = bells

    @property
    def consumer_class(self) -> type[_DoorbellConsumer]:
        return _DoorbellConsumer


class Intake:
    """Dramatiq's worker inside this process: hands each call to `take(job_id, node_path)`, which blocks until tried."""

    def __init__(self, redis_url: str, *, queues: Sequence[str], bells: Doorbells, take: Callable[[str, str], None]):
        self._broker = DoorbellBroker(redis_url, bells=bells)
        self._bells = bells

        def run_node(job_id: object, node_path: object) -> None:
            if not _is_call(job_id, node_path):
                log.warning("intake.malformed")
                return
            try:
                take(str(job_id), str(node_path))
            except Exception as error:  # the actor's edge: Postgres decides, the broker only rings
                log.warning("intake.failed", job_id=job_id, node_path=node_path, error=repr(error))

        # One actor name serves every queue: a message names its queue itself.
        dramatiq.Actor(run_node, broker=self._broker, actor_name=ACTOR, queue_name=queues[0], priority=0, options={})
        for queue in queues[1:]:
            self._broker.declare_queue(queue)
        self._worker = dramatiq.Worker(
            self._broker, queues=set(queues), worker_threads=len(queues), worker_timeout=_IDLE_THREAD_MS
        )
        self._worker.queue_prefetch = 1

    def start(self) -> None:
        """Start the consumer threads; a Redis that is down is tried again every 3 s."""
        self._worker.start()

    def stop(self) -> None:
        """Stop fetching; what was fetched and not tried goes back to the queue. Blocking, at most some seconds."""
        self._bells.close()
        try:
            self._worker.stop(timeout=_STOP_MS)
            self._broker.close()
        except Exception as error:  # Redis may be away: the messages come back by age
            log.warning("intake.stop_failed", error=repr(error))


def _is_call(job_id: object, node_path: object) -> bool:
    if not isinstance(job_id, str) or not isinstance(node_path, str) or not _NODE_PATH.fullmatch(node_path):
        return False
    try:
        return str(uuid.UUID(job_id)) == job_id.lower()
    except ValueError:
        return False
