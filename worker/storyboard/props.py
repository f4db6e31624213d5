"""Sprites on stage: loading, shadow or light behind them, the way they enter and idle."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

from schemas.states import FailureKind
from worker.context import TaskError
from worker.storyboard.layers import Cutout, Picture, View, lay
from worker.storyboard.lexicon import HERE, Sprite
from worker.storyboard.sheet import Floats

ENTER_S = 0.55


class Prop:
    """A sprite with its place in the frame.

    Args:
        x, y: frame point of its foot (ground, water) or its middle (the others).
        size_px: height in pixels.
        enters_s: seconds after the scene's begin.
        phase: where its idle movement starts, radians.
        dark: light behind it instead of a shadow.
    """

    def __init__(
        self, sprite: Sprite, *, x: float, y: float, size_px: int, enters_s: float, phase: float, dark: bool,
        standing: bool, flip: bool = False, depth: float = 0.7,
    ) -> None:  # fmt: skip
        self.sprite, self.x, self.y, self.size_px = sprite, x, y, size_px
        self.enters_s, self.phase, self.depth, self.standing = enters_s, phase, depth, standing
        colour, alpha = _pixels(sprite.name, size_px)
        if flip:
            colour, alpha = np.ascontiguousarray(colour[:, ::-1]), np.ascontiguousarray(alpha[:, ::-1])
        self._body = Cutout.of(colour, alpha)
        self._under = _ground_shadow(alpha) if standing else _halo(alpha, dark=dark)

    def draw(self, frame: Picture, view: View) -> None:
        age_s = view.t_s - self.enters_s
        if age_s <= 0:
            return
        grown = _overshoot(min(1.0, age_s / ENTER_S))
        scale, dx, dy = view.at(self.depth)
        foot_x, foot_y = scale * self.x * view.width + dx, scale * self.y * view.height + dy
        wave = math.sin(age_s * 1.9 + self.phase)
        high, wide = self._body.colour.shape[:2]
        if self.standing:
            squash = 1 + 0.014 * math.sin(age_s * 2.6 + self.phase)
            angle, lift = 0.022 * wave, 0.0
            grow_x, grow_y = scale * grown / squash, scale * grown * squash
            anchor = (wide / 2, high * 0.97)
        else:
            angle, lift = 0.05 * math.sin(age_s * 1.3 + self.phase), 0.035 * self.size_px * wave
            grow_x = grow_y = scale * grown * (1 + 0.012 * math.sin(age_s * 2.1))
            anchor = (wide / 2, high / 2)
        pad = (self._under.colour.shape[1] - wide) / 2
        if self.standing:
            flat = self._under.colour.shape[0] / 2
            below = _matrix(scale * grown, scale * grown, 0.0, (wide / 2 + pad, flat), (foot_x, foot_y))
        else:
            below = _matrix(grow_x, grow_y, angle, (anchor[0] + pad, anchor[1] + pad), (foot_x, foot_y + lift))
        lay(frame, self._under, below)
        lay(frame, self._body, _matrix(grow_x, grow_y, angle, anchor, (foot_x, foot_y + lift)))


@lru_cache(maxsize=48)
def _pixels(name: str, size_px: int) -> tuple[Floats, Floats]:
    """Return float32 RGB [h, w, 3] and alpha [h, w] of a sprite, cut to its outline and `size_px` high or wide."""
    path = HERE / "sprites" / f"{name}.webp"
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if image is None:
        raise TaskError("sprite_missing", f"cannot read the sprite {path}", kind=FailureKind.BUG)
    x, y, wide, high = cv2.boundingRect((image[..., 3] > 8).astype(np.uint8))
    cut = image[y : y + high, x : x + wide].astype(np.float32) / 255
    cut[..., :3] *= cut[..., 3:]
    factor = size_px / max(high, wide)
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    cut = np.clip(cv2.resize(cut, None, fx=factor, fy=factor, interpolation=way), 0, 1)
    cut = cv2.copyMakeBorder(cut, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    alpha = np.ascontiguousarray(cut[..., 3], np.float32)
    colour = cut[..., 2::-1] / np.maximum(alpha, 1e-3)[..., None]
    return np.clip(colour, 0, 1).astype(np.float32), alpha


def _halo(alpha: Floats, *, dark: bool) -> Cutout:
    """Return a soft light (dark scenes) or a soft drop shadow around an outline, padded by a third of its width."""
    pad = round(alpha.shape[1] * 0.33)
    wide = cv2.copyMakeBorder(alpha, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    small = cv2.resize(wide, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), max(1.0, alpha.shape[1] * (0.022 if not dark else 0.026)))
    soft = np.asarray(cv2.resize(soft, (wide.shape[1], wide.shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)
    if dark:
        return Cutout.of(np.full((*soft.shape, 3), (0.62, 0.76, 1.0), np.float32), soft * np.float32(0.36))
    moved = np.roll(soft, round(alpha.shape[0] * 0.045), axis=0) * np.float32(0.34)
    return Cutout.of(np.full((*soft.shape, 3), (0.04, 0.05, 0.12), np.float32), moved)


def _ground_shadow(alpha: Floats) -> Cutout:
    """Return the contact shadow of something that stands: a flat soft ellipse as wide as its foot."""
    high, wide = alpha.shape
    foot = alpha[int(high * 0.8) :].max(axis=0)
    span = max(0.25, float((foot > 0.3).mean()))
    pad = round(wide * 0.2)
    shadow = np.zeros((max(8, round(wide * 0.3)), wide + 2 * pad), np.uint8)
    middle = (shadow.shape[1] // 2, shadow.shape[0] // 2)
    cv2.ellipse(
        shadow, middle, (round(wide * span * 0.56), max(2, round(wide * span * 0.075))), 0, 0, 360, 255, -1, cv2.LINE_AA
    )
    soft = np.asarray(cv2.GaussianBlur(shadow, (0, 0), max(1.0, wide * 0.028)), np.float32) * np.float32(0.5 / 255)
    return Cutout.of(np.full((*soft.shape, 3), (0.03, 0.04, 0.09), np.float32), soft)


def _matrix(
    sx: float, sy: float, angle: float, anchor: tuple[float, float], to: tuple[float, float]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the affine that scales and turns about `anchor` and puts it at `to`."""
    cos, sin = math.cos(angle), math.sin(angle)
    a, b, c, d = sx * cos, -sy * sin, sx * sin, sy * cos
    return np.array([[a, b, to[0] - a * anchor[0] - b * anchor[1]], [c, d, to[1] - c * anchor[0] - d * anchor[1]]])


def _overshoot(done: float) -> float:
    """Return 0 -> 1 with a little spring. Source: Penner's easeOutBack with overshoot 1.4."""
    rest = done - 1
    return 1 + 2.4 * rest**3 + 1.4 * rest**2
