"""Small things that move by themselves: stars that twinkle, snow, rain, bubbles, dust and sparks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from worker.storyboard.layers import Picture, View
from worker.storyboard.sheet import Colour

Kind = Literal["twinkle", "fall", "rise", "drift"]


@dataclass(frozen=True)
class Mote:
    """One of them; place and speed in shares of the frame height, size in pixels."""

    x: float
    y: float
    size_px: int
    speed: float
    phase: float
    strength: float


class Motes:
    """A cloud of soft light dots, added to the frame.

    Args:
        kind: `twinkle` stays, `fall` and `rise` cross the frame, `drift` floats sideways.
        size: dot radius as a share of the frame height, smallest and largest.
        speed: shares of the frame height a second.
        top, bottom: the band of the frame they live in.
    """

    def __init__(
        self, rng: np.random.Generator, *, count: int, kind: Kind, colour: Colour, height: int,
        size: tuple[float, float] = (0.003, 0.008), speed: float = 0.04, strength: float = 0.6, depth: float = 0.5,
        top: float = 0.0, bottom: float = 1.0, hard: bool = False,
    ) -> None:  # fmt: skip
        self.kind, self.depth, self.top, self.bottom = kind, depth, top, bottom
        self.motes = [
            Mote(float(rng.random()), float(rng.random()), max(1, round(height * rng.uniform(*size))),
                 speed * float(rng.uniform(0.5, 1.5)), float(rng.random()) * math.tau,
                 strength * float(rng.uniform(0.35, 1.0)))
            for _ in range(count)
        ]  # fmt: skip
        self._dots = {mote.size_px: _dot(mote.size_px, colour, hard=hard) for mote in self.motes}

    def draw(self, frame: Picture, view: View) -> None:
        scale, dx, dy = view.at(self.depth)
        band = self.bottom - self.top
        for mote in self.motes:
            x, y, strength = mote.x, mote.y, mote.strength
            wave = math.sin(view.t_s * 1.3 + mote.phase)
            match self.kind:
                case "twinkle":
                    strength *= 0.55 + 0.45 * math.sin(view.t_s * (2 + mote.speed * 20) + mote.phase)
                case "fall":
                    x, y = x + 0.015 * wave, y + mote.speed * view.t_s
                case "rise":
                    x, y = x + 0.012 * wave, y - mote.speed * view.t_s
                case "drift":
                    x, y = x + mote.speed * view.t_s, y + 0.02 * wave
            px = scale * (x % 1.0) * view.width + dx
            py = scale * (self.top + band * (y % 1.0)) * view.height + dy
            if strength > 0.02:
                _add(frame, self._dots[mote.size_px], px, py, strength)


class Rain:
    """Slanted streaks of rain."""

    def __init__(self, rng: np.random.Generator, *, count: int, strength: float = 0.35) -> None:
        self._drops = [(float(a), float(b), float(c)) for a, b, c in rng.random((count, 3))]
        self._strength = strength

    def draw(self, frame: Picture, view: View) -> None:
        streaks = np.zeros((view.height // 2, view.width // 2), np.uint8)
        high, wide = streaks.shape
        for x, y, near in self._drops:
            fall = (y + view.t_s * (1.1 + 0.9 * near)) % 1.2 - 0.1
            length = high * (0.03 + 0.04 * near)
            px, py = (x * 1.2 - 0.2 * fall) * wide, fall * high
            level = int(255 * self._strength * (0.4 + 0.6 * near))
            cv2.line(
                streaks, (round(px), round(py)), (round(px - length * 0.2), round(py + length)), level, 1, cv2.LINE_AA
            )
        full = cv2.resize(streaks, (view.width, view.height), interpolation=cv2.INTER_LINEAR)
        frame[:] = cv2.add(frame, cv2.merge([full, full, full]))


def _dot(size_px: int, colour: Colour, *, hard: bool) -> Picture:
    reach = size_px * 2 + 1
    axis = np.arange(-reach, reach + 1, dtype=np.float32)
    distance = np.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2) / size_px
    if hard:
        light = np.clip((1.1 - distance) * size_px / 1.5, 0, 1) * (0.35 + 0.65 * np.clip(distance, 0, 1) ** 3)
    else:
        light = np.exp(-(distance**2) * 1.6)
    return (light[..., None] * np.array(colour, np.float32) * 255).astype(np.uint8)


def _add(frame: Picture, dot: Picture, x: float, y: float, strength: float) -> None:
    reach = dot.shape[0] // 2
    left, top = round(x) - reach, round(y) - reach
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(frame.shape[1], left + dot.shape[1]), min(frame.shape[0], top + dot.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    part = cv2.convertScaleAbs(dot[y0 - top : y1 - top, x0 - left : x1 - left], alpha=strength)
    region = frame[y0:y1, x0:x1]
    region[:] = cv2.add(region, part)
