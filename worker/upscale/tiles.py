"""A picture through a network in tiles; a tile that shows what it showed before is not computed again. Pure.

Skipping is exact: the same pixels, margin included, give the same result. Held pictures, still backgrounds and titles
cost nothing that way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""float32 [3, h, w] RGB in [0, 1] -> float32 [3, F*h, F*w], not clipped."""


@dataclass(frozen=True)
class Enlarger:
    """A network with its factor.

    Attributes:
        name: what made the picture, for its facts.
        factor: output side over input side.
        tile_px, margin_px: how much of the input is computed at once, and what is seen around it.
    """

    name: str
    network: Network
    factor: int
    tile_px: int = 160
    margin_px: int = 10


class TiledPictures:
    """Enlarges the pictures of one video, one after the other."""

    def __init__(self, enlarger: Enlarger, *, check: Callable[[], None] = lambda: None) -> None:
        """`check` is called before each tile and may raise, to cancel."""
        self._enlarger = enlarger
        self._check = check
        self._before: NDArray[np.uint8] | None = None
        self._large: NDArray[np.uint8] | None = None
        self.computed = 0
        self.reused = 0

    def enlarged(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return uint8 [F*H, F*W, 3] RGB for uint8 [H, W, 3]; valid until the next call."""
        one = self._enlarger
        height, width = picture.shape[:2]
        known = self._before if self._before is not None and self._before.shape == picture.shape else None
        large = self._large if known is not None else None
        if large is None:
            large = np.empty((height * one.factor, width * one.factor, 3), np.uint8)
        for seen, core in tiles(height, width, tile_px=one.tile_px, margin_px=one.margin_px):
            if known is not None and np.array_equal(known[seen], picture[seen]):
                self.reused += 1
                continue
            self._check()
            made = one.network(np.ascontiguousarray(picture[seen].transpose(2, 0, 1), np.float32) / np.float32(255))
            inner = tuple(
                slice((part.start - whole.start) * one.factor, (part.stop - whole.start) * one.factor)
                for part, whole in zip(core, seen, strict=True)
            )
            place = tuple(slice(part.start * one.factor, part.stop * one.factor) for part in core)
            cut = made[:, inner[0], inner[1]].transpose(1, 2, 0)
            large[place] = np.clip(cut * 255 + 0.5, 0, 255).astype(np.uint8)
            self.computed += 1
        self._before, self._large = picture.copy(), large
        return large


def tiles(height: int, width: int, *, tile_px: int, margin_px: int) -> Iterator[tuple[tuple[slice, slice], ...]]:
    """Yield (what is seen, what is kept) of each tile as (rows, columns); the kept parts cover the picture once."""
    for top in range(0, height, tile_px):
        for left in range(0, width, tile_px):
            bottom, right = min(height, top + tile_px), min(width, left + tile_px)
            seen = (
                slice(max(0, top - margin_px), min(height, bottom + margin_px)),
                slice(max(0, left - margin_px), min(width, right + margin_px)),
            )
            yield seen, (slice(top, bottom), slice(left, right))
