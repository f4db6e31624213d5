"""The user's pictures as scenes: a slow Ken Burns move, with a blurred copy filling what the shape leaves open."""

from __future__ import annotations

import cv2
import numpy as np

from worker.storyboard.camera import view_at
from worker.storyboard.layers import Cutout, Element, Picture, Plate
from worker.storyboard.lettering import Letters, drawable
from worker.storyboard.scenes import Scene

FILLS_FROM = 0.72  # crop rather than frame a picture whose shape is this close to the frame's


class PhotoScene:
    """A scene made of one picture, uint8 [h, w, 3] RGB."""

    def __init__(self, scene: Scene, photo: Picture, *, width: int, height: int, title: str) -> None:
        self.scene, self.width, self.height = scene, width, height
        high, wide = photo.shape[:2]
        cover = max(width / wide, height / high) * 1.2
        filled = _plate(photo, cover, width, height, depth=1.0)
        self._elements: list[Element] = [filled]
        if min(wide / high / (width / height), high / wide / (height / width)) < FILLS_FROM:
            back = cv2.GaussianBlur(cv2.resize(photo, (160, max(16, round(160 * high / wide)))), (0, 0), 7)
            dimmed = cv2.convertScaleAbs(back, alpha=0.55)
            fit = min(width * 0.9 / wide, height * 0.9 / high)
            self._elements = [
                _plate(
                    np.asarray(dimmed, np.uint8),
                    max(width / 160, height / back.shape[0]) * 1.25,
                    width,
                    height,
                    depth=0.1,
                ),
                _plate(photo, fit, width, height, depth=1.0, framed=True),
            ]
        if shown := drawable(title):
            self._elements.append(
                Letters(shown, x=0.5, y=0.2, size=0.115, width=width, height=height, enters_s=-0.2, leaves_s=3.2)
            )

    def draw(self, t_s: float) -> Picture:
        """Return the frame at `t_s` seconds of the video, uint8 [H, W, 3]."""
        frame: Picture = np.zeros((self.height, self.width, 3), np.uint8)
        length_s, local_s = self.scene.end_s - self.scene.start_s, t_s - self.scene.start_s
        view = view_at(self.scene.move, t_s=local_s, length_s=length_s, width=self.width, height=self.height)
        for element in self._elements:
            element.draw(frame, view)
        return frame


def _plate(photo: Picture, factor: float, width: int, height: int, *, depth: float, framed: bool = False) -> Plate:
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(photo, None, fx=factor, fy=factor, interpolation=way), np.uint8)
    left, top = (width - scaled.shape[1]) / 2, (height - scaled.shape[0]) / 2
    if not framed:
        return Plate(Cutout(scaled, None), left, top, depth)
    solid = np.zeros_like(scaled)
    edged = cv2.copyMakeBorder(scaled, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    hold = cv2.copyMakeBorder(solid, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    return Plate(Cutout(np.asarray(edged, np.uint8), np.asarray(hold, np.uint8)), left - 2, top - 2, depth)
