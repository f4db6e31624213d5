"""Displacement fields over a part of a picture: fitted once, summed and inverted for every frame. Knows no anatomy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)
STEP_PX = 4  # of the grid; faces are smoother than this everywhere but at the lids, which are layers (`eyes.py`)
INVERSION_ROUNDS = 4


@dataclass(frozen=True)
class Region:
    """A rectangle of the canvas, in pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as OpenCV orders them."""
        return self.right - self.left, self.bottom - self.top

    def within(self, box: tuple[int, int, int, int]) -> Region:
        """Return the part of this region that lies inside (left, top, right, bottom)."""
        return Region(max(self.left, box[0]), max(self.top, box[1]), min(self.right, box[2]), min(self.bottom, box[3]))

    def cut(self, picture: NDArray[Number]) -> NDArray[Number]:
        """Return the part of a picture, as a view."""
        return picture[self.top : self.bottom, self.left : self.right]

    def nodes(self) -> NDArray[np.float32]:
        """Return the grid's node positions on the canvas, float32 [GH, GW, 2]; the grid covers the region."""
        width, height = self.size
        x = self.left + STEP_PX * np.arange(-(-width // STEP_PX) + 1, dtype=np.float32)
        y = self.top + STEP_PX * np.arange(-(-height // STEP_PX) + 1, dtype=np.float32)
        return np.stack(np.meshgrid(x, y), axis=-1)


class Warp:
    """A region and its basis of displacement fields; every frame is a weighted sum of them."""

    def __init__(self, region: Region, fields: NDArray[np.float32]) -> None:
        """Keep `fields`, float32 [K, GH, GW, 2] in px: where basis k moves the content of each node."""
        self.region = region
        self._fields = fields
        self._flat = fields.reshape(len(fields), -1)

    def apply(self, picture: NDArray[np.uint8], weights: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the region of a picture, uint8 [h, w, 3], with its content moved.

        Args:
            picture: uint8 [h, w, 3], the region's own pixels.
            weights: float32 [K].
        """
        import cv2

        forward = (weights.astype(np.float32) @ self._flat).reshape(self._fields.shape[1:])
        back = self._inverse(forward)
        width, height = self.region.size
        spread = np.array([[1 / STEP_PX, 0, 0], [0, 1 / STEP_PX, 0]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        offset = cv2.warpAffine(back, spread, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        offset[..., 0] += np.arange(width, dtype=np.float32)[None, :]
        offset[..., 1] += np.arange(height, dtype=np.float32)[:, None]
        moved = cv2.remap(picture, offset, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        return np.asarray(moved, np.uint8)

    def _inverse(self, forward: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [GH, GW, 2] in px: where each node's content comes from, relative to the node.

        Solves `back(y) = -forward(y + back(y))` by fixed-point rounds; it converges while content never folds.
        """
        import cv2

        height, width = forward.shape[:2]
        nodes = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), axis=-1)
        back = -forward
        for _ in range(INVERSION_ROUNDS):
            back = -cv2.remap(forward, nodes + back / STEP_PX, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        return np.asarray(back, np.float32)


def fitted_fields(region: Region, anchors: NDArray[np.float64], moves: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate values at anchor points to smooth fields over a region's grid.

    A global thin-plate spline: with `neighbors=` the pieces would not meet and the background would tear.

    Args:
        anchors: float64 [N, 2] on the canvas, distinct.
        moves: float64 [K, N, D]; K fields of D values, displacements or depth, in px.

    Returns:
        float32 [K, GH, GW, D] in px.
    """
    from scipy.interpolate import RBFInterpolator

    nodes = region.nodes()
    kinds, count, values = moves.shape
    scale = float(np.ptp(anchors, axis=0).max()) or 1.0
    spline = RBFInterpolator(
        anchors / scale, np.moveaxis(moves, 0, 1).reshape(count, -1), kernel="thin_plate_spline", smoothing=1e-5
    )
    fields = spline(nodes.reshape(-1, 2) / scale).reshape(*nodes.shape[:2], kinds, values)
    return np.ascontiguousarray(np.moveaxis(fields, 2, 0), np.float32)


def edge_fade(region: Region, *, over_px: float) -> NDArray[np.float32]:
    """Return float32 [GH, GW] in [0, 1]: 0 at the region's edge, 1 from `over_px` inside it, smooth between."""
    height, width = region.nodes().shape[:2]
    from_x = np.minimum(np.arange(width), np.arange(width)[::-1] - 1).clip(0)
    from_y = np.minimum(np.arange(height), np.arange(height)[::-1] - 1).clip(0)
    return smoothstep(np.minimum(from_x[None, :], from_y[:, None]) * STEP_PX / over_px).astype(np.float32)


def smoothstep(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return 0 below 0, 1 above 1 and the cubic without kinks between."""
    inside = np.clip(x, 0, 1)
    return inside * inside * (3 - 2 * inside)
