"""How much memory running tasks may declare together: a task that does not fit now waits, one that never fits fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class MemoryBudget:
    """Declared GiB, counted, never measured: the kernel measures."""

    def __init__(self, total_gib: float) -> None:
        self.total_gib = total_gib
        self._lent_gib = 0.0
        self._changed = asyncio.Condition()

    def can_ever(self, gib: float) -> bool:
        """Whether a task of this size fits an otherwise idle worker."""
        return gib <= self.total_gib

    @asynccontextmanager
    async def lent(self, gib: float) -> AsyncIterator[None]:
        """Wait until `gib` are free and hold them."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._lent_gib + gib <= self.total_gib)
            self._lent_gib += gib
        try:
            yield
        finally:
            async with self._changed:
                self._lent_gib -= gib
                self._changed.notify_all()
