"""The sweeper re-sends what was committed and not sent, and frees what a dead worker held. It never executes work."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import structlog

from graphs.bus import Bus
from graphs.database import Database
from graphs.dispatch import Dispatcher
from schemas.errors import DependencyDown
from schemas.retry import BASE_DELAY_S

log = structlog.get_logger()


class Sweeper:
    """One pass a second; any number of replicas may run it at the same time."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        dispatcher: Dispatcher,
        *,
        wake: Callable[[str], None],
        period_s: float,
        stale_s: float,
    ) -> None:
        self._database = database
        self._bus = bus
        self._dispatcher = dispatcher
        self._wake = wake
        self._period_s = period_s
        self._stale_s = stale_s

    async def run(self) -> None:
        """Sweep until cancelled; a database that is down is tried again."""
        while True:
            try:
                await self.sweep()
            except DependencyDown:
                log.warning("sweeper.database_down")
            await asyncio.sleep(self._period_s)

    async def sweep(self) -> None:
        """Do one pass."""
        for row in await self._database.all("jobs_to_advance", count=200):
            self._wake(str(row["id"]))
        self._bus.ring(await self._database.all("unsent", older_s=self._period_s, count=200))
        await self._database.run("stale_dispatched", stale_s=self._stale_s)
        for row in await self._database.all("expire_jobs"):
            body = {"status": "cancelling", "error": row["error"]}
            event = {"seq": row["seq"], "type": "job.cancelling", "node": None, "body": body}
            self._bus.publish(str(row["id"]), [event])
            self._bus.cancel(str(row["id"]))
            self._wake(str(row["id"]))
        for row in await self._database.all("lost_runs"):
            event = await self._database.one(
                "lose_run",
                job_id=row["job_id"],
                node_path=row["node_path"],
                epoch=row["epoch"],
                delay_s=BASE_DELAY_S * random.random() * self._period_s,
            )
            if event is not None:
                log.warning("run.lost", job_id=str(row["job_id"]), node_path=row["node_path"], status=event["status"])
                self._bus.publish(str(row["job_id"]), [event])
                self._wake(str(row["job_id"]))
        await self._dispatcher.count_slots()
        await self._dispatcher.refill()
