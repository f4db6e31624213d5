"""The slots that nobody uses: the last used first, unless another one has the wanted models loaded."""

from __future__ import annotations

import asyncio

from worker.slot import Slot


class FreeSlots:
    """A stack of slots. It is never empty for a moment while it is rearranged: other threads look at it."""

    def __init__(self) -> None:
        self._slots: list[Slot] = []
        self._count = asyncio.Semaphore(0)

    def __len__(self) -> int:
        return len(self._slots)

    async def get(self) -> Slot:
        """Take the last used slot; waits until there is one."""
        await self._count.acquire()
        return self._slots.pop()

    def put(self, slot: Slot) -> None:
        """Give a slot back."""
        self._slots.append(slot)
        self._count.release()

    def exchange(self, slot: Slot, *, wanted: str) -> Slot:
        """Return the free slot that is warm for a flavour and keep `slot` in its place, or `slot` when none is."""
        if not slot.warmth.has(wanted):
            for index, other in enumerate(self._slots):
                if other.warmth.has(wanted):
                    self._slots[index] = slot
                    return other
        return slot

    def flavours(self) -> frozenset[str]:
        """Return all that is warm on a free slot."""
        return frozenset().union(*(slot.warmth.flavours() for slot in self._slots))
