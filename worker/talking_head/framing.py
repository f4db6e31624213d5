"""Place a portrait on a frame of any size: full-bleed if sharp enough, else a card on a blurred backdrop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FACE_RATIO = 0.34  # wanted forehead-to-chin height over frame height
MAX_FACE_RATIO = 0.5
MAX_ENLARGEMENT = 2.0  # beyond it an ordinary photograph looks soft
MIN_FACE_RATIO = 0.2  # a smaller face does not read as speaking: enlarge all the same
FACE_CENTRE_RATIO = 0.42  # of the picture area's height: leaves the lower fifth to captions
CARD_RATIO = 0.88  # of the frame's height or width, at most
CARD_ASPECT = (0.75, 1.1)  # width over height


@dataclass(frozen=True)
class Stage:
    """A still frame with the portrait in place.

    Attributes:
        canvas: uint8 [H, W, 3] RGB.
        box_px: (left, top, right, bottom) of the portrait on the canvas.
        to_canvas: float64 [2, 3], affine from picture pixels to canvas pixels.
    """

    canvas: NDArray[np.uint8]
    box_px: tuple[int, int, int, int]
    to_canvas: NDArray[np.float64]

    def place(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move float32 [N, 3] landmarks from the picture to the canvas; depth is scaled alike."""
        placed = np.empty_like(points)
        placed[:, :2] = points[:, :2] @ self.to_canvas[:, :2].T + self.to_canvas[:, 2]
        placed[:, 2] = points[:, 2] * self.to_canvas[0, 0]
        return placed


def frame_portrait(
    picture: NDArray[np.uint8], *, centre_px: tuple[float, float], face_height_px: float, width: int, height: int
) -> Stage:
    """Compose the still frame.

    Args:
        picture: uint8 [h, w, 3] RGB.
        centre_px: centre of the face in the picture.
        face_height_px: forehead to chin in the picture.
    """
    tall, wide = picture.shape[:2]
    sharpest = max(MAX_ENLARGEMENT, MIN_FACE_RATIO * height / face_height_px)
    scale = min(FACE_RATIO * height / face_height_px, sharpest)
    filling = max(width / wide, height / tall)
    if filling <= min(sharpest, MAX_FACE_RATIO * height / face_height_px):
        return _full_bleed(picture, centre_px, max(scale, filling), width, height)
    return _card(picture, centre_px, scale, width, height)


def _full_bleed(
    picture: NDArray[np.uint8], centre_px: tuple[float, float], scale: float, width: int, height: int
) -> Stage:
    to_canvas = _placement(picture, centre_px, scale, (0, 0, width, height))
    return Stage(_warp(picture, to_canvas, width, height), (0, 0, width, height), to_canvas)


def _card(picture: NDArray[np.uint8], centre_px: tuple[float, float], scale: float, width: int, height: int) -> Stage:
    import cv2

    tall, wide = picture.shape[:2]
    widest = CARD_RATIO * width
    card_height = round(min(CARD_RATIO * height, tall * scale, widest / CARD_ASPECT[0]))
    card_width = round(min(wide * scale, CARD_ASPECT[1] * card_height, widest))
    if card_width < CARD_ASPECT[0] * card_height:  # a narrow picture: keep a pleasant card, enlarge a little
        grow = min(1.25, CARD_ASPECT[0] * card_height / card_width)
        scale, card_width = scale * grow, round(card_width * grow)
    left, top = (width - card_width) // 2, round((height - card_height) * 0.45)
    box = (left, top, left + card_width, top + card_height)
    to_canvas = _placement(picture, centre_px, scale, box)
    mask = _rounded(width, height, box, radius_px=0.03 * height)
    shadow = cv2.GaussianBlur(_rounded(width, height, box, radius_px=0.05 * height), (0, 0), 0.025 * height)
    shadow = np.roll(shadow, round(0.012 * height), axis=0)[..., None]
    backdrop = _backdrop(picture, width, height) * (1 - 0.5 * shadow)
    portrait = _warp(picture, to_canvas, width, height).astype(np.float32)
    rim = np.clip(mask - cv2.erode(mask, np.ones((3, 3), np.uint8)), 0, 1)[..., None]
    portrait += (255 - portrait) * 0.35 * rim
    canvas = backdrop + (portrait - backdrop) * mask[..., None]
    return Stage(np.clip(canvas, 0, 255).round().astype(np.uint8), box, to_canvas)


def _placement(
    picture: NDArray[np.uint8], centre_px: tuple[float, float], scale: float, box: tuple[int, int, int, int]
) -> NDArray[np.float64]:
    """Return the affine that puts the face into the box, moved so that the picture covers the whole box."""
    tall, wide = picture.shape[:2]
    left, top, right, bottom = box
    x = left + 0.5 * (right - left) - scale * centre_px[0]
    y = top + FACE_CENTRE_RATIO * (bottom - top) - scale * centre_px[1]
    x = min(float(left), max(x, right - wide * scale))
    y = min(float(top), max(y, bottom - tall * scale))
    return np.array([[scale, 0.0, x], [0.0, scale, y]])


def _warp(picture: NDArray[np.uint8], to_canvas: NDArray[np.float64], width: int, height: int) -> NDArray[np.uint8]:
    import cv2

    scale = to_canvas[0, 0]
    if scale < 0.7:  # take the fine detail out first, or it turns to dots
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.45 / scale), np.uint8)
    warped = cv2.warpAffine(
        picture, to_canvas, (width, height), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE
    )
    if scale > 1.2:  # give an enlarged portrait some of its crispness back
        soft = cv2.GaussianBlur(warped, (0, 0), 0.8 * scale)
        warped = cv2.addWeighted(warped, 1.5, soft, -0.5, 0)
    return np.asarray(warped, np.uint8)


def _backdrop(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float32]:
    """Return float32 [H, W, 3] in [0, 255]: the picture itself, far out of focus, muted and darker to the edges."""
    import cv2

    small = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 4.0).astype(np.float32)
    grey = small.mean(axis=2, keepdims=True)
    muted = (grey + (small - grey) * 0.8) * min(0.62, 95 / max(1.0, float(grey.mean())))
    blurred = cv2.resize(muted, (width, height), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignette = 1 - 0.28 * np.clip((x**2 + y**2) / 2, 0, 1)
    grain = np.random.default_rng(7).normal(0, 0.6, (height, width, 1))  # hides banding after 8-bit rounding
    return np.clip(blurred * vignette[..., None] + grain, 0, 255).astype(np.float32)


def _rounded(width: int, height: int, box: tuple[int, int, int, int], *, radius_px: float) -> NDArray[np.float32]:
    """Return float32 [H, W] in [0, 1]: a filled rounded rectangle with a one-pixel soft edge."""
    left, top, right, bottom = box
    x = np.arange(width)[None, :] + 0.5
    y = np.arange(height)[:, None] + 0.5
    over_x = np.abs(x - (left + right) / 2) - (right - left) / 2 + radius_px
    over_y = np.abs(y - (top + bottom) / 2) - (bottom - top) / 2 + radius_px
    distance = np.hypot(np.maximum(over_x, 0), np.maximum(over_y, 0)) - radius_px
    return np.clip(0.5 - distance, 0, 1).astype(np.float32)
