"""Words in the picture: the title over the first scene, large figures and key phrases. Never the spoken captions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from worker.storyboard.layers import Cutout, Picture, View, lay
from worker.storyboard.lexicon import HERE
from worker.storyboard.sheet import Colour, Floats

FONT = HERE / "fonts" / "Nunito-ExtraBold.ttf"  # SIL Open Font License 1.1
WHITE: Colour = (1.0, 1.0, 1.0)


class Letters:
    """A short text that fades and rises in, floats a little and (for a title) fades out.

    Args:
        x, y: frame point of its middle.
        size: letter height as a share of the frame height.
        max_width: share of the frame width; longer text is wrapped, then shrunk.
        leaves_s: seconds after the scene's begin when it is gone; None stays.
    """

    def __init__(
        self, text: str, *, x: float, y: float, size: float, width: int, height: int, enters_s: float,
        leaves_s: float | None = None, colour: Colour = WHITE, max_width: float = 0.8, underline: Colour | None = None,
    ) -> None:  # fmt: skip
        self.x, self.y, self.enters_s, self.leaves_s = x, y, enters_s, leaves_s
        cover = _drawn(text, size_px=max(8, round(size * height)), max_px=round(max_width * width))
        if underline is not None:
            cover = cv2.copyMakeBorder(cover, 0, round(size * height * 0.42), 0, 0, cv2.BORDER_CONSTANT, value=0)
        pad = round(size * height * 0.5)
        cover = cv2.copyMakeBorder(cover, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
        paint = np.empty((*cover.shape, 3), np.float32)
        paint[:] = colour
        if underline is not None:
            middle, reach = cover.shape[1] // 2, min(cover.shape[1] // 2 - pad, round(size * height * 1.1))
            line_y = cover.shape[0] - pad - round(size * height * 0.12)
            line = np.zeros(cover.shape, np.uint8)
            cv2.line(
                line,
                (middle - reach, line_y),
                (middle + reach, line_y),
                255,
                max(2, round(size * height * 0.1)),
                cv2.LINE_AA,
            )
            on = line > 0
            paint[on], cover = underline, np.maximum(cover, line.astype(np.float32) / 255)
        sigma = max(1.0, size * height * 0.13)
        soft = cv2.GaussianBlur(cover, (0, 0), sigma) * 0.85 + cv2.GaussianBlur(cover, (0, 0), sigma * 0.3) * 0.35
        shade = np.clip(np.roll(soft, round(size * height * 0.03), axis=0), 0, 0.8)
        alpha = cover + shade * (1 - cover)
        mixed = paint * cover[..., None] + np.array((0.02, 0.03, 0.09), np.float32) * (shade * (1 - cover))[..., None]
        self._full = Cutout.of(
            (mixed / np.maximum(alpha, 1e-3)[..., None]).astype(np.float32), alpha.astype(np.float32)
        )

    def draw(self, frame: Picture, view: View) -> None:
        age_s = view.t_s - self.enters_s
        seen = min(1.0, max(0.0, age_s / 0.45))
        if self.leaves_s is not None:
            seen = min(seen, max(0.0, (self.leaves_s - view.t_s) / 0.45))
        if seen <= 0:
            return
        seen = seen * seen * (3 - 2 * seen)
        high, wide = self._full.colour.shape[:2]
        grow = 0.94 + 0.06 * seen + 0.004 * age_s
        rise = (1 - seen) * 0.03 * view.height + math.sin(age_s * 1.4) * 0.003 * view.height
        shown = self._full if seen >= 1 else _faded(self._full, seen)
        x, y = self.x * view.width - grow * wide / 2, self.y * view.height - grow * high / 2 + rise
        lay(frame, shown, np.array([[grow, 0, x], [0, grow, y]]))


@cache
def covered_characters() -> frozenset[int]:
    """Return the code points that the font can draw."""
    import uharfbuzz  # its module attributes come from C: pyright cannot see them

    return frozenset(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(FONT))).unicodes)  # type: ignore[attr-defined]


def drawable(text: str) -> str:
    """Return the text cleaned for lettering, or "" when the font lacks one of its letters."""
    text = " ".join(text.split())
    return text if all(ord(sign) in covered_characters() for sign in text) else ""


def _faded(cutout: Cutout, seen: float) -> Cutout:
    assert cutout.hold is not None
    colour = cv2.convertScaleAbs(cutout.colour, alpha=seen)
    hold = cv2.convertScaleAbs(cutout.hold, alpha=seen, beta=255 * (1 - seen))
    return Cutout(np.asarray(colour, np.uint8), np.asarray(hold, np.uint8))


def _drawn(text: str, *, size_px: int, max_px: int) -> Floats:
    """Return the cover of the text, float32 [h, w] in [0, 1], in up to three balanced lines."""
    from PIL import Image, ImageDraw, ImageFont

    while True:
        font = ImageFont.truetype(str(FONT), size_px)
        lines = _wrapped(text, max_px, font.getlength)
        widest = max(font.getlength(line) for line in lines)
        if (widest <= max_px and len(lines) <= 3) or size_px <= 10:
            break
        size_px = int(size_px * 0.9)
    step = round(size_px * 1.12)
    image = Image.new("L", (math.ceil(widest) + 8, step * len(lines) + round(size_px * 0.3)))
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text((image.width / 2, step * number + size_px * 0.1), line, fill=255, font=font, anchor="ma")
    return (np.asarray(image, np.float32) / 255).astype(np.float32)


def _wrapped(text: str, max_px: int, length: Callable[[str], float]) -> list[str]:
    words = text.split()
    count = max(1, math.ceil(length(text) / max_px))
    target = length(text) / count
    lines: list[str] = [""]
    for word in words:
        joined = f"{lines[-1]} {word}".strip()
        if lines[-1] and (
            length(joined) > max_px or (length(lines[-1]) + length(word) / 2 > target and len(lines) < count)
        ):
            lines.append(word)
        else:
            lines[-1] = joined
    return lines
