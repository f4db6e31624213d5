"""Great places: an ancient forum, a hall of columns, a gallery, a stage, a stadium."""

from __future__ import annotations

import math

from worker.storyboard.backdrop import Backdrop, Setting
from worker.storyboard.backgrounds.scenery import HAZE, ground, lit, sky
from worker.storyboard.layers import Element
from worker.storyboard.motes import Motes
from worker.storyboard.sheet import Colour, Sheet, mix, rgb


def ancient(setting: Setting) -> Backdrop:
    """Paint marble temples on a square in warm light."""
    hour = "dusk" if setting.hour == "dusk" else "day"
    layers: list[Element] = sky(setting, hour)
    far = setting.sheet()
    for x, size in ((0.16, 0.16), (0.84, 0.18), (0.5, 0.11)):
        _temple(far, x, 0.70, size, mix(lit(rgb("#e9dcc3"), hour), HAZE[hour], 0.45 if size < 0.15 else 0.15))
    layers.append(far.plate(0.35))
    square = ground(setting, hour, (rgb("#e6d3ac"), rgb("#a98a5e")), top=0.69, reach=0.005, texture=0.1)
    return Backdrop((*layers, square), floor=0.72)


def hall(setting: Setting) -> Backdrop:
    """Paint a panelled hall with columns and banners."""
    back = setting.sheet(opaque=True)
    back.sky([(-0.1, rgb("#4a3226")), (0.7, rgb("#8a5f42")), (1.1, rgb("#3a261c"))])
    back.glow(0.5, 0.25, 0.5, (1.0, 0.8, 0.5), 0.35)
    for panel in range(9):
        x = -0.06 + 0.125 * panel
        back.box(x, 0.08, x + 0.105, 0.64, rgb("#7a5238"), rgb("#5c3b28"), round_=0.02, opacity=0.8)
        back.box(x + 0.01, 0.11, x + 0.095, 0.61, rgb("#8f6444"), rgb("#6b4630"), round_=0.02, opacity=0.7)
    near = setting.sheet()
    for x in (0.03, 0.25, 0.75, 0.97):
        _column(near, x, 0.0, 0.70, 0.03, rgb("#efe6d6"))
    for x in (0.14, 0.86):
        near.box(x - 0.035, 0.06, x + 0.035, 0.40, setting.accent, mix(setting.accent, (0, 0, 0), 0.4))
        near.polygon([(x - 0.035, 0.40), (x + 0.035, 0.40), (x, 0.45)], mix(setting.accent, (0, 0, 0), 0.4))
    floor = _boards(setting, rgb("#a87850"), rgb("#5e3d28"), top=0.69)
    return Backdrop((back.plate(0.1), near.plate(0.4), floor), floor=0.72)


def gallery(setting: Setting) -> Backdrop:
    """Paint a museum wall with framed abstract pictures under spotlights."""
    back = setting.sheet(opaque=True)
    wall = (rgb("#39506b"), rgb("#6b3f4c"), rgb("#40604f"))[int(setting.rng.integers(3))]
    back.sky([(-0.1, mix(wall, (0, 0, 0), 0.25)), (0.5, wall), (1.1, mix(wall, (0, 0, 0), 0.3))])
    frames = setting.sheet()
    for x in (0.14, 0.5, 0.86):
        back.glow(x, 0.28, 0.30, (1.0, 0.9, 0.7), 0.30)
        half, high = 0.10 + 0.03 * (x == 0.5), 0.17
        frames.box(x - half, 0.32 - high, x + half, 0.32 + high, (0, 0, 0), opacity=0.4, blur=0.012)
        frames.box(x - half, 0.31 - high, x + half, 0.31 + high, rgb("#e8c46a"), rgb("#9a6c25"), round_=0.008)
        a, b = rgb(("#f6bd60", "#84a59d", "#a0c4ff", "#ffadad")[int(setting.rng.integers(4))]), rgb("#3d405b")
        frames.box(x - half + 0.012, 0.33 - high, x + half - 0.012, 0.29 + high, a, mix(a, b, 0.7))
        frames.ellipse(x + float(setting.rng.uniform(-0.04, 0.04)), 0.26, 0.045, 0.045, (1, 0.95, 0.8), a, opacity=0.9)
        points = [
            (x - half + 0.012 + k * (2 * half - 0.024) / 12, 0.36 + 0.03 * math.sin(k * 0.9 + x * 9)) for k in range(13)
        ]
        frames.polygon([*points, (x + half - 0.012, 0.29 + high), (x - half + 0.012, 0.29 + high)], mix(b, a, 0.3), b)
    floor = _boards(setting, rgb("#c79a6b"), rgb("#7a5433"), top=0.69)
    return Backdrop((back.plate(0.1), frames.plate(0.2), floor), floor=0.72)


