"""The small world: cells, the bloodstream, neurons."""

from __future__ import annotations

import math

import numpy as np

from worker.storyboard.backdrop import Backdrop, Setting
from worker.storyboard.layers import Element
from worker.storyboard.motes import Motes
from worker.storyboard.sheet import Sheet, mix, noise, rgb


def cells(setting: Setting) -> Backdrop:
    """Paint soft cells with nuclei, floating at three depths."""
    low, high, body = (
        ("#0d4a52", "#3fb6a8", "#a8f0d0"),
        ("#3b1d5c", "#a45cc4", "#f3c2f0"),
        ("#0e3b66", "#3f8fc9", "#bfe6ff"),
    )[int(setting.rng.integers(3))]
    back = _liquid(setting, low, high)
    layers: list[Element] = [back.plate(0.0)]
    for number in range(7):
        sheet = setting.sheet()
        x, y = _spread(setting, number)
        size = float(setting.rng.uniform(0.09, 0.2)) * (0.7 + 0.1 * number)
        tone = rgb(body)
        sheet.ellipse(x, y, size, size * 0.93, mix(tone, (1, 1, 1), 0.2), mix(tone, rgb(low), 0.45), opacity=0.30)
        sheet.ellipse(x, y, size * 0.9, size * 0.83, mix(tone, rgb(high), 0.6), mix(tone, rgb(low), 0.6), opacity=0.42)
        sheet.ellipse(
            x + 0.01, y + 0.01, size * 0.34, size * 0.32, mix(rgb(low), (1, 0.6, 0.8), 0.35), rgb(low), opacity=0.8
        )
        for _ in range(6):
            a, r = setting.rng.uniform(0, 6.28), setting.rng.uniform(0.45, 0.75) * size
            sheet.ellipse(
                x + r * math.cos(a) * 0.56,
                y + r * math.sin(a),
                size * 0.07,
                size * 0.05,
                mix(tone, rgb(high), 0.3),
                opacity=0.7,
            )
        sheet.ellipse(x - size * 0.22, y - size * 0.45, size * 0.22, size * 0.10, (1, 1, 1), opacity=0.35, blur=0.004)
        layers.append(_floating(sheet, setting, number))
    bits = Motes(setting.rng, count=26, kind="rise", colour=rgb(body), height=setting.height, strength=0.5, speed=0.03)
    return Backdrop((*layers, bits), dark=True)


def blood(setting: Setting) -> Backdrop:
    """Paint red blood cells that flow through a vessel."""
    back = _liquid(setting, "#3d0610", "#b3202c")
    back.glow(0.5, 0.45, 0.42, (1.0, 0.45, 0.35), 0.4)
    layers: list[Element] = [back.plate(0.0)]
    for number in range(9):
        sheet = setting.sheet()
        x, y = _spread(setting, number)
        size = float(setting.rng.uniform(0.06, 0.10)) * (0.8 + 0.09 * number)
        flat = float(setting.rng.uniform(0.62, 0.95))
        sheet.ellipse(x, y, size, size * flat, rgb("#f0544f"), rgb("#8f1422"), opacity=0.95)
        sheet.ellipse(
            x, y + 0.006, size * 0.58, size * flat * 0.55, rgb("#8f1422"), rgb("#e2463f"), opacity=0.85, blur=0.006
        )
        sheet.ellipse(
            x - size * 0.2, y - size * flat * 0.62, size * 0.34, size * 0.09, (1, 0.85, 0.8), opacity=0.4, blur=0.004
        )
        speed = setting.width * (0.008 + 0.004 * (number % 4))
        layers.append(_floating(sheet, setting, number, drift_px_s=speed))
    return Backdrop(tuple(layers), dark=True)


def neurons(setting: Setting) -> Backdrop:
    """Paint glowing nerve cells whose branches meet, with sparks."""
    back = _liquid(setting, "#0b0a2a", "#3b2a7a")
    layers: list[Element] = [back.plate(0.0)]
    for number in range(5):
        sheet = setting.sheet()
        x, y = _spread(setting, number)
        tone = mix(rgb("#6fa8ff"), rgb("#ff7bd0"), float(setting.rng.random()))
        for _ in range(7):
            angle, px, py = float(setting.rng.uniform(0, 6.28)), x, y
            points = [(px, py)]
            for _ in range(9):
                angle += float(setting.rng.uniform(-0.45, 0.45))
                px, py = px + 0.030 * math.cos(angle) * 0.6, py + 0.034 * math.sin(angle)
                points.append((px, py))
            sheet.line(points, tone, thick=0.010, opacity=0.25, blur=0.006)
            sheet.line(points, mix(tone, (1, 1, 1), 0.3), thick=0.0035, opacity=0.8)
            sheet.ellipse(px, py, 0.008, 0.008, (1, 1, 1), tone, opacity=0.9)
        sheet.ellipse(x, y, 0.075, 0.07, tone, opacity=0.35, blur=0.02)
        sheet.ellipse(x, y, 0.036, 0.034, mix(tone, (1, 1, 1), 0.5), tone)
        layers.append(_floating(sheet, setting, number))
    sparks = Motes(
        setting.rng,
        count=40,
        kind="twinkle",
        colour=(0.8, 0.85, 1),
        height=setting.height,
        strength=0.9,
        depth=0.5,
        speed=0.12,
    )
    return Backdrop((*layers, sparks), dark=True)


def _liquid(setting: Setting, low: str, high: str) -> Sheet:
    sheet = setting.sheet(opaque=True)
    cloud = noise(setting.rng, *sheet.cover.shape, cells=2.5, octaves=3)[..., None]
    fall = np.clip(1 - sheet.ys, 0, 1)[:, None, None]
    share = np.clip(0.15 + 0.55 * cloud * fall + 0.15 * fall, 0, 1)
    sheet.colour = (np.array(rgb(low), np.float32) * (1 - share) + np.array(rgb(high), np.float32) * share).astype(
        np.float32
    )
    return sheet


def _spread(setting: Setting, number: int) -> tuple[float, float]:
    """Return a place away from the middle, where the sprites are; all around the frame in turn."""
    angle = number * 2.4 + float(setting.rng.uniform(-0.3, 0.3))
    return 0.5 + 0.42 * math.cos(angle), 0.46 + 0.38 * math.sin(angle)


def _floating(sheet: Sheet, setting: Setting, number: int, *, drift_px_s: float = 0.0) -> Element:
    phase, reach = number * 1.7, setting.height * 0.018
    return sheet.plate(
        0.15 + 0.09 * number, drift_px_s=drift_px_s,
        sway=lambda t: (reach * math.sin(0.7 * t + phase), reach * math.cos(0.55 * t + phase)),
    )  # fmt: skip
