"""Water: the sea from above, a beach, and under the surface."""

from __future__ import annotations

import math

import numpy as np

from worker.storyboard.backdrop import Backdrop, Setting
from worker.storyboard.backgrounds.scenery import HAZE, lit, ridge_line, sky
from worker.storyboard.layers import Element
from worker.storyboard.motes import Motes
from worker.storyboard.sheet import mix, rgb


def ocean(setting: Setting) -> Backdrop:
    """Paint rows of waves that roll, under the sky."""
    hour = setting.hour
    far: list[Element] = [*sky(setting, hour), *_swell(setting, hour, rows=(0, 1, 2))]
    return Backdrop(tuple(far), tuple(_swell(setting, hour, rows=(3, 4))), floor=0.72, dark=hour == "night")


def beach(setting: Setting) -> Backdrop:
    """Paint sand before the sea."""
    hour = setting.hour
    sand = setting.sheet()
    line = ridge_line(setting.rng, sand, base=0.755, reach=0.03, cells=2, sharp=False)
    sand.ridge(line - 0.012, (1, 1, 1), opacity=0.75)
    sand.ridge(line, lit(rgb("#f3dba4"), hour), lit(rgb("#d5ac68"), hour))
    sand.texture(setting.rng, 0.1, cells=60, stretch=3)
    return Backdrop(
        (*sky(setting, hour), *_swell(setting, hour, rows=(0, 1, 2)), sand.plate(0.8)), floor=0.74, dark=hour == "night"
    )


def underwater(setting: Setting) -> Backdrop:
    """Paint light rays in blue water over a reef."""
    back = setting.sheet(opaque=True)
    back.sky([(-0.1, rgb("#57d0e6")), (0.35, rgb("#1c86c4")), (1.1, rgb("#06264f"))])
    layers: list[Element] = [back.plate(0.0)]
    for ray in range(4):
        sheet = setting.sheet()
        x = 0.1 + 0.22 * ray + float(setting.rng.uniform(-0.05, 0.05))
        sheet.polygon(
            [(x, -0.1), (x + 0.07, -0.1), (x + 0.02, 0.85), (x - 0.16, 0.85)],
            (0.8, 1, 1),
            (0.3, 0.7, 0.9),
            opacity=0.16,
            blur=0.02,
        )
        phase, reach = ray * 1.9, setting.width * 0.02
        layers.append(sheet.plate(0.1, sway=lambda t, p=phase, r=reach: (r * math.sin(0.5 * t + p), 0.0)))
    for row in range(2):
        sheet = setting.sheet()
        tone = (rgb("#155a86"), rgb("#0c3a60"))[row]
        sheet.ridge(
            ridge_line(setting.rng, sheet, base=0.86 + 0.06 * row, reach=0.14, cells=4, sharp=False),
            mix(tone, (0.4, 0.8, 0.9), 0.15),
            tone,
        )
        for _ in range(12):
            x = float(setting.rng.uniform(-0.05, 1.05))
            high = float(setting.rng.uniform(0.06, 0.17))
            points = [(x + 0.012 * math.sin(k * 1.1 + x * 40), 0.9 + 0.05 * row - high * k / 6) for k in range(7)]
            sheet.line(
                points, mix(tone, (rgb("#2f9a7a"), rgb("#b8507a"))[int(setting.rng.integers(2))], 0.45), thick=0.012
            )
        phase = 1.3 * row
        layers.append(sheet.plate(0.3 + 0.3 * row, sway=lambda t, p=phase: (3 * math.sin(0.9 * t + p), 0.0)))
    bubbles = Motes(
        setting.rng,
        count=30,
        kind="rise",
        colour=(0.75, 0.95, 1),
        height=setting.height,
        size=(0.004, 0.012),
        speed=0.09,
        strength=0.7,
        hard=True,
    )
    return Backdrop(tuple(layers), (bubbles,), dark=True)


def _swell(setting: Setting, hour: str, *, rows: tuple[int, ...]) -> list[Element]:
    plates: list[Element] = []
    for row in rows:
        sheet = setting.sheet()
        tone = mix(lit(mix(rgb("#4aa8d8"), rgb("#0b4a86"), row / 4), hour), HAZE[hour], 0.22 - 0.055 * row)
        base = 0.56 + 0.05 * row + 0.012 * row * row
        if row == 0:
            line = np.full(sheet.cover.shape[1], base, np.float32)
        else:
            phase = float(setting.rng.uniform(0, 6))
            wave = np.sin(sheet.xs * (42 - 7 * row) + phase) + 0.4 * np.sin(sheet.xs * (71 - 9 * row) + phase * 2)
            line = (base + 0.006 * (1 + 0.55 * row) * wave).astype(np.float32)
        sheet.ridge(line, mix(tone, (1, 1, 1), 0.42), opacity=1.0)
        sheet.ridge(line + 0.004 + 0.002 * row, mix(tone, (1, 1, 1), 0.10), mix(tone, (0, 0.05, 0.2), 0.45))
        sheet.texture(setting.rng, 0.10, cells=40, stretch=9)
        reach, phase_t = setting.width * (0.006 + 0.005 * row), row * 1.4
        bob = setting.height * 0.004 * row
        plates.append(
            sheet.plate(
                0.3 + 0.14 * row,
                sway=lambda t, r=reach, p=phase_t, b=bob: (r * math.sin(0.8 * t + p), b * math.cos(1.1 * t + p)),
            )
        )
    return plates
