"""The face's own axes on the canvas: along the eyes and down the nose. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.talking_head.warp import Region

EYE_CORNERS = (33, 263)  # outer, image left and right


@dataclass(frozen=True)
class Axes:
    """An origin on the canvas and the direction of the eye line, as float64 [2] each."""

    origin: NDArray[np.float64]
    along: NDArray[np.float64]

    @property
    def down(self) -> NDArray[np.float64]:
        """Towards the chin."""
        return np.array([-self.along[1], self.along[0]])

    def local(self, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64 [..., 2]: how far along and how far down, in px, from the origin."""
        return (points[..., :2] - self.origin) @ np.stack([self.along, self.down], axis=1)

    def canvas(self, local: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return canvas positions of local points, float64 [..., 2]."""
        return self.origin + self.turned(local)

    def turned(self, local: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return displacements given along and down as canvas displacements, float64 [..., 2]."""
        return local @ np.stack([self.along, self.down], axis=0)


def face_axes(points: NDArray[np.float32], *, origin: NDArray[np.float32]) -> Axes:
    """Return the axes of a face with landmarks float32 [468, 3] about a point float32 [2 or 3]."""
    eyes = (points[EYE_CORNERS[1], :2] - points[EYE_CORNERS[0], :2]).astype(np.float64)
    return Axes(origin[:2].astype(np.float64), eyes / np.linalg.norm(eyes))


def pixel_positions(region: Region) -> NDArray[np.float32]:
    """Return float32 [h, w, 2], the canvas position of each pixel of a region."""
    x = np.arange(region.left, region.right, dtype=np.float32)
    y = np.arange(region.top, region.bottom, dtype=np.float32)
    return np.stack(np.meshgrid(x, y), axis=-1)
