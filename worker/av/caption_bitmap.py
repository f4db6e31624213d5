"""Drawing one caption as a bitmap: text on a rounded dark pill, one word highlighted. Knows no time and no video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as Mask
    from PIL.ImageFont import FreeTypeFont

FONT = Path(__file__).parent / "fonts" / "Inter-Bold.ttf"
TEXT_RGB, WORD_RGB, WORD_BOX_RGB, PILL_RGB = (245, 247, 250), (255, 255, 255), (37, 99, 235), (12, 14, 20)
PILL_OPACITY = 0.78
SIZE_RATIO = 0.052  # letter size of the shorter picture side, at most of the height
MIN_SIZE_PX = 12
MAX_WIDTH_RATIO = 0.86  # title-safe area is 90 % (SMPTE ST 2046-1); the pill's padding needs the rest
BOTTOM_RATIO = 0.075
WORD_GAP_RATIO = 0.12  # of the letter size, added to the space so that the highlight touches no neighbour
MAX_LINES = 2
_SMOOTH = 4  # the pill is drawn this much larger and scaled down: PIL's shapes have hard edges


@dataclass(frozen=True)
class Bitmap:
    """A caption ready to be laid over a picture.

    Attributes:
        left, top: where it belongs, in pixels.
        light: uint8 [h, w, 3], colours already multiplied by their opacity.
        keep: uint8 [h, w, 3], how much of the picture below remains, 0 to 255.
    """

    left: int
    top: int
    light: NDArray[np.uint8]
    keep: NDArray[np.uint8]


@dataclass(frozen=True)
class Layout:
    """Where the words of one caption stand, relative to its pill."""

    size_px: int
    lines: tuple[tuple[int, ...], ...]
    boxes: tuple[tuple[float, float, float], ...]  # per word: left, baseline, width
    width_px: int
    height_px: int


@lru_cache(maxsize=32)
def font(size_px: int) -> FreeTypeFont:
    """Return the caption font at this size."""
    from PIL import ImageFont

    return ImageFont.truetype(str(FONT), size_px)


def layout(texts: Sequence[str], *, width: int, height: int) -> Layout:
    """Place the words: on one line if they fit, else on two of even length; the letters shrink when even that fails."""
    room = MAX_WIDTH_RATIO * width
    size = max(MIN_SIZE_PX, round(min(SIZE_RATIO * height, 0.075 * width)))
    while True:
        advance = [font(size).getlength(text) for text in texts]
        space = font(size).getlength(" ") + WORD_GAP_RATIO * size
        lines = _broken(advance, space, room - 1.6 * size)
        if lines is not None or size <= MIN_SIZE_PX:
            break
        size -= 1
    return _placed(advance, space, lines or (tuple(range(len(texts))),), size)


def drawn(texts: Sequence[str], active: int | None, *, width: int, height: int) -> Bitmap:
    """Return the caption for a picture of this size, with word number `active` highlighted."""
    from PIL import Image, ImageDraw

    place = layout(texts, width=width, height=height)
    size = place.size_px
    canvas = Image.new("RGBA", (place.width_px, place.height_px), (*PILL_RGB, 0))
    pill = _rounded(place.width_px, place.height_px, radius=round(0.5 * size))
    canvas.putalpha(pill.point([round(value * PILL_OPACITY) for value in range(256)]))
    if active is not None:
        left, baseline, word_width = place.boxes[active]
        box = _rounded(round(word_width + 0.36 * size), round(1.22 * size), radius=round(0.26 * size))
        canvas.paste((*WORD_BOX_RGB, 255), (round(left - 0.18 * size), round(baseline - 0.97 * size)), box)
    pen = ImageDraw.Draw(canvas)
    for index, (text, (left, baseline, _)) in enumerate(zip(texts, place.boxes, strict=True)):
        colour = WORD_RGB if index == active else TEXT_RGB
        pen.text((left, baseline), text, font=font(size), fill=(*colour, 255), anchor="ls")
    return _premultiplied(np.asarray(canvas), width=width, height=height)


def _premultiplied(rgba: NDArray[np.uint8], *, width: int, height: int) -> Bitmap:
    opacity = rgba[..., 3:].astype(np.float32) / 255
    light = (rgba[..., :3] * opacity).round().astype(np.uint8)
    keep = np.repeat((255 * (1 - opacity)).round().astype(np.uint8), 3, axis=2)
    tall, wide = rgba.shape[:2]
    left = max(0, (width - wide) // 2)
    top = max(0, height - round(BOTTOM_RATIO * height) - tall)
    return Bitmap(left, top, np.ascontiguousarray(light[:height, :width]), np.ascontiguousarray(keep[:height, :width]))


def _rounded(width: int, height: int, *, radius: int) -> Mask:
    """Return the opacity of a rounded rectangle with smooth edges."""
    from PIL import Image, ImageDraw

    large = Image.new("L", (width * _SMOOTH, height * _SMOOTH), 0)
    ImageDraw.Draw(large).rounded_rectangle((0, 0, large.width - 1, large.height - 1), radius * _SMOOTH, fill=255)
    return large.resize((width, height), Image.Resampling.BOX)


def _broken(advance: Sequence[float], space: float, room: float) -> tuple[tuple[int, ...], ...] | None:
    """Return the word numbers of each line, or None when two lines are not enough."""
    count = len(advance)
    total = sum(advance) + space * (count - 1)
    if total <= room:
        return (tuple(range(count)),)
    best, widest = None, room
    for cut in range(1, count):
        first = sum(advance[:cut]) + space * (cut - 1)
        second = total - first - space
        if max(first, second) <= widest:
            best, widest = cut, max(first, second)
    return None if best is None else (tuple(range(best)), tuple(range(best, count)))


def _placed(advance: Sequence[float], space: float, lines: tuple[tuple[int, ...], ...], size: int) -> Layout:
    """Centre each line in a pill that fits the longest."""
    widths = [sum(advance[word] for word in line) + space * (len(line) - 1) for line in lines]
    side, above, step = 0.8 * size, 0.42 * size, 1.36 * size
    width = max(widths) + 2 * side
    boxes: list[tuple[float, float, float]] = []
    for row, line in enumerate(lines):
        left, baseline = (width - widths[row]) / 2, above + 0.97 * size + row * step
        for word in line:
            boxes.append((left, baseline, advance[word]))
            left += advance[word] + space
    return Layout(size, lines, tuple(boxes), round(width), round(2 * above + 1.22 * size + (len(lines) - 1) * step))
