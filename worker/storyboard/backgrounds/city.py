"""The city by day and by night."""

from __future__ import annotations

from worker.storyboard.backdrop import Backdrop, Setting
from worker.storyboard.backgrounds.scenery import HAZE, lit, sky
from worker.storyboard.layers import Element
from worker.storyboard.motes import Motes
from worker.storyboard.sheet import Sheet, mix, rgb

FACADES = ("#7d8fb3", "#c98f7a", "#8fb0a9", "#d9b27c", "#9c8bb8", "#b7c3d6")


def city_day(setting: Setting) -> Backdrop:
    """Paint a skyline in three depths with a pavement to stand on."""
    return _city(setting, "dusk" if setting.hour == "dusk" else "day")


def city_night(setting: Setting) -> Backdrop:
    """Paint the skyline with lit windows."""
    return _city(setting, "night")


def _city(setting: Setting, hour: str) -> Backdrop:
    layers: list[Element] = sky(setting, hour, clouds=0.8)
    for row in range(3):
        sheet = setting.sheet()
        x = -0.12
        while x < 1.12:
            wide = float(setting.rng.uniform(0.045, 0.095)) * (0.75 + 0.2 * row)
            high = float(setting.rng.uniform(0.18, 0.44)) * (1.05 - 0.24 * row)
            tone = mix(lit(rgb(FACADES[int(setting.rng.integers(len(FACADES)))]), hour), HAZE[hour], 0.62 - 0.26 * row)
            top = 0.71 - high
            sheet.box(x, top, x + wide, 0.76, mix(tone, (1, 1, 1), 0.12), mix(tone, (0.1, 0.1, 0.25), 0.22))
            sheet.box(x + wide * 0.72, top, x + wide, 0.76, mix(tone, (0.05, 0.05, 0.2), 0.25), opacity=0.55)
            if setting.rng.random() < 0.3:
                sheet.box(x + wide * 0.47, top - 0.05, x + wide * 0.53, top, mix(tone, (0.1, 0.1, 0.2), 0.3))
            if row > 0:
                _windows(sheet, setting, x, top, wide, hour)
            x += wide + float(setting.rng.uniform(0.0, 0.02))
        layers.append(sheet.plate(0.2 + 0.2 * row))
    street = setting.sheet()
    street.box(-0.1, 0.715, 1.1, 0.80, lit(rgb("#cfd2d8"), hour), lit(rgb("#a9adb8"), hour))
    street.box(-0.1, 0.80, 1.1, 0.815, lit(rgb("#8d919c"), hour))
    street.box(-0.1, 0.815, 1.1, 1.1, lit(rgb("#5c6170"), hour), lit(rgb("#3f4350"), hour))
    for mark in range(9):
        street.box(-0.08 + 0.14 * mark, 0.925, 0.0 + 0.14 * mark, 0.94, lit(rgb("#e8e3c8"), hour), opacity=0.75)
    layers.append(street.plate(0.75))
    lights = Motes(
        setting.rng,
        count=18,
        kind="twinkle",
        colour=(1.0, 0.8, 0.45),
        height=setting.height,
        size=(0.006, 0.016),
        strength=0.4,
        top=0.5,
        bottom=0.74,
        depth=0.6,
    )
    return Backdrop((*layers, lights) if hour == "night" else tuple(layers), floor=0.73, dark=hour == "night")


def _windows(sheet: Sheet, setting: Setting, x: float, top: float, wide: float, hour: str) -> None:
    columns, step_y = 3, 0.035
    y = top + 0.025
    while y < 0.68:
        for column in range(columns):
            lamp = setting.rng.random() < (0.55 if hour == "night" else 0.3 if hour == "dusk" else 0.0)
            tone = (1.0, 0.84, 0.5) if lamp else lit(rgb("#bfe0f5"), hour) if hour != "night" else (0.10, 0.14, 0.28)
            left = x + wide * (0.12 + 0.2 * column)
            sheet.box(left, y, left + wide * 0.12, y + 0.017, tone, opacity=0.85 if lamp else 0.55)
        y += step_y
