"""How many doorbells may be out: the window per queue, kept short so that Postgres decides the order.

At most two messages per live worker slot are `dispatched`; the rest waits as `ready`, where it can still be
re-ordered, cancelled or expired.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable

import structlog

from graphs.bus import Bus
from graphs.database import Database

log = structlog.get_logger()
WINDOW_PER_SLOT = 2
WORKER_SEEN_WITHIN_S = 30.0
REFILL_PAUSE_S = 0.01


class Dispatcher:
    """The window of each queue. Counts are a soft bound: they are corrected from the tables at every refill."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._slots: Counter[str] = Counter()
        self._out: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, int] = defaultdict(int)
        self._late: Counter[str] = Counter()
        self._due = asyncio.Event()

    def reserve(self, queue: str) -> bool:
        """Return True when a new run of this queue may be dispatched in the statement that creates it."""
        if self._waiting[queue] or self._out[queue] >= self._slots[queue] * WINDOW_PER_SLOT:
            self._waiting[queue] += 1
            self._late[queue] += 1
            return False
        self._out[queue] += 1
        return True

    def left(self, queues: Iterable[str]) -> None:
        """Note that a run left each of these queues."""
        for queue in queues:
            self._out[queue] = max(0, self._out[queue] - 1)

    def look(self) -> None:
        """Say that a window may have room, or a run may wait for one."""
        if any(self._waiting.values()):
            self._due.set()

    async def refill(self) -> None:
        """Count what is out, and ring for what waits while there is room."""
        self._late.clear()
        loads = {row["queue"]: row for row in await self._database.all("queue_load")}
        self._out = defaultdict(int, {queue: row["dispatched"] for queue, row in loads.items()})
        self._waiting = defaultdict(int, {queue: row["ready"] for queue, row in loads.items()})
        for queue, count in self._late.items():  # their rows were not there yet when we counted
            self._waiting[queue] += count
        for queue, load in loads.items():
            room = self._slots[queue] * WINDOW_PER_SLOT - load["dispatched"]
            if load["ready"] and room > 0:
                sent = await self._database.all("dispatch_ready", queue=queue, room=room)
                self._out[queue] += len(sent)
                self._waiting[queue] = max(0, self._waiting[queue] - len(sent))
                self._bus.ring(sent)

    async def count_slots(self) -> None:
        """Learn the live slots from the worker rows."""
        slots: Counter[str] = Counter()
        for worker in await self._database.all("live_workers", within_s=WORKER_SEEN_WITHIN_S):
            if not worker["draining"]:
                slots.update(dict.fromkeys(worker["queues"], worker["slots"]))
        if slots != self._slots:
            log.info("dispatch.slots_changed", slots=dict(slots))
            self._slots = slots
            self._due.set()

    async def run(self) -> None:
        """Refill whenever a run ended or was created while others wait, at most every 10 ms."""
        while True:
            await self._due.wait()
            self._due.clear()
            await self.refill()
            await asyncio.sleep(REFILL_PAUSE_S)
