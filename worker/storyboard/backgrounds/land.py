"""Open country: sky, meadow, forest, mountains, desert, snow, road, castle hill, storm."""

from __future__ import annotations

import numpy as np

from worker.storyboard.backdrop import Backdrop, Setting
from worker.storyboard.backgrounds.scenery import HAZE, ground, lit, ridge_line, sky
from worker.storyboard.layers import Element
from worker.storyboard.motes import Motes, Rain
from worker.storyboard.sheet import Colour, Sheet, mix, rgb


def sky_day(setting: Setting) -> Backdrop:
    """Paint an open sky above far hills."""
    return _open_sky(setting, "day")


def sky_dusk(setting: Setting) -> Backdrop:
    """Paint an evening sky above far hills."""
    return _open_sky(setting, "dusk")


def sky_night(setting: Setting) -> Backdrop:
    """Paint a starry night over dark hills to stand on."""
    far = [*sky(setting, "night", clouds=0.4), *_hills(setting, "night", ("#4c6a9c", "#3a5078"))]
    return Backdrop((*far, ground(setting, "night", (rgb("#6a8a70"), rgb("#2c4038")), top=0.70)), floor=0.72, dark=True)


def storm(setting: Setting) -> Backdrop:
    """Paint heavy clouds, rain and a wet plain."""
    far = [*sky(setting, "storm", clouds=2.4), *_hills(setting, "storm", ("#5c7a70", "#4c6a5c"))]
    plain = ground(setting, "storm", (rgb("#7d9a76"), rgb("#3c5040")), top=0.70)
    return Backdrop((*far, plain), (Rain(setting.rng, count=110),), floor=0.72)


def meadow(setting: Setting) -> Backdrop:
    """Paint green hills, a field and flowers."""
    hour = setting.hour
    field = setting.sheet()
    field.ridge(
        ridge_line(setting.rng, field, base=0.72, reach=0.05, cells=2, sharp=False),
        lit(rgb("#8fd05a"), hour),
        lit(rgb("#2f7d3b"), hour),
    )
    field.texture(setting.rng, 0.16, cells=30, stretch=5)
    for _ in range(46):
        x, y = setting.rng.uniform(-0.1, 1.1), setting.rng.uniform(0.74, 1.05)
        size = 0.003 + 0.012 * (y - 0.70)
        petal = (rgb("#ffffff"), rgb("#ffd34d"), rgb("#ff8fb1"))[setting.rng.integers(3)]
        field.ellipse(float(x), float(y), size * 1.6, size, lit(petal, hour), opacity=0.9)
    bits = Motes(
        setting.rng, count=14, kind="drift", colour=(1, 1, 0.85), height=setting.height, strength=0.5, speed=0.03
    )
    far: list[Element] = [*sky(setting, hour), *_hills(setting, hour, ("#7fb8a4", "#6fbf6a")), _grove(setting, hour)]
    return Backdrop((*far, field.plate(0.75), bits), floor=0.73, dark=hour == "night")


def forest(setting: Setting) -> Backdrop:
    """Paint three rows of trees that fade into light mist."""
    hour = setting.hour
    layers = sky(setting, hour, clouds=0.3)
    haze = HAZE[hour]
    for row in range(3):
        sheet = setting.sheet()
        tone = mix(lit(rgb("#2f6b43"), hour), haze, 0.62 - 0.26 * row)
        foot = 0.62 + 0.05 * row
        for column in range(15 - 3 * row):
            x = -0.08 + column * 1.16 / (14 - 3 * row) + float(setting.rng.uniform(-0.025, 0.025))
            high = float(setting.rng.uniform(0.30, 0.46)) * (0.8 + 0.22 * row)
            _conifer(sheet, x, foot + 0.05, high, tone)
        sheet.ridge(np.full(sheet.cover.shape[1], foot + 0.03, np.float32), tone, mix(tone, haze, 0.3))
        layers.append(sheet.plate(0.2 + 0.2 * row))
    moss = ground(setting, hour, (rgb("#6f9a4c"), rgb("#2c4a2c")), top=0.71, texture=0.25)
    specks = Motes(
        setting.rng, count=22, kind="rise", colour=(1.0, 0.95, 0.6), height=setting.height, strength=0.6, speed=0.02
    )
    return Backdrop((*layers, moss), (specks,), floor=0.73, dark=hour == "night")


def mountains(setting: Setting) -> Backdrop:
    """Paint three ridges, the farthest with snow, over a valley."""
    hour = setting.hour
    layers = sky(setting, hour, clouds=0.7)
    haze = HAZE[hour]
    for row, (base, reach, cells, code) in enumerate(
        ((0.66, 0.42, 4, "#6d7fa8"), (0.70, 0.26, 5, "#54708c"), (0.74, 0.13, 6, "#4c7a5c"))
    ):
        sheet = setting.sheet()
        tone = mix(lit(rgb(code), hour), haze, 0.35 - 0.14 * row)
        line = ridge_line(setting.rng, sheet, base=base, reach=reach, cells=cells, sharp=True)
        sheet.ridge(line, tone, mix(tone, haze, 0.6))
        if row == 0:
            _snow_caps(sheet, line, setting, hour)
        layers.append(sheet.plate(0.12 + 0.2 * row))
    valley = ground(setting, hour, (rgb("#8dbb5e"), rgb("#3d6b3a")), top=0.72)
    return Backdrop((*layers, valley), floor=0.74, dark=hour == "night")


