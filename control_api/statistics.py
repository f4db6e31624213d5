"""How long tasks took, for quotes: read from the ledger at most every 30 seconds."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from graphs.database import Database
from schemas.planning import RunStatistics, SizedRuns

FRESH_FOR_S = 30.0


class Statistics:
    """Recorded seconds per task and variant."""

    def __init__(self, database: Database, *, fresh_for_s: float = FRESH_FOR_S) -> None:
        self._database = database
        self._fresh_for_s = fresh_for_s
        self._known: dict[str, RunStatistics] = {}
        self._read_at_s = float("-inf")

    async def current(self) -> dict[str, RunStatistics]:
        """Return `TASK` or `TASK/VARIANT` -> seconds."""
        if time.monotonic() - self._read_at_s > self._fresh_for_s:
            self._read_at_s = time.monotonic()
            self._known = by_task(await self._database.all("run_statistics"))
        return self._known


def by_task(rows: Iterable[dict[str, Any]]) -> dict[str, RunStatistics]:
    """Return `TASK` or `TASK/VARIANT` -> seconds, from the rows of `run_statistics`."""
    whole: dict[str, dict[str, Any]] = {}
    sizes: defaultdict[str, list[SizedRuns]] = defaultdict(list)
    for row in rows:
        key = f"{row['task']}/{row['variant']}" if row["variant"] else row["task"]
        if row["sized"]:
            sizes[key].append(
                SizedRuns(row["duration_s"], row["resolution"], row["p50_s"], row["p90_s"], runs=row["n"])
            )
        else:
            whole[key] = row
    return {
        key: RunStatistics(row["p50_s"], row["p90_s"], runs=row["n"], sizes=tuple(sizes[key]))
        for key, row in whole.items()
    }
