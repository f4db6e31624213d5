"""The teeth of the person filmed, taken from the picture that shows them best and carried to all others.

Upper teeth hang on the skull: they move with the eyes and the nose, never with the lips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.lips.track import Track
from worker.talking_head.face import LOWER_INNER_LIP, UPPER_INNER_LIP
from worker.talking_head.lips import CORNERS, Lips
from worker.talking_head.mouth import Mouth
from worker.talking_head.warp import smoothstep

FEWEST_GAP = 0.11  # inner lips apart over the mouth's width: less shows no teeth worth taking
SKULL = (1, 2, 4, 6, 98, 327, 33, 133, 263, 362, 168, 197)  # nose and eye corners
TOOTH_RATIO = (0.30, 0.55)  # of the brightest: darker is cavity, lip or tongue
REDNESS = (0.16, 0.26)  # (red - green) / red: teeth stay below, gums, lips and the tongue lie above
RISE_RATIO = 0.06  # of the mouth's width: how far they go on upwards, where the lip covered them


@dataclass(frozen=True)
class Teeth:
    """Teeth in the picture they were taken from.

    Attributes:
        picture: uint8 [H, W, 3] RGB.
        opacity: float32 [H, W] in [0, 1].
        skull: float32 [12, 2], where nose and eyes are in it, px.
    """

    picture: NDArray[np.uint8]
    opacity: NDArray[np.float32]
    skull: NDArray[np.float32]


class FilmedMouth(Mouth):
    """A mouth that shows the person's own teeth, also where this picture hides them."""

    def __init__(self, canvas: NDArray[np.uint8], points: NDArray[np.float32], lips: Lips, teeth: Teeth) -> None:
        self._filmed, self._skull = teeth, points[list(SKULL), :2]
        super().__init__(canvas, points, lips)

    def _upper_teeth(self, patch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        import cv2

        move, _ = cv2.estimateAffinePartial2D(self._filmed.skull, self._skull, method=cv2.LMEDS)
        if move is None:
            return super()._upper_teeth(patch)
        move[:, 2] -= (self.region.left, self.region.top)
        colour = cv2.warpAffine(self._filmed.picture, move, self.region.size, flags=cv2.INTER_CUBIC)
        opacity = cv2.warpAffine(self._filmed.opacity, move, self.region.size)
        return np.asarray(colour, np.float32), np.asarray(opacity, np.float32)


def widest_open(track: Track) -> int | None:
    """Return the number of the picture whose lips are furthest apart, or None when none shows teeth."""
    points = track.points
    widths = np.linalg.norm(points[:, CORNERS[1], :2] - points[:, CORNERS[0], :2], axis=1)
    gaps = np.linalg.norm(points[:, LOWER_INNER_LIP[5], :2] - points[:, UPPER_INNER_LIP[5], :2], axis=1) / widths
    best = int(np.nanargmax(gaps))
    return best if gaps[best] > FEWEST_GAP else None


def teeth_of(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> Teeth | None:
    """Cut the teeth out of a picture; None when nothing bright and pale lies between the lips.

    Args:
        picture: uint8 [H, W, 3] RGB.
        points: float32 [468, 3], landmarks in px.
    """
    import cv2

    inner = np.concatenate([points[list(UPPER_INNER_LIP), :2], points[list(LOWER_INNER_LIP[::-1]), :2]])
    between = np.zeros(picture.shape[:2], np.float32)
    cv2.fillPoly(between, [np.round(inner).astype(np.int32)], 1.0)
    width_px = float(np.linalg.norm(points[CORNERS[1], :2] - points[CORNERS[0], :2]))
    red, green = (picture[..., channel].astype(np.float32) for channel in (0, 1))
    light = picture.min(axis=2).astype(np.float32)
    inside = light[between > 0]
    if len(inside) < 12:
        return None
    brightest = float(np.percentile(inside, 95))
    low, high = (ratio * brightest for ratio in TOOTH_RATIO)
    pale = smoothstep((REDNESS[1] - (red - green) / np.maximum(red, 1)) / (REDNESS[1] - REDNESS[0]))
    tooth = between * smoothstep((light - low) / (high - low)) * pale
    if tooth.sum() < 0.08 * between.sum() or brightest < 70:
        return None
    colour, opacity = _risen(picture, np.asarray(tooth, np.float32), by_px=max(1, round(RISE_RATIO * width_px)))
    soft = cv2.GaussianBlur(opacity, (0, 0), max(0.6, 0.012 * width_px))
    return Teeth(colour, np.asarray(soft, np.float32), points[list(SKULL), :2].copy())


def _risen(
    picture: NDArray[np.uint8], tooth: NDArray[np.float32], *, by_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Let each column of teeth go on above its top, in its brightest shade: a lip covered or shadowed it there."""
    import cv2

    upwards = np.ones((by_px, 1), np.uint8)
    shown = np.asarray(picture * tooth[..., None], np.uint8)
    grown = np.asarray(cv2.dilate(shown, upwards, anchor=(0, 0)), np.uint8)
    opacity = np.asarray(cv2.dilate(tooth, upwards, anchor=(0, 0)), np.float32)
    return grown, opacity