def desert(setting: Setting) -> Backdrop:
    """Paint dunes with a bright and a shaded side."""
    hour = "dusk" if setting.hour == "day" and setting.rng.random() < 0.4 else setting.hour
    layers = sky(setting, hour, clouds=0.3)
    for row, code in enumerate(("#e8c48a", "#dca860", "#c98b45")):
        sheet = setting.sheet()
        line = ridge_line(
            setting.rng, sheet, base=0.66 + 0.05 * row, reach=0.14 - 0.03 * row, cells=2 + row, sharp=False
        )
        sheet.ridge(line, lit(mix(rgb(code), (1, 1, 1), 0.15), hour), lit(mix(rgb(code), (0.3, 0.1, 0), 0.25), hour))
        sheet.texture(setting.rng, 0.08, cells=40, stretch=7)
        layers.append(sheet.plate(0.3 + 0.2 * row))
    dust = Motes(
        setting.rng,
        count=20,
        kind="drift",
        colour=(1, 0.85, 0.6),
        height=setting.height,
        strength=0.35,
        speed=0.08,
        top=0.4,
    )
    return Backdrop(tuple(layers), (dust,), floor=0.73, dark=hour == "night")


def snow(setting: Setting) -> Backdrop:
    """Paint white ridges under falling snow."""
    hour = setting.hour
    layers = sky(setting, hour, clouds=0.6)
    for row, (base, reach) in enumerate(((0.66, 0.26), (0.71, 0.1))):
        sheet = setting.sheet()
        tone = lit((rgb("#b8d4ea"), rgb("#d6e8f5"))[row], hour)
        sheet.ridge(
            ridge_line(setting.rng, sheet, base=base, reach=reach, cells=4, sharp=row == 0),
            mix(tone, (1, 1, 1), 0.4),
            tone,
        )
        layers.append(sheet.plate(0.2 + 0.25 * row))
    plain = ground(setting, hour, (rgb("#f4faff"), rgb("#a9c9e2")), top=0.71, texture=0.06)
    flakes = Motes(
        setting.rng, count=70, kind="fall", colour=(1, 1, 1), height=setting.height, strength=0.95, speed=0.1
    )
    return Backdrop((*layers, plain), (flakes,), floor=0.73, dark=hour == "night")


def road(setting: Setting) -> Backdrop:
    """Paint a stone-paved road that runs to the horizon between hills."""
    hour = setting.hour
    layers = [*sky(setting, hour), *_hills(setting, hour, ("#9ab58c", "#8fae5c"))]
    sheet = setting.sheet()
    sheet.ridge(np.full(sheet.cover.shape[1], 0.64, np.float32), lit(rgb("#a9b868"), hour), lit(rgb("#5f7a3a"), hour))
    sheet.texture(setting.rng, 0.15, cells=30, stretch=4)
    sheet.polygon(
        [(0.485, 0.64), (0.515, 0.64), (0.95, 1.12), (0.05, 1.12)], lit(rgb("#c9bfa8"), hour), lit(rgb("#94897a"), hour)
    )
    for row in range(22):
        near = (row / 21) ** 2.0
        y0, y1 = 0.645 + 0.46 * near, 0.645 + 0.46 * ((row + 0.82) / 21) ** 2.0
        half = 0.015 + 0.43 * (y0 - 0.64) / 0.48
        for stone in range(6):
            shift = (0.5 if row % 2 else 0.0) + float(setting.rng.uniform(-0.08, 0.08))
            a, b = (stone + shift) / 6.5, (stone + 0.88 + shift) / 6.5
            tone = mix(lit(rgb("#d8cfba"), hour), lit(rgb("#857a6c"), hour), float(setting.rng.random()) * 0.7)
            x0, x1 = 0.5 - half + 2 * half * a, 0.5 - half + 2 * half * b
            sheet.box(x0, y0, x1, y1, tone, mix(tone, (0.2, 0.18, 0.15), 0.25), round_=(y1 - y0) * 0.35)
    return Backdrop((*layers, sheet.plate(0.7)), floor=0.72, dark=hour == "night")


