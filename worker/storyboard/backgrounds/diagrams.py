"""Pictures of ideas: chart, coins, network, circuit, contour lines, sound waves, map. No numbers, no claims."""

from __future__ import annotations

import math
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.storyboard.backdrop import Backdrop, Setting
from worker.storyboard.backgrounds.scenery import ridge_line
from worker.storyboard.layers import Element, Picture, View
from worker.storyboard.motes import Motes
from worker.storyboard.sheet import Colour, Sheet, mix, noise, rgb

_SHIFT = 4


class Trace:
    """A line that draws itself, with a bright head; frame points."""

    def __init__(
        self, points: list[tuple[float, float]], colour: Colour, *, seconds: float, thick: float, loop: bool = False
    ) -> None:
        self.points = np.array(points, np.float64)
        self.colour, self.seconds, self.thick, self.loop = tuple(round(255 * c) for c in colour), seconds, thick, loop

    def draw(self, frame: Picture, view: View) -> None:
        scale, dx, dy = view.at(0.35)
        placed = self.points * (view.width, view.height) * scale + (dx, dy)
        along = view.t_s / self.seconds
        reach = (along % 1.0 if self.loop else 1 - (1 - min(1.0, along)) ** 2) * (len(placed) - 1)
        last = int(reach)
        head = placed[last] + (placed[min(last + 1, len(placed) - 1)] - placed[last]) * (reach - last)
        pixels = max(2, round(self.thick * view.height))
        if not self.loop:
            line: NDArray[np.int32] = np.round(np.vstack([placed[: last + 1], head]) * (1 << _SHIFT)).astype(np.int32)
            cv2.polylines(frame, [line.reshape(-1, 1, 2)], False, self.colour, pixels, cv2.LINE_AA, _SHIFT)
        at = (round(head[0] * 16), round(head[1] * 16))
        cv2.circle(frame, at, round(pixels * 1.5 * 16), self.colour, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(frame, at, round(pixels * 0.8 * 16), (255, 255, 255), -1, cv2.LINE_AA, _SHIFT)


class Waves:
    """Sound waves that travel across the frame."""

    def __init__(self, colours: list[Colour]) -> None:
        self.colours = [tuple(round(255 * c) for c in colour) for colour in colours]

    def draw(self, frame: Picture, view: View) -> None:
        xs = np.linspace(0, 1, 160)
        for number, colour in enumerate(self.colours):
            swell = 0.5 + 0.5 * math.sin(view.t_s * (1.1 + 0.3 * number) + number)
            height = (0.05 + 0.07 * swell) * np.sin(math.pi * xs) ** 1.5
            ys = 0.43 + height * np.sin(xs * (16 + 6 * number) - view.t_s * (3 + number) + number)
            line = np.round(np.stack([xs * view.width, ys * view.height], -1) * 16).astype(np.int32)
            cv2.polylines(
                frame,
                [line.reshape(-1, 1, 2)],
                False,
                colour,
                max(2, view.height // (150 + 40 * number)),
                cv2.LINE_AA,
                _SHIFT,
            )


def chart(setting: Setting) -> Backdrop:
    """Paint a grid with bars and a curve that rises."""
    back = _board(setting, "#0b1f3a", "#16406b")
    grid = setting.sheet()
    for k in range(9):
        grid.line([(-0.1, 0.08 + 0.08 * k), (1.1, 0.08 + 0.08 * k)], (0.6, 0.8, 1), thick=0.002, opacity=0.22)
    for k in range(14):
        grid.line([(0.04 + 0.075 * k, -0.1), (0.04 + 0.075 * k, 0.78)], (0.6, 0.8, 1), thick=0.002, opacity=0.14)
    for k in range(12):
        top = 0.74 - 0.05 - 0.36 * (k / 11) ** 2 - 0.03 * float(setting.rng.random())
        tone = mix(setting.accent, rgb("#3fa7d6"), 0.55)
        grid.box(
            0.06 + 0.075 * k,
            top,
            0.105 + 0.075 * k,
            0.75,
            mix(tone, (1, 1, 1), 0.15),
            mix(tone, rgb("#0b1f3a"), 0.6),
            round_=0.01,
            opacity=0.6,
        )
    grid.line([(0.02, 0.75), (0.98, 0.75)], (0.9, 0.95, 1), thick=0.005, opacity=0.8)
    curve = [(0.05 + 0.9 * k / 40, 0.68 - 0.50 * (k / 40) ** 2.1 + 0.012 * math.sin(k * 0.9)) for k in range(41)]
    return Backdrop(
        (back.plate(0.0), grid.plate(0.35), Trace(curve, setting.accent, seconds=3.5, thick=0.011)),
        floor=None,
        dark=True,
    )


def coins(setting: Setting) -> Backdrop:
    """Paint stacks of coins on a green ground, with glints."""
    back = _board(setting, "#0d3b2e", "#2f8f63")
    layers: list[Element] = [back.plate(0.0)]
    for row in range(2):
        sheet = setting.sheet()
        for k in range(9 - 2 * row):
            x = -0.02 + k * (0.13 + 0.04 * row) + float(setting.rng.uniform(-0.01, 0.01))
            count = 2 + int(setting.rng.integers(3)) + k // 2
            size, fade = 0.075 + 0.02 * row, 0.5 - 0.3 * row
            for coin in range(count):
                y = 0.80 + 0.13 * row - coin * size * 0.30
                sheet.ellipse(x, y + size * 0.22, size, size * 0.32, mix(rgb("#9a6a12"), rgb("#0d3b2e"), fade))
                sheet.ellipse(
                    x,
                    y,
                    size,
                    size * 0.32,
                    mix(rgb("#ffe08a"), rgb("#1d5f47"), fade),
                    mix(rgb("#e0a11e"), rgb("#1d5f47"), fade),
                )
                sheet.ellipse(
                    x,
                    y,
                    size * 0.72,
                    size * 0.21,
                    mix(rgb("#e0a11e"), rgb("#1d5f47"), fade),
                    mix(rgb("#ffe08a"), rgb("#1d5f47"), fade),
                )
        layers.append(sheet.plate(0.25 + 0.3 * row))
    glints = Motes(
        setting.rng,
        count=26,
        kind="twinkle",
        colour=(1, 0.9, 0.5),
        height=setting.height,
        size=(0.003, 0.008),
        strength=0.9,
        speed=0.1,
    )
    return Backdrop((*layers, glints), dark=True)


def network(setting: Setting) -> Backdrop:
    """Paint nodes in layers, with pulses that run along the links."""
    back = _board(setting, "#0a1030", "#24306e")
    sheet = setting.sheet()
    nodes = [
        [
            (0.08 + 0.21 * layer + float(setting.rng.uniform(-0.02, 0.02)), 0.12 + (k + 0.5) * 0.66 / count)
            for k in range(count)
        ]
        for layer, count in enumerate((4, 6, 5, 6, 3))
    ]
    pulses: list[Element] = []
    for left, right in pairwise(nodes):
        for a in left:
            for b in right:
                if setting.rng.random() < 0.6:
                    sheet.line([a, b], rgb("#7fa8ff"), thick=0.0025, opacity=0.35)
                    if setting.rng.random() < 0.35 and len(pulses) < 16:
                        steps = [(a[0] + (b[0] - a[0]) * k / 8, a[1] + (b[1] - a[1]) * k / 8) for k in range(9)]
                        pulses.append(
                            Trace(
                                steps,
                                setting.accent,
                                seconds=float(setting.rng.uniform(1.2, 2.6)),
                                thick=0.005,
                                loop=True,
                            )
                        )
    for layer in nodes:
        for x, y in layer:
            sheet.ellipse(x, y, 0.034, 0.034, rgb("#5f8bff"), opacity=0.25, blur=0.008)
            sheet.ellipse(x, y, 0.018, 0.018, rgb("#dfe8ff"), rgb("#6f95ff"))
    return Backdrop((back.plate(0.0), sheet.plate(0.35), *pulses), dark=True)


def circuit(setting: Setting) -> Backdrop:
    """Paint a circuit board with signals that run along its tracks."""
    back = _board(setting, "#06241f", "#0f5a4a")
    sheet = setting.sheet()
    pulses: list[Element] = []
    for number in range(30):
        x, y = float(setting.rng.integers(-2, 42)) / 40, float(setting.rng.integers(0, 22)) / 24
        points = [(x, y)]
        for _ in range(3):
            step, turn = float(setting.rng.uniform(0.05, 0.16)), int(setting.rng.integers(3)) - 1
            px, py = points[-1]
            points.append((px + step, py + turn * step * 0.9))
        sheet.line(points, rgb("#3fd0a4"), thick=0.004, opacity=0.42)
        for px, py in (points[0], points[-1]):
            sheet.ellipse(px, py, 0.011, 0.011, rgb("#e8d27a"), rgb("#b0913a"))
        if number % 2 == 0:
            fine = [
                (a[0] + (b[0] - a[0]) * k / 6, a[1] + (b[1] - a[1]) * k / 6)
                for a, b in pairwise(points)
                for k in range(6)
            ]
            pulses.append(
                Trace(
                    fine,
                    mix(setting.accent, (1, 1, 1), 0.3),
                    seconds=float(setting.rng.uniform(1.6, 3.2)),
                    thick=0.005,
                    loop=True,
                )
            )
    for x, y in ((0.1, 0.3), (0.9, 0.55)):
        sheet.box(x - 0.055, y - 0.09, x + 0.055, y + 0.09, rgb("#2a2f3a"), rgb("#14171e"), round_=0.008)
        for pin in range(6):
            sheet.box(x - 0.068, y - 0.08 + 0.03 * pin, x - 0.055, y - 0.068 + 0.03 * pin, rgb("#cfd6de"))
            sheet.box(x + 0.055, y - 0.08 + 0.03 * pin, x + 0.068, y - 0.068 + 0.03 * pin, rgb("#cfd6de"))
    return Backdrop((back.plate(0.0), sheet.plate(0.3), *pulses), dark=True)


def contours(setting: Setting) -> Backdrop:
    """Paint contour lines around a low point, and a bright point that rolls down to it."""
    sheet = setting.sheet(opaque=True)
    wobble = noise(setting.rng, *sheet.cover.shape, cells=2, octaves=2) - 0.5
    dx, dy = (sheet.xs - 0.56)[None, :] * 1.5, (sheet.ys - 0.52)[:, None] * 1.25
    height = np.sqrt(dx * dx + dy * dy) + 0.34 * wobble
    share = np.clip(height / 0.95, 0, 1)[..., None]
    deep, mid, high = (np.array(rgb(code), np.float32) for code in ("#12355b", "#7a3e9d", "#f0a35e"))
    blend = (
        deep * np.clip(1 - 2 * share, 0, 1) + mid * (1 - np.abs(2 * share - 1)) + high * np.clip(2 * share - 1, 0, 1)
    )
    steps = height * 13
    line = np.clip(1 - np.abs(steps - np.round(steps)) / 0.09, 0, 1)[..., None]
    sheet.colour = (blend * (0.72 + 0.06 * np.floor(steps % 2)[..., None]) + line * 0.22).astype(np.float32)
    path, x, y = [], 0.06, 0.10
    for k in range(40):
        path.append((x, y))
        pull = 0.085
        x, y = (
            x + (0.56 - x) * pull + 0.004 * math.sin(k * 0.5),
            y + (0.52 - y) * pull * 0.8 + 0.004 * math.cos(k * 0.5),
        )
    return Backdrop((sheet.plate(0.0), Trace(path, setting.accent, seconds=4.0, thick=0.008)), dark=True)


def waves(setting: Setting) -> Backdrop:
    """Paint waves of sound."""
    back = _board(setting, "#1a0b2e", "#5b2a86")
    tones = [mix(setting.accent, (1, 1, 1), 0.2), rgb("#ff8fd8"), rgb("#8fd0ff"), rgb("#c9a8ff")]
    sparks = Motes(
        setting.rng, count=24, kind="rise", colour=(1, 0.85, 1), height=setting.height, strength=0.5, speed=0.04
    )
    return Backdrop((back.plate(0.0), Waves(tones), sparks), dark=True)


def map_(setting: Setting) -> Backdrop:
    """Paint an old map of an invented coast, with a route that draws itself."""
    sheet = setting.sheet(opaque=True)
    lands = noise(setting.rng, *sheet.cover.shape, cells=2.4, octaves=5)
    level = np.clip((lands - 0.5) * 60, 0, 1)[..., None]
    paper = noise(setting.rng, *sheet.cover.shape, cells=9, octaves=4)[..., None]
    sea, land = np.array(rgb("#a9c6bd"), np.float32), np.array(rgb("#ecd6a4"), np.float32)
    shore = np.exp(-(((lands - 0.5) / 0.012) ** 2))[..., None]
    band = np.exp(-(((lands - 0.47) / 0.03) ** 2))[..., None] * (1 - level)
    sheet.colour = ((sea * (1 - level) + land * level) * (0.88 + 0.2 * paper) - shore * 0.35 + band * 0.06).astype(
        np.float32
    )
    for k in range(1, 8):
        sheet.line([(k / 8, -0.1), (k / 8, 1.1)], rgb("#8a6a42"), thick=0.0015, opacity=0.3)
        sheet.line([(-0.1, k / 7), (1.1, k / 7)], rgb("#8a6a42"), thick=0.0015, opacity=0.3)
    start = float(setting.rng.uniform(0.55, 0.7))
    route = [(0.08 + 0.84 * k / 40, start - 0.35 * k / 40 + 0.05 * math.sin(k * 0.35)) for k in range(41)]
    return Backdrop((sheet.plate(0.1), Trace(route, rgb("#b3342f"), seconds=4.5, thick=0.008)))


def _board(setting: Setting, low: str, high: str) -> Sheet:
    sheet = setting.sheet(opaque=True)
    sheet.sky([(-0.1, rgb(high)), (1.1, rgb(low))])
    sheet.glow(float(setting.rng.uniform(0.25, 0.75)), 0.25, 0.6, mix(rgb(high), (1, 1, 1), 0.3), 0.22)
    line = ridge_line(setting.rng, sheet, base=0.95, reach=0.2, cells=2, sharp=False)
    sheet.ridge(line, mix(rgb(low), (0, 0, 0), 0.3), opacity=0.4)
    return sheet
