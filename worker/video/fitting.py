"""Pictures fitted into the shape of a frame. Pure."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def covering(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return the picture, uint8 [h, w, 3], scaled to cover this size, what stands over cut off evenly."""
    high, wide = picture.shape[:2]
    factor = max(width / wide, height / high)
    size = (max(width, round(wide * factor)), max(height, round(high * factor)))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = picture if size == (wide, high) else cv2.resize(picture, size, interpolation=way)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width], np.uint8)