def castle(setting: Setting) -> Backdrop:
    """Paint a castle on a far hill above fields."""
    hour = setting.hour
    layers = sky(setting, hour)
    far = setting.sheet()
    haze = HAZE[hour]
    far.ridge(
        ridge_line(setting.rng, far, base=0.68, reach=0.14, cells=3, sharp=False),
        mix(lit(rgb("#6fa06a"), hour), haze, 0.35),
    )
    stone = mix(lit(rgb("#a7a3ad"), hour), haze, 0.22)
    at = 0.24 if setting.rng.random() < 0.5 else 0.76
    for dx, wide, top in (
        (-0.085, 0.035, 0.36),
        (0.085, 0.035, 0.34),
        (0.0, 0.05, 0.24),
        (-0.045, 0.03, 0.31),
        (0.05, 0.03, 0.29),
    ):
        far.box(
            at + dx - wide / 2,
            top,
            at + dx + wide / 2,
            0.66,
            mix(stone, (1, 1, 1), 0.15),
            mix(stone, (0.2, 0.2, 0.3), 0.2),
        )
        far.polygon(
            [(at + dx - wide * 0.65, top), (at + dx + wide * 0.65, top), (at + dx, top - 0.11)],
            lit(rgb("#b04a4a"), hour),
            lit(rgb("#7a2f3c"), hour),
        )
        far.box(at + dx - 0.004, top + 0.05, at + dx + 0.004, top + 0.09, mix(stone, (0, 0, 0.1), 0.7), round_=0.01)
    far.box(at - 0.11, 0.46, at + 0.11, 0.66, stone, mix(stone, (0.2, 0.2, 0.3), 0.25))
    for tooth in range(9):
        x = at - 0.11 + tooth * 0.0255
        far.box(x, 0.44, x + 0.015, 0.47, stone)
    far.ridge(
        ridge_line(setting.rng, far, base=0.70, reach=0.09, cells=3, sharp=False),
        lit(rgb("#79b066"), hour),
        lit(rgb("#4c8a4c"), hour),
    )
    field = ground(setting, hour, (rgb("#93c95e"), rgb("#3a7a3c")), top=0.71)
    return Backdrop((*layers, far.plate(0.35), field), floor=0.73, dark=hour == "night")


def _open_sky(setting: Setting, hour: str) -> Backdrop:
    layers = [*sky(setting, hour, clouds=1.5), *_hills(setting, hour, ("#86b4c8", "#7fb58a"), base=0.86)]
    return Backdrop(tuple(layers))


def _hills(setting: Setting, hour: str, codes: tuple[str, str], *, base: float = 0.70) -> list[Element]:
    plates: list[Element] = []
    for row, code in enumerate(codes):
        sheet = setting.sheet()
        tone = mix(lit(rgb(code), hour), HAZE[hour], 0.4 - 0.25 * row)
        line = ridge_line(setting.rng, sheet, base=base + 0.03 * row, reach=0.15 - 0.04 * row, cells=3, sharp=False)
        sheet.ridge(line, tone, mix(tone, HAZE[hour], 0.35))
        plates.append(sheet.plate(0.2 + 0.2 * row))
    return plates


def _grove(setting: Setting, hour: str) -> Element:
    sheet = setting.sheet()
    for side in (0.05, 0.95):
        for _ in range(5):
            x = side + float(setting.rng.uniform(-0.12, 0.12))
            size = float(setting.rng.uniform(0.035, 0.065))
            tone = lit(mix(rgb("#3f8f4a"), rgb("#7cc05a"), float(setting.rng.random())), hour)
            sheet.box(x - 0.003, 0.63, x + 0.003, 0.72, lit(rgb("#6b4a32"), hour))
            sheet.ellipse(x, 0.63, size, size * 1.15, mix(tone, (1, 1, 0.7), 0.22), mix(tone, (0, 0.1, 0.15), 0.3))
    return sheet.plate(0.55)


def _conifer(sheet: Sheet, x: float, foot: float, high: float, tone: Colour) -> None:
    for tier in range(4):
        top, low = foot - high * (1 - 0.2 * tier), foot - high * (0.58 - 0.19 * tier)
        half = high * (0.07 + 0.035 * tier)
        sheet.polygon([(x, top), (x + half * 0.62, low), (x - half * 0.62, low)], mix(tone, (1, 1, 1), 0.08), tone)


def _snow_caps(sheet: Sheet, line: np.ndarray, setting: Setting, hour: str) -> None:
    knots = setting.rng.random(len(line) // 9 + 2)
    wiggle = np.interp(np.arange(len(line)), np.arange(len(knots)) * 9, knots)
    depth = np.clip((0.47 - line) * 0.75, 0, 0.2) * (0.55 + 0.8 * wiggle)
    top = (line * sheet.height + sheet.top)[None, :]
    rows = np.arange(sheet.cover.shape[0], dtype=np.float32)[:, None]
    low = top + depth[None, :].astype(np.float32) * sheet.height
    cover = np.clip(rows - top + 0.5, 0, 1) * np.clip(low - rows + 0.5, 0, 1)
    sheet.blend((cover * 0.9).astype(np.float32), lit((1.0, 1.0, 1.0), hour), top=0.3)
