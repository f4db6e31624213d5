"""Waiting for S3: a server that restarts is back within seconds, and what was computed is precious."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

import structlog

from schemas.states import FailureKind
from worker.objects import ObjectsFailed

log = structlog.get_logger()
T = TypeVar("T")
STORAGE_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)


async def patiently(call: Callable[[], T], *, stop: asyncio.Event, time_scale: float) -> T:
    """Return what a blocking call of the object store returns, in a thread; while S3 is down it is tried again.

    Args:
        stop: set: not again, and no more pauses.
        time_scale: multiplies every pause.

    Raises:
        ObjectsFailed: for another reason, or S3 was down all the time.
    """
    for pause_s in (*STORAGE_PAUSES_S, None):
        try:
            return await asyncio.to_thread(call)
        except ObjectsFailed as error:
            if error.failure.kind is not FailureKind.DEPENDENCY or pause_s is None or stop.is_set():
                raise
            log.warning("storage.retried", code=error.failure.code)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause_s * time_scale)
    raise AssertionError("unreachable")
