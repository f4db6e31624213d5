"""Blink: draw the upper lid down over the eye. The lid's own skin is stretched; the eyeball under it stays as it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.talking_head.axes import face_axes, pixel_positions
from worker.talking_head.warp import Region

# Landmarks from the outer to the inner corner (face mesh topology of MediaPipe).
EYES = (  # upper lid, lower lid, brow
    (
        (33, 246, 161, 160, 159, 158, 157, 173, 133),
        (33, 7, 163, 144, 145, 153, 154, 155, 133),
        (70, 63, 105, 66, 107),
    ),
    (
        (263, 466, 388, 387, 386, 385, 384, 398, 362),
        (263, 249, 390, 373, 374, 380, 381, 382, 362),
        (300, 293, 334, 296, 336),
    ),
)
SKIN_ABOVE = 0.05  # of the eye's width: skin begins this far above the mesh's lid, which runs inside the opening
MEETS_BELOW = 0.07  # of the eye's width: the lids meet this far below the mesh's lower lid, for the same reason
LASH_SHADE = 0.32  # darkness of the lash line of a shut eye
FOLD_RATIO = 0.45  # the lid's fold, as a part of the way from lid edge to brow: skin above it does not move
SMALLEST_OPENING = 0.10  # of the eye's width: below, the eye is already shut and is left alone


class Eye:
    """One eye of a portrait, prepared to be closed by any amount."""

    def __init__(
        self, points: NDArray[np.float32], landmarks: tuple[tuple[int, ...], ...], *, box_px: tuple[int, int, int, int]
    ) -> None:
        from scipy.interpolate import PchipInterpolator

        upper, lower, brow = (points[list(ring)] for ring in landmarks)
        width_px = float(np.linalg.norm(upper[0, :2] - upper[-1, :2]))
        axes = face_axes(points, origin=(upper[0] + upper[-1]) / 2)
        low = np.concatenate([upper, lower, brow])[:, :2]
        margin = 0.25 * width_px
        self.region = Region(
            int(low[:, 0].min() - margin), int(low[:, 1].min() - 1), int(low[:, 0].max() + margin),
            int(low[:, 1].max() + margin),
        ).within(box_px)  # fmt: skip
        local = axes.local(pixel_positions(self.region))
        along, self._down = local[..., 0], local[..., 1].astype(np.float32)
        lids = [axes.local(ring) for ring in (upper, lower)]
        lids = [ring[np.argsort(ring[:, 0])] for ring in lids]
        inside = np.clip(along, lids[0][0, 0], lids[0][-1, 0])
        edge, floor = (PchipInterpolator(*_rising(ring))(inside).astype(np.float32) for ring in lids)
        opening = np.clip((floor - edge) / (0.12 * width_px), 0, 1)  # 0 at the corners
        self._edge = edge - SKIN_ABOVE * width_px * opening
        self._travel = np.maximum(0, floor + MEETS_BELOW * width_px * opening - self._edge)
        self._lash_px = max(0.8, 0.03 * width_px)
        self._opening = opening
        brow_down = float(axes.local(brow)[:, 1].mean())
        fold = float(lids[0][:, 1].min())
        self._fold = np.minimum(self._edge - 1.5, fold + FOLD_RATIO * (brow_down - fold)).astype(np.float32)
        self._axes = axes
        self._beyond = np.maximum(0, np.abs(along - inside)).astype(np.float32)
        self._positions = pixel_positions(self.region) - np.array([self.region.left, self.region.top], np.float32)
        self.opens = float((floor - edge).max()) > SMALLEST_OPENING * width_px

    def close(self, canvas: NDArray[np.uint8], amount: float) -> None:
        """Draw the lid onto a canvas in place; 0 leaves the eye as it is, 1 shuts it."""
        import cv2

        if amount <= 0.02 or not self.opens:
            return
        edge = self._edge + amount * self._travel
        stretch = (self._edge - self._fold) / np.maximum(edge - self._fold, 1e-3)
        down = np.where(self._down > self._fold, self._fold + (self._down - self._fold) * stretch, self._down)
        shift = (down - self._down)[..., None] * self._axes.down.astype(np.float32)
        patch = self.region.cut(canvas)
        lid = cv2.remap(patch, self._positions + shift, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        cover = np.clip((edge - self._down) / 1.4 + 0.5, 0, 1) * np.clip(1 - self._beyond / 2, 0, 1)
        lashes = np.exp(-(((edge - self._lash_px - self._down) / self._lash_px) ** 2)) * self._opening
        skin = lid.astype(np.float32) * (1 - LASH_SHADE * amount * lashes)[..., None]
        mixed = patch + (skin - patch) * cover[..., None]
        patch[:] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def _rising(ring: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a curve's positions along and down, with the positions made strictly rising."""
    along = np.maximum.accumulate(ring[:, 0] + 1e-3 * np.arange(len(ring)))
    return (along + 1e-6 * np.arange(len(ring))).astype(np.float64), ring[:, 1]
