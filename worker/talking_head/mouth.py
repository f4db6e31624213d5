"""Open and close the mouth of a portrait: skin above, skin below, and between them the cavity with tongue and teeth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.talking_head.axes import pixel_positions
from worker.talking_head.lips import LOWER_OUTER_LIP, UPPER_OUTER_LIP, Lips
from worker.talking_head.warp import Region, smoothstep

CAVITY_RGB = (58.0, 22.0, 20.0)
TONGUE_RGB = (148.0, 70.0, 68.0)
TEETH_RGB = (214.0, 203.0, 186.0)
DRAWN_TEETH_OPACITY = 0.8  # teeth a portrait does not show are only hinted at
SKIN_IN_TEETH = 0.45  # how much of the skin's tint drawn teeth take, as they lie in the same light
WELL_LIT = 175.0  # skin brightness at which the colours above hold
SEAM_PX = 0.7  # softness of the lips' edges


class Mouth:
    """The mouth of one portrait, prepared to be drawn in any shape."""

    def __init__(self, canvas: NDArray[np.uint8], points: NDArray[np.float32], lips: Lips) -> None:
        """Keep the portrait's own teeth and the colours of its light; `canvas` is uint8 [H, W, 3]."""
        self._lips = lips
        self.region = lips.region
        local = lips.axes.local(pixel_positions(lips.region))
        self._along, self._down = local[..., 0].astype(np.float32), local[..., 1].astype(np.float32)
        width_px = lips.width_px
        self._beyond = np.maximum(0, np.abs(self._along) - 0.5 * width_px)
        self._columns = np.arange(self._along.min() - 1, self._along.max() + 2, 0.5, dtype=np.float64)
        skin = points[[205, 425, 50, 280], :2].astype(int)
        colour = np.mean([canvas[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1)) for x, y in skin], axis=0)
        self._light = float(np.clip(colour.mean() / WELL_LIT, 0.3, 1.1))
        self._tint = ((1 - SKIN_IN_TEETH) + SKIN_IN_TEETH * colour / max(1.0, colour.mean())).astype(np.float32)
        reach = points[[*UPPER_OUTER_LIP, *LOWER_OUTER_LIP], :2]
        corner = np.array([lips.region.left, lips.region.top])
        low = reach.min(0) - 0.3 * width_px - corner
        high = reach.max(0) + 0.5 * width_px - corner
        limit = lips.region.size
        self._hole = Region(max(0, int(low[0])), max(0, int(low[1])), min(limit[0], int(high[0])),
                            min(limit[1], int(high[1])))  # fmt: skip
        self._teeth, self._teeth_alpha = self._upper_teeth(lips.region.cut(canvas))

    def speak(self, canvas: NDArray[np.uint8], curves: NDArray[np.float32]) -> None:
        """Draw a mouth shape onto a canvas in place.

        Args:
            canvas: uint8 [H, W, 3], the still portrait.
            curves: float32 [4] in [0, 1], one row of `mouth_curves`.
        """
        lips = self._lips
        weights = lips.weights(curves)
        patch = lips.region.cut(canvas)
        above = lips.upper.apply(patch, weights)
        below = lips.lower.apply(patch, weights)
        upper, lower = self._edges(weights)
        softness = SEAM_PX + 0.5 * self._beyond
        cover_below = np.clip((self._down - lower) / softness + 0.5, 0, 1)[..., None]
        hole = self._hole
        inside = hole.cut(self._interior(upper, lower))
        open_alpha = hole.cut(np.clip((self._down - upper) / SEAM_PX + 0.5, 0, 1) * (self._beyond <= 0))
        open_alpha = open_alpha * smoothstep((hole.cut(lower - upper)) / 1.5)
        mixed = above.astype(np.float32)
        part = hole.cut(mixed)
        part += (inside - part) * open_alpha[..., None].astype(np.float32)
        mixed += (below - mixed) * cover_below
        patch[:] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)

    def _edges(self, weights: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return how far down the inner lips are at each pixel, float32 [h, w] each; the lips never cross."""
        from scipy.interpolate import PchipInterpolator

        lips = self._lips
        curves: list[NDArray[np.float64]] = []
        for edge, moves in ((lips.upper_edge, lips.upper_moves), (lips.lower_edge, lips.lower_moves)):
            moved = edge + np.tensordot(weights, moves, axes=1)
            along = np.maximum.accumulate(moved[:, 0]) + 1e-4 * np.arange(len(moved))
            curves.append(PchipInterpolator(along, moved[:, 1])(np.clip(self._columns, along[0], along[-1])))
        upper, lower = curves
        middle = (upper + lower) / 2
        crossed = lower < upper
        upper, lower = np.where(crossed, middle, upper), np.where(crossed, middle, lower)
        at = np.clip((self._along - self._columns[0]) * 2, 0, len(self._columns) - 1.001)
        index = at.astype(np.int32)
        rest = at - index
        return tuple(  # type: ignore[return-value]
            (line[index] * (1 - rest) + line[index + 1] * rest).astype(np.float32) for line in (upper, lower)
        )

    def _interior(self, upper: NDArray[np.float32], lower: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [h, w, 3] in [0, 255]: what one sees between the lips; drawn only around the mouth."""
        width_px = self._lips.width_px
        picture = np.zeros((*upper.shape, 3), np.float32)
        cut = self._hole.cut
        along, down, upper, lower = (cut(array) for array in (self._along, self._down, upper, lower))
        across = along / (0.5 * width_px)
        depth = 1 - 0.55 * np.clip(np.abs(across), 0, 1) ** 2
        inside = np.array(CAVITY_RGB, np.float32) * (self._light * depth)[..., None]
        above_lip = (lower - down) / width_px
        tongue_top = 0.105 * np.sqrt(np.clip(1 - (along / (0.30 * width_px)) ** 2, 0, 1))
        tongue = smoothstep((tongue_top - above_lip) / 0.05) * 0.8
        lit = 0.45 + 0.5 * np.clip(1 - above_lip / 0.13, 0, 1)
        inside += (np.array(TONGUE_RGB, np.float32) * (self._light * lit)[..., None] - inside) * tongue[..., None]
        inside += (cut(self._teeth) - inside) * cut(self._teeth_alpha)[..., None]
        shade = 0.30 if self._lips.smiles else 0.4
        shadow = 1 - shade * np.exp(-np.clip(down - upper, 0, None) / (0.035 * width_px))
        hole = self._hole
        picture[hole.top : hole.bottom, hole.left : hole.right] = inside * shadow[..., None]
        return picture

    def _upper_teeth(self, patch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the teeth that hang on the skull: colour float32 [h, w, 3] and opacity float32 [h, w].

        A smiling portrait keeps its own; for closed lips a soft row without single teeth is drawn.
        """
        from scipy.interpolate import PchipInterpolator

        lips = self._lips
        width_px = lips.width_px
        inside = np.clip(self._along, lips.upper_edge[0, 0], lips.upper_edge[-1, 0])
        order = 1e-4 * np.arange(len(lips.upper_edge))
        upper, lower = (
            PchipInterpolator(np.maximum.accumulate(edge[:, 0]) + order, edge[:, 1])(inside).astype(np.float32)
            for edge in (lips.upper_edge, lips.lower_edge)
        )
        if lips.smiles:
            soft = max(1.2, 0.025 * width_px)
            opacity = np.clip((lower - 1.0 - self._down) / soft, 0, 1) * np.clip((self._down - upper + 2) / 2, 0, 1)
            return patch.astype(np.float32), (opacity * (self._beyond <= 0)).astype(np.float32)
        across = self._along / (0.40 * width_px)
        lower_edge = upper + width_px * 0.075 * (1 - 0.35 * np.clip(across, -1, 1) ** 2)
        opacity = DRAWN_TEETH_OPACITY * smoothstep((lower_edge - self._down) / (0.03 * width_px))
        opacity *= smoothstep((1 - np.abs(across)) / 0.45)
        tint = 1 - 0.35 * np.clip(np.abs(across), 0, 1) ** 2
        colour = np.array(TEETH_RGB, np.float32) * self._tint * (0.9 * self._light * tint)[..., None]
        return colour.astype(np.float32), opacity.astype(np.float32)
