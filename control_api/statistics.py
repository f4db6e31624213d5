"""How long tasks took, for quotes: read from the ledger at most every 30 seconds."""

from __future__ import annotations

import time

from graphs.database import Database
from schemas.planning import RunStatistics

FRESH_FOR_S = 30.0


class Statistics:
    """Recorded seconds per task and variant."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, RunStatistics] = {}
        self._read_at_s = float("-inf")

    async def current(self) -> dict[str, RunStatistics]:
        """Return `TASK` or `TASK/VARIANT` -> seconds."""
        if time.monotonic() - self._read_at_s > FRESH_FOR_S:
            self._read_at_s = time.monotonic()
            self._known = {
                f"{row['task']}/{row['variant']}" if row["variant"] else row["task"]: RunStatistics(
                    p50_s=row["p50_s"], p90_s=row["p90_s"], runs=row["n"]
                )
                for row in await self._database.all("run_statistics")
            }
        return self._known
