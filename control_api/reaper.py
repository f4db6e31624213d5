"""The reaper: deletes objects that no row names and that are a day old (RELIABILITY 4.5).

A worker that dies between upload and commit leaves such objects; no job lives long enough to still claim one. The
checkpoint of a run counts as named while that run may go on.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from control_api.objects import Objects
from graphs.database import Database
from schemas.artifact import ARTIFACTS
from schemas.errors import DependencyDown

log = structlog.get_logger()
PERIOD_S = 3600.0
OLDER_THAN = timedelta(hours=24)
PAGE = 500


async def reap(objects: Objects, database: Database, *, older_than: timedelta = OLDER_THAN) -> int:
    """Delete the orphans of the bucket `artifacts` and return how many there were.

    Raises:
        DependencyDown: S3 or Postgres cannot be reached; what was deleted stays deleted.
    """
    keys = await objects.keys(ARTIFACTS, older_than=older_than)
    reaped = 0
    for at in range(0, len(keys), PAGE):
        page = keys[at : at + PAGE]
        known = {row["object_key"] for row in await database.all("known_keys", keys=page)}
        orphans = [key for key in page if key not in known]
        await objects.delete(ARTIFACTS, orphans)
        reaped += len(orphans)
    if reaped:
        log.info("objects.reaped", count=reaped)
    return reaped


async def reap_forever(objects: Objects, database: Database) -> None:
    """Reap once an hour, until cancelled."""
    while True:
        await asyncio.sleep(PERIOD_S)
        try:
            await reap(objects, database)
        except DependencyDown:
            log.warning("objects.reap_postponed")
