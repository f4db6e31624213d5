"""A surface to paint a layer on: soft-edged shapes, gradients, glows and cloud noise in frame units.

Coordinates are shares of the frame: x 0..1 left to right, y 0..1 top to bottom. A sheet reaches a tenth of
the frame beyond every side, so that the camera can move.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.storyboard.layers import Cutout, Plate

Colour = tuple[float, float, float]
"""RGB, each in [0, 1]."""
Floats = NDArray[np.float32]
MARGIN = 0.1
_SHIFT = 4  # cv2 draws at 1/16 px


def rgb(code: str) -> Colour:
    """Return the colour of `#rrggbb`."""
    return (int(code[1:3], 16) / 255, int(code[3:5], 16) / 255, int(code[5:7], 16) / 255)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return `a` with `share` of `b` in it."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def noise(
    rng: np.random.Generator, height: int, width: int, *, cells: float = 4, octaves: int = 4, stretch: float = 1.0
) -> Floats:
    """Return fractal noise, float32 [height, width] in [0, 1]; `cells` per height, `stretch` widens them."""
    total, weight, scale = np.zeros((height, width), np.float32), 0.0, 1.0
    for _ in range(octaves):
        rows = max(2, round(cells)) + 3
        columns = max(2, round(cells * width / height / stretch)) + 3
        grid = rng.random((rows, columns), dtype=np.float32)
        total += scale * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        weight, scale, cells = weight + scale, scale * 0.5, cells * 2
    return np.clip((total / weight - 0.5) * 1.7 + 0.5, 0, 1)


class Sheet:
    """One layer while it is painted: float32 colour [h, w, 3] and cover [h, w], both in [0, 1]."""

    def __init__(self, width: int, height: int, *, opaque: bool = False) -> None:
        self.width, self.height = width, height
        self.left, self.top = round(width * MARGIN), round(height * MARGIN)
        shape = (height + 2 * self.top, width + 2 * self.left)
        self.colour: Floats = np.zeros((*shape, 3), np.float32)
        self.cover: Floats = np.full(shape, 1.0 if opaque else 0.0, np.float32)
        self.opaque = opaque

    @property
    def xs(self) -> Floats:
        """Frame x of every column, float32 [w]."""
        return ((np.arange(self.cover.shape[1], dtype=np.float32) - self.left) / self.width).astype(np.float32)

    @property
    def ys(self) -> Floats:
        """Frame y of every row, float32 [h]."""
        return ((np.arange(self.cover.shape[0], dtype=np.float32) - self.top) / self.height).astype(np.float32)

    def sky(self, stops: Sequence[tuple[float, Colour]]) -> None:
        """Fill with a vertical gradient through `(y, colour)` stops."""
        places = [stop[0] for stop in stops]
        column = np.stack([np.interp(self.ys, places, [stop[1][c] for stop in stops]) for c in range(3)], -1)
        self.colour[:] = column[:, None, :].astype(np.float32)
        self.cover[:] = 1

    def shape(
        self, draw: Callable[[NDArray[np.uint8]], None], colour: Colour, to: Colour | None = None, *,
        opacity: float = 1.0, blur: float = 0.0,
    ) -> None:  # fmt: skip
        """Fill what `draw` marks on an 8-bit mask, from `colour` at its top to `to` at its bottom.

        Args:
            blur: softness of the edge, a share of the frame height.
        """
        mask = np.zeros(self.cover.shape, np.uint8)
        draw(mask)
        if blur > 0:
            mask = cv2.GaussianBlur(mask, (0, 0), max(0.5, blur * self.height))
        x, y, wide, high = cv2.boundingRect(mask)
        if not wide or not high:
            return
        part = (slice(y, y + high), slice(x, x + wide))
        cover = (mask[part].astype(np.float32) * (opacity / 255))[..., None]
        fall = np.linspace(0, 1, high, dtype=np.float32)[:, None, None]
        paint = np.array(colour, np.float32) * (1 - fall) + np.array(to or colour, np.float32) * fall
        below = self.cover[part][..., None]
        after = cover + below * (1 - cover)
        blended = paint * cover + self.colour[part] * below * (1 - cover)
        self.colour[part] = blended / np.maximum(after, 1e-4)
        self.cover[part] = after[..., 0]

    def polygon(self, points: Sequence[tuple[float, float]], colour: Colour, to: Colour | None = None, *,
                opacity: float = 1.0, blur: float = 0.0) -> None:  # fmt: skip
        """Fill a polygon of frame points."""
        corners = self._fixed(points)
        self.shape(lambda mask: _fill(mask, corners), colour, to, opacity=opacity, blur=blur)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour, to: Colour | None = None, *,
                opacity: float = 1.0, blur: float = 0.0) -> None:  # fmt: skip
        """Fill an ellipse; both radii are shares of the frame height."""
        turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        wide = rx * self.height / self.width
        points = [(x + wide * float(np.cos(a)), y + ry * float(np.sin(a))) for a in turn]
        self.polygon(points, colour, to, opacity=opacity, blur=blur)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, to: Colour | None = None, *,
            opacity: float = 1.0, blur: float = 0.0, round_: float = 0.0) -> None:  # fmt: skip
        """Fill a rectangle; `round_` is the corner radius as a share of the frame height."""
        ry = min(round_, (y1 - y0) / 2)
        rx = min(ry * self.height / self.width, (x1 - x0) / 2)
        points: list[tuple[float, float]] = []
        for cx, cy, start in (
            (x1 - rx, y1 - ry, 0.0),
            (x0 + rx, y1 - ry, 0.5),
            (x0 + rx, y0 + ry, 1.0),
            (x1 - rx, y0 + ry, 1.5),
        ):
            for step in range(7):
                angle = np.pi * (start + 0.5 * step / 6)
                points.append((cx + rx * float(np.cos(angle)), cy + ry * float(np.sin(angle))))
        self.polygon(points, colour, to, opacity=opacity, blur=blur)

    def line(self, points: Sequence[tuple[float, float]], colour: Colour, *, thick: float, opacity: float = 1.0,
             blur: float = 0.0) -> None:  # fmt: skip
        """Draw a line through frame points; `thick` is a share of the frame height."""
        corners, pixels = self._fixed(points), max(1, round(thick * self.height))
        self.shape(
            lambda mask: _stroke(mask, corners, pixels), colour, opacity=opacity, blur=blur,
        )  # fmt: skip

    def ridge(self, heights: Floats, colour: Colour, to: Colour | None = None, *, opacity: float = 1.0) -> None:
        """Fill everything below a line; `heights` is the frame y of every column, float32 [w]."""
        pixels = self.top + heights * self.height
        rows = np.arange(self.cover.shape[0], dtype=np.float32)[:, None]
        self.blend(np.clip(rows - pixels[None, :] + 0.5, 0, 1) * opacity, colour, to, top=float(heights.min()))

    def blend(self, cover: Floats, colour: Colour, to: Colour | None = None, *, top: float = 0.0) -> None:
        """Blend a colour (or a vertical gradient from `top` to the bottom) by a cover map, float32 [h, w]."""
        fall = np.clip((self.ys - top) / max(0.05, 1 + MARGIN - top), 0, 1)[:, None, None]
        paint = np.array(colour, np.float32) * (1 - fall) + np.array(to or colour, np.float32) * fall
        share, below = cover[..., None], self.cover[..., None]
        after = share + below * (1 - share)
        self.colour = np.asarray(
            (paint * share + self.colour * below * (1 - share)) / np.maximum(after, 1e-4), np.float32
        )
        self.cover = np.asarray(after[..., 0], np.float32)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float = 0.5) -> None:
        """Add light around a point; `radius` is a share of the frame height."""
        dx = (self.xs - x) * self.width / self.height
        distance = (dx[None, :] ** 2 + (self.ys - y)[:, None] ** 2) / (radius * radius)
        light = np.exp(-distance).astype(np.float32) * strength
        self.colour += light[..., None] * np.array(colour, np.float32)

    def texture(self, rng: np.random.Generator, strength: float, *, cells: float = 20, stretch: float = 1.0) -> None:
        """Vary the brightness by noise, so that no area is dead flat."""
        grain = noise(rng, *self.cover.shape, cells=cells, octaves=3, stretch=stretch)
        self.colour *= (1 + strength * (grain - 0.5))[..., None]

    def plate(self, depth: float, *, drift_px_s: float = 0.0,
              sway: Callable[[float], tuple[float, float]] | None = None) -> Plate:  # fmt: skip
        """Return the finished layer, cut to what is painted."""
        colour, cover = np.clip(self.colour, 0, 1), np.clip(self.cover, 0, 1)
        if self.opaque:
            dither = np.random.default_rng(7).random(cover.shape, dtype=np.float32)[..., None] - 0.5
            picture = Cutout(np.clip(colour * 255 + 0.5 + dither, 0, 255).astype(np.uint8), None)
            return Plate(picture, -self.left, -self.top, depth, drift_px_s, sway)
        x, y, wide, high = cv2.boundingRect((cover > 0.004).astype(np.uint8))
        part = (slice(y, y + max(1, high)), slice(x, x + max(1, wide)))
        return Plate(Cutout.of(colour[part], cover[part]), x - self.left, y - self.top, depth, drift_px_s, sway)

    def _fixed(self, points: Sequence[tuple[float, float]]) -> NDArray[np.int32]:
        flat = np.array(points, np.float64) * (self.width, self.height) + (self.left, self.top)
        return np.round(flat * (1 << _SHIFT)).astype(np.int32).reshape(-1, 1, 2)


def _fill(mask: NDArray[np.uint8], corners: NDArray[np.int32]) -> None:
    cv2.fillPoly(mask, [corners], 255, lineType=cv2.LINE_AA, shift=_SHIFT)


def _stroke(mask: NDArray[np.uint8], corners: NDArray[np.int32], pixels: int) -> None:
    cv2.polylines(mask, [corners], False, 255, pixels, lineType=cv2.LINE_AA, shift=_SHIFT)
