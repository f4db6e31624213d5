"""Cut the face out for the network and put its lower half back, feathered. Pure: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.lips.network import FACE_PX
from worker.talking_head.warp import smoothstep

CHIN_MARGIN_RATIO = 0.06  # of the face's height below the chin: an open mouth lowers it
JAW = (132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361)  # image left to right
UNDER_NOSE = (425, 327, 2, 98, 205)  # image right to left
FEATHER_RATIO = 0.035  # of the face's height
EDGE_FADE_RATIO = 0.06  # of the box's side: nothing is put back at its very edge


@dataclass(frozen=True)
class Box:
    """A rectangle of a picture in px; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def cut(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return picture[self.top : self.bottom, self.left : self.right]


def face_box(points: NDArray[np.float32], *, width: int, height: int) -> Box | None:
    """Return the box the network expects: brows to chin and ear to ear; None when most of it is off the picture.

    Args:
        points: float32 [468, 3], landmarks in px.
    """
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    tall = float(high[1] - low[1])
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    right = min(width, int(np.ceil(high[0])))
    bottom = min(height, int(np.ceil(high[1] + CHIN_MARGIN_RATIO * tall)))
    shown = max(0, right - left) * max(0, bottom - top)
    return Box(left, top, right, bottom) if shown >= 0.6 * float(np.prod(high - low)) else None


def network_face(picture: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
    """Return float32 [6, 96, 96] in [0, 1], BGR: the face with its lower half black, and the whole face."""
    import cv2

    cut = box.cut(picture)
    flags = cv2.INTER_AREA if cut.shape[0] > FACE_PX else cv2.INTER_LINEAR
    face = np.asarray(cv2.resize(cut, (FACE_PX, FACE_PX), interpolation=flags), np.uint8)[..., ::-1].transpose(2, 0, 1)
    both = np.concatenate([face, face]).astype(np.float32) / np.float32(255)
    both[:3, FACE_PX // 2 :] = 0
    return both


def put_back(picture: NDArray[np.uint8], box: Box, points: NDArray[np.float32], made: NDArray[np.float32]) -> None:
    """Blend what the network made, float32 [3, 96, 96] BGR in [0, 1], into the lower face of a picture, in place."""
    import cv2

    size = box.right - box.left, box.bottom - box.top
    face = made.transpose(1, 2, 0)[..., ::-1] * 255
    grown = np.asarray(cv2.resize(np.ascontiguousarray(face), size, interpolation=cv2.INTER_CUBIC), np.float32)
    alpha = lower_face(points, box)[..., None]
    cut = box.cut(picture)
    cut[:] = np.clip(cut + (grown - cut) * alpha + 0.5, 0, 255).astype(np.uint8)


def lower_face(points: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
    """Return float32 [h, w] in [0, 1]: how much of each pixel of the box is mouth, chin or jaw."""
    import cv2

    width, height = box.right - box.left, box.bottom - box.top
    corner = np.array([box.left, box.top], np.float32)
    outline = points[[*JAW, *UNDER_NOSE], :2] - corner
    mask = np.zeros((height, width), np.float32)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1.0)
    feather = max(1.0, FEATHER_RATIO * height)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), feather), np.float32)
    fade = EDGE_FADE_RATIO * min(width, height)
    x = np.minimum(np.arange(width), np.arange(width)[::-1])
    y = np.minimum(np.arange(height), np.arange(height)[::-1])
    edge = smoothstep(np.minimum(x[None, :], y[:, None]) / fade)
    return np.asarray(mask * edge, np.float32)
