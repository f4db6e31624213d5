"""What a frame is composed of: the camera's view, picture plates and how one picture lies over another."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""uint8 [H, W, 3], RGB."""
Affine = NDArray[np.float64]
"""float64 [2, 3]: picture point -> frame point, pixels."""


@dataclass(frozen=True)
class View:
    """Where the camera is at one moment of a scene.

    Attributes:
        t_s: seconds since the scene began.
        zoom: 1.0 or more, about the frame's middle.
        pan_x_px, pan_y_px: how far the nearest layers have moved; far ones move less.
    """

    width: int
    height: int
    t_s: float
    zoom: float
    pan_x_px: float
    pan_y_px: float

    def at(self, depth: float) -> tuple[float, float, float]:
        """Return `(scale, dx, dy)`: how a frame point at `depth` (0 far, 1 near) is moved."""
        scale = 1 + (self.zoom - 1) * (0.35 + 0.65 * depth)
        follow = 0.25 + 0.75 * depth
        return (
            scale,
            self.width / 2 * (1 - scale) - self.pan_x_px * follow,
            self.height / 2 * (1 - scale) - self.pan_y_px * follow,
        )


class Element(Protocol):
    """Something that can be drawn into a frame."""

    def draw(self, frame: Picture, view: View) -> None:
        """Draw into `frame` (uint8 [H, W, 3]) in place."""
        ...


@dataclass(frozen=True)
class Cutout:
    """A picture with soft edges.

    Attributes:
        colour: uint8 [h, w, 3], premultiplied by its cover.
        hold: uint8 [h, w, 3], what stays of the picture below (255: all), or None when opaque.
    """

    colour: Picture
    hold: Picture | None

    @classmethod
    def of(cls, rgb: NDArray[np.float32], alpha: NDArray[np.float32]) -> Cutout:
        """Return the cutout of float32 `rgb` [h, w, 3] and `alpha` [h, w], both in [0, 1]."""
        colour = cv2.convertScaleAbs(rgb * alpha[..., None], alpha=255)
        hold = cv2.convertScaleAbs(1 - alpha, alpha=255)
        return cls(np.asarray(colour, np.uint8), np.asarray(cv2.merge([hold, hold, hold]), np.uint8))


@dataclass(frozen=True)
class Plate:
    """A large layer of a scene.

    Attributes:
        picture: its pixels; pixel (0, 0) lies at frame point (`left_px`, `top_px`).
        depth: 0 far, 1 near; near layers move more.
        drift_px_s: own movement to the right.
        sway: how it moves on its own, seconds -> (x px, y px).
    """

    picture: Cutout
    left_px: float
    top_px: float
    depth: float
    drift_px_s: float = 0.0
    sway: Callable[[float], tuple[float, float]] | None = None

    def draw(self, frame: Picture, view: View) -> None:
        scale, dx, dy = view.at(self.depth)
        own_x, own_y = self.sway(view.t_s) if self.sway else (0.0, 0.0)
        left = self.left_px + self.drift_px_s * view.t_s + own_x
        matrix = np.array([[scale, 0, scale * left + dx], [0, scale, scale * (self.top_px + own_y) + dy]])
        lay(frame, self.picture, matrix)


def lay(frame: Picture, cutout: Cutout, matrix: Affine) -> None:
    """Lay a cutout over a frame, in place, touching only the pixels it reaches."""
    high, wide = cutout.colour.shape[:2]
    height, width = frame.shape[:2]
    corners = matrix @ np.array([[0, wide, 0, wide], [0, 0, high, high], [1, 1, 1, 1]], dtype=np.float64)
    x0, y0 = max(0, math.floor(corners[0].min())), max(0, math.floor(corners[1].min()))
    x1, y1 = min(width, math.ceil(corners[0].max()) + 1), min(height, math.ceil(corners[1].max()) + 1)
    if x1 <= x0 or y1 <= y0:
        return
    local = matrix.copy()
    local[:, 2] -= (x0, y0)
    size, region = (x1 - x0, y1 - y0), frame[y0:y1, x0:x1]
    if cutout.hold is None:
        region[:] = cv2.warpAffine(cutout.colour, local, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return
    colour = np.asarray(cv2.warpAffine(cutout.colour, local, size, flags=cv2.INTER_LINEAR), np.uint8)
    hold = cv2.warpAffine(cutout.hold, local, size, flags=cv2.INTER_LINEAR, borderValue=(255, 255, 255))
    hold = np.asarray(hold, np.uint8)
    over(region, colour, hold)


def over(region: Picture, colour: Picture, hold: Picture) -> None:
    """Put a premultiplied picture over `region`, in place; all uint8 of one shape."""
    region[:] = cv2.add(cv2.multiply(region, hold, scale=1 / 255), colour)