def stage(setting: Setting) -> Backdrop:
    """Paint a stage with curtains and spotlights that swing."""
    back = setting.sheet(opaque=True)
    back.sky([(-0.1, rgb("#14081f")), (0.7, rgb("#3a1440")), (1.1, rgb("#120818"))])
    back.glow(0.5, 0.6, 0.5, mix(setting.accent, (1, 0.4, 0.6), 0.5), 0.35)
    layers: list[Element] = [back.plate(0.0)]
    for number, x in enumerate((0.2, 0.42, 0.6, 0.82)):
        beam = setting.sheet()
        tone = (setting.accent, (1.0, 0.9, 0.7), (0.6, 0.7, 1.0), (1.0, 0.5, 0.7))[number]
        aim = 0.5 + (x - 0.5) * 0.3
        beam.polygon(
            [(x - 0.008, -0.1), (x + 0.008, -0.1), (aim + 0.11, 0.76), (aim - 0.11, 0.76)],
            mix(tone, (1, 1, 1), 0.4),
            tone,
            opacity=0.26,
            blur=0.012,
        )
        reach, phase = setting.width * 0.03, number * 1.6
        layers.append(beam.plate(0.2, sway=lambda t, r=reach, p=phase: (r * math.sin(0.9 * t + p), 0.0)))
    floor = _boards(setting, rgb("#8a5238"), rgb("#3a1f18"), top=0.69)
    curtain = setting.sheet()
    for side in (0, 1):
        for fold in range(6):
            x0 = -0.1 + fold * 0.045 if side == 0 else 1.1 - (fold + 1) * 0.045
            tone = mix(rgb("#b3202c"), rgb("#5e0d18"), 0.25 + 0.5 * (fold % 2))
            curtain.box(x0, -0.1, x0 + 0.05, 0.80, mix(tone, (1, 0.4, 0.4), 0.12), mix(tone, (0, 0, 0), 0.35))
    for fold in range(14):
        x = -0.1 + fold * 0.09
        curtain.ellipse(x + 0.04, -0.02, 0.095, 0.11, rgb("#7e1220"), rgb("#c22a38"))
    dust = Motes(
        setting.rng, count=26, kind="drift", colour=(1, 0.9, 0.8), height=setting.height, strength=0.45, speed=0.015
    )
    return Backdrop((*layers, floor, curtain.plate(0.55)), (dust,), floor=0.72, dark=True)


