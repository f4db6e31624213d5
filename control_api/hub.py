"""The hub: every event of a watched job, once and in order, to every client, from one Redis subscription.

Redis only wakes it: a message is delivered when its `seq` is the next one, else the gap is read from Postgres. A
client that cannot keep up gets no more queued messages and later continues from Postgres at its own last `seq`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from graphs.database import Database
from schemas.channels import EVENTS_PATTERN
from schemas.errors import DependencyDown
from schemas.events import live

log = structlog.get_logger()
MAX_QUEUED = 256
MAX_QUEUED_BYTES = 1024 * 1024
PAGE = 500
MAX_REPLAY = 5_000
POLL_S = 5.0
GAP_PATIENCE_S = 0.03  # two senders cross each other often; what was lost is rare and read from Postgres
MAX_EARLY = 64
_PREFIX_CHARS = len(EVENTS_PATTERN) - 1

Snapshot = Callable[[str], Awaitable[dict[str, Any]]]


@dataclass
class Client:
    """One socket: what waits to be sent, and how far each of its jobs got."""

    sent: dict[str, int] = field(default_factory=dict)
    """job -> last seq queued; -1 while its snapshot is being read."""
    waiting: deque[str] = field(default_factory=deque)
    waiting_bytes: int = 0
    lagging: bool = False
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    draining_since_s: float | None = None

    def put(self, text: str) -> None:
        self.waiting.append(text)
        self.waiting_bytes += len(text)
        self.wanted.set()

    def take(self) -> str:
        text = self.waiting.popleft()
        self.waiting_bytes -= len(text)
        return text

    @property
    def full(self) -> bool:
        return len(self.waiting) >= MAX_QUEUED or self.waiting_bytes >= MAX_QUEUED_BYTES


@dataclass
class _Topic:
    seq: int = -1
    """Last seq delivered; -1 until the first snapshot was read."""
    seen: int = -1
    """Highest seq known to exist."""
    early: dict[int, str] = field(default_factory=dict)
    """Messages that came before their predecessors."""
    clients: set[int] = field(default_factory=set)
    filling: bool = False


class Hub:
    """Delivers job events to the sockets of one API process."""

    def __init__(self, redis: Redis, database: Database, *, snapshot: Snapshot) -> None:
        """`snapshot(job_id)` returns the first message with its `seq`; raises NotFound."""
        self._redis = redis
        self._database = database
        self._snapshot = snapshot
        self._topics: dict[str, _Topic] = {}
        self._clients: dict[int, Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.stale = False

    def join(self) -> Client:
        client = Client()
        self._clients[id(client)] = client
        return client

    def leave(self, client: Client) -> None:
        for job_id in list(client.sent):
            self.unsubscribe(client, job_id)
        self._clients.pop(id(client), None)

    async def subscribe(self, client: Client, job_id: str, *, after: int) -> None:
        """Queue a snapshot (or the events after `after`), then every later event.

        Raises:
            NotFound: the caller has no such job.
        """
        first = job_id not in client.sent
        client.sent[job_id] = -1
        self._topics.setdefault(job_id, _Topic()).clients.add(id(client))
        try:
            snapshot = await self._snapshot(job_id)
        except BaseException:
            if first:
                self.unsubscribe(client, job_id)
            raise
        if job_id not in client.sent:
            return  # unsubscribed meanwhile
        if after <= 0 or snapshot["seq"] - after > MAX_REPLAY or after > snapshot["seq"]:
            client.put(orjson.dumps(snapshot).decode())
            client.sent[job_id] = snapshot["seq"]
        else:
            client.sent[job_id] = after
        topic = self._topics[job_id]
        topic.seq = topic.seen = max(topic.seq, topic.seen, snapshot["seq"])
        topic.early.clear()
        for each in self._of(topic):  # the others too: what this snapshot knows may never have reached them
            if 0 <= each.sent.get(job_id, -1) < topic.seq:
                each.lagging = True
                each.wanted.set()

    def unsubscribe(self, client: Client, job_id: str) -> None:
        client.sent.pop(job_id, None)
        topic = self._topics.get(job_id)
        if topic is not None:
            topic.clients.discard(id(client))
            if not topic.clients:
                del self._topics[job_id]

    def receive(self, job_id: str, text: str | bytes) -> None:
        """Take a message of a job from this process or from Redis; unwatched jobs cost one lookup."""
        topic = self._topics.get(job_id)
        if topic is None:
            return
        if isinstance(text, bytes):
            text = text.decode()
        seq = orjson.loads(text).get("seq")
        if seq is None:
            for client in self._of(topic):
                if not client.lagging and not client.full and client.sent.get(job_id, -1) >= 0:
                    client.put(text)
            return
        topic.seen = max(topic.seen, seq)
        if topic.seq < 0 or seq <= topic.seq:
            return
        if seq == topic.seq + 1:
            self._deliver(topic, job_id, seq, text)
        elif len(topic.early) < MAX_EARLY:
            topic.early[seq] = text
        if topic.early:
            self._deliver_early(topic, job_id)
        if topic.seq < topic.seen:
            self._fill_soon(topic, job_id)

    async def catch_up(self, client: Client) -> list[str]:
        """Return the next page for a client that fell behind; it stops lagging when there is none."""
        for job_id, sent in list(client.sent.items()):
            topic = self._topics.get(job_id)
            if sent < 0 or topic is None or sent >= topic.seq:
                continue
            page = await self._page(job_id, sent)
            if page and job_id in client.sent:
                client.sent[job_id] = page[-1][0]
                return [text for _, text in page]
        client.lagging = any(
            0 <= sent < self._topics[job_id].seq for job_id, sent in client.sent.items() if job_id in self._topics
        )
        return []

    async def run(self) -> None:
        """Listen to Redis and poll for lost wake-ups, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._poll())

    def _deliver_early(self, topic: _Topic, job_id: str) -> None:
        topic.early = {seq: text for seq, text in topic.early.items() if seq > topic.seq}
        while (text := topic.early.pop(topic.seq + 1, None)) is not None:
            self._deliver(topic, job_id, topic.seq + 1, text)

    def _deliver(self, topic: _Topic, job_id: str, seq: int, text: str) -> None:
        topic.seq = seq
        for client in self._of(topic):
            sent = client.sent.get(job_id, -1)
            if sent < 0 or sent >= seq:
                continue
            if client.lagging or client.full or sent != seq - 1:
                client.lagging = True
                client.wanted.set()
                continue
            client.sent[job_id] = seq
            client.put(text)

    def _fill_soon(self, topic: _Topic, job_id: str) -> None:
        if not topic.filling:
            topic.filling = True
            self._start(self._fill(topic, job_id))

    async def _fill(self, topic: _Topic, job_id: str) -> None:
        """Wait a moment for the messages before those that came too early, then read what is missing still."""
        try:
            await asyncio.sleep(GAP_PATIENCE_S)
            while topic.clients and topic.seq < topic.seen:
                page = await self._page(job_id, topic.seq)
                for seq, text in page:
                    if seq == topic.seq + 1:
                        self._deliver(topic, job_id, seq, text)
                self._deliver_early(topic, job_id)
                if not page:
                    break  # not to be seen yet: the next message or poll tries again
        except DependencyDown:
            pass
        finally:
            topic.filling = False

    async def _page(self, job_id: str, after: int) -> list[tuple[int, str]]:
        rows = await self._database.all("events_after", job_id=job_id, after=after, count=PAGE)
        return [
            (
                row["seq"],
                live(job_id, seq=row["seq"], ts=row["ts"], type_=row["type"], node=row["node"], body=row["body"])
                .model_dump_json(exclude_none=True),
            )
            for row in rows
        ]  # fmt: skip

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with self._redis.pubsub() as pubsub:
                    await pubsub.psubscribe(EVENTS_PATTERN)
                    async for message in pubsub.listen():
                        if message["type"] == "pmessage":
                            self.receive(message["channel"][_PREFIX_CHARS:].decode(), message["data"])
            await asyncio.sleep(0.5)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            ids = list(self._topics)
            if not ids:
                continue
            try:
                for row in await self._database.all("job_seqs", ids=ids):
                    topic = self._topics.get(str(row["id"]))
                    if topic is not None and row["last_seq"] > topic.seq >= 0:
                        topic.seen = max(topic.seen, row["last_seq"])
                        self._fill_soon(topic, str(row["id"]))
                self.stale = False
            except DependencyDown:
                self.stale = True

    def _of(self, topic: _Topic) -> list[Client]:
        return [self._clients[key] for key in topic.clients if key in self._clients]

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