def stadium(setting: Setting) -> Backdrop:
    """Paint a pitch before full stands and floodlights."""
    hour = "night" if setting.hour == "night" else "day"
    layers: list[Element] = sky(setting, hour, clouds=0.6)
    stands = setting.sheet()
    stands.polygon(
        [(-0.1, 0.28), (0.25, 0.36), (0.75, 0.36), (1.1, 0.28), (1.1, 0.68), (-0.1, 0.68)],
        lit(rgb("#6b7690"), hour),
        lit(rgb("#39415c"), hour),
    )
    for _ in range(700):
        x, y = float(setting.rng.uniform(-0.1, 1.1)), float(setting.rng.uniform(0.39, 0.62))
        tone = (rgb("#ffd166"), rgb("#ef476f"), rgb("#e8eef5"), rgb("#4cc9f0"))[int(setting.rng.integers(4))]
        stands.box(x, y, x + 0.006, y + 0.012, mix(tone, (0.2, 0.2, 0.35), 0.35), round_=0.005)
    stands.box(-0.1, 0.63, 1.1, 0.675, setting.accent, mix(setting.accent, (0, 0, 0), 0.25))
    for x in (0.1, 0.9):
        stands.box(x - 0.004, 0.1, x + 0.004, 0.4, rgb("#aab2c0"))
        stands.box(x - 0.04, 0.07, x + 0.04, 0.13, rgb("#eef4ff"), rgb("#c8d4e6"), round_=0.01)
        stands.glow(x, 0.1, 0.12, (1, 1, 0.95), 0.5)
    pitch = setting.sheet()
    for stripe in range(6):
        y0, y1 = 0.675 + 0.42 * (stripe / 6) ** 1.5, 0.675 + 0.42 * ((stripe + 1) / 6) ** 1.5
        tone = lit(rgb("#5fb84f") if stripe % 2 else rgb("#4ca343"), hour)
        pitch.box(-0.1, y0, 1.1, y1 + 0.002, tone)
    pitch.line([(-0.1, 0.72), (1.1, 0.72)], (1, 1, 1), thick=0.005, opacity=0.8)
    pitch.line([(0.3, 0.72), (0.22, 0.86), (0.78, 0.86), (0.7, 0.72)], (1, 1, 1), thick=0.006, opacity=0.75)
    flashes = Motes(
        setting.rng,
        count=22,
        kind="twinkle",
        colour=(1, 1, 1),
        height=setting.height,
        size=(0.003, 0.006),
        strength=0.8,
        top=0.38,
        bottom=0.62,
        depth=0.3,
        speed=0.15,
    )
    return Backdrop((*layers, stands.plate(0.35), flashes, pitch.plate(0.75)), floor=0.73, dark=hour == "night")


def _temple(sheet: Sheet, x: float, foot: float, size: float, tone: Colour) -> None:
    top = foot - size * 1.75
    shade = mix(tone, (0.35, 0.25, 0.2), 0.35)
    sheet.polygon([(x - size, top), (x + size, top), (x, top - size * 0.5)], mix(tone, (1, 1, 1), 0.3), tone)
    sheet.box(x - size * 0.97, top, x + size * 0.97, top + size * 0.14, tone, shade)
    sheet.box(x - size * 0.84, top + size * 0.14, x + size * 0.84, foot, mix(shade, (0.1, 0.08, 0.1), 0.45))
    for number in range(6):
        _column(sheet, x - size * 0.82 + number * size * 0.328, top + size * 0.14, foot, size * 0.075, tone)
    sheet.box(x - size * 1.05, foot - size * 0.08, x + size * 1.05, foot + 0.03, tone, shade)


def _column(sheet: Sheet, x: float, top: float, foot: float, half: float, tone: Colour) -> None:
    shade = mix(tone, (0.35, 0.25, 0.25), 0.4)
    sheet.box(x - half, top, x + half, foot, mix(tone, (1, 1, 1), 0.15), tone)
    sheet.box(x + half * 0.3, top, x + half, foot, shade, opacity=0.5, blur=0.003)
    for flute in (-0.5, -0.1, 0.3):
        sheet.box(x + half * flute, top, x + half * (flute + 0.1), foot, shade, opacity=0.35)
    sheet.box(x - half * 1.35, top, x + half * 1.35, top + half * 0.9, tone, shade)
    sheet.box(x - half * 1.35, foot - half * 0.9, x + half * 1.35, foot, tone, shade)


def _boards(setting: Setting, near: Colour, far: Colour, *, top: float) -> Element:
    """Return a wooden floor in perspective."""
    sheet = setting.sheet()
    sheet.box(-0.1, top, 1.1, 1.1, mix(far, near, 0.4), near)
    for number in range(-14, 15):
        x = 0.5 + number * 0.05
        sheet.line([(x, top), (0.5 + number * 0.16, 1.1)], far, thick=0.003, opacity=0.5)
    sheet.box(-0.1, top - 0.012, 1.1, top + 0.006, mix(far, (0, 0, 0), 0.2))
    sheet.texture(setting.rng, 0.12, cells=12, stretch=0.4)
    return sheet.plate(0.75)
