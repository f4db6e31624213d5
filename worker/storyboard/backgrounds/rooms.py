"""Indoors: one plan, furnished as home, kitchen, market, laboratory, ward, classroom, library or workshop."""

from __future__ import annotations

from worker.storyboard.backdrop import Backdrop, Setting
from worker.storyboard.motes import Motes
from worker.storyboard.sheet import Colour, Sheet, mix, rgb

BOOKS = ("#c8553d", "#588b8b", "#f2b134", "#3d5a80", "#8e6c8a", "#6a994e", "#e0d3b8")


def room(setting: Setting) -> Backdrop:
    """Paint a living room: window, picture, lamp."""
    wall = (rgb("#f1c9a5"), rgb("#bcd4c6"), rgb("#c9c4e3"), rgb("#f0d9a8"))[int(setting.rng.integers(4))]
    back, near = _walls(setting, wall)
    _window(near, 0.2, 0.12, 0.2, 0.34, night=setting.hour == "night")
    near.box(0.72, 0.16, 0.86, 0.38, rgb("#ffffff"), round_=0.01)
    near.box(0.735, 0.185, 0.845, 0.355, mix(setting.accent, (1, 1, 1), 0.3), mix(setting.accent, (0.1, 0.1, 0.3), 0.5))
    near.box(0.945, 0.36, 0.95, 0.69, rgb("#8a6a4f"))
    near.polygon([(0.915, 0.37), (0.98, 0.37), (0.965, 0.26), (0.93, 0.26)], rgb("#fff0c2"), rgb("#f2c879"))
    near.glow(0.947, 0.33, 0.16, (1, 0.8, 0.45), 0.25)
    return _furnished(setting, back, near, rgb("#c08a5c"))


def bedroom(setting: Setting) -> Backdrop:
    """Paint a bedroom at night: moon in the window, a string of lights."""
    back, near = _walls(setting, rgb("#2f3a6e"))
    _window(near, 0.62, 0.10, 0.24, 0.36, night=True)
    near.glow(0.74, 0.25, 0.35, (0.45, 0.55, 1.0), 0.22)
    for bulb in range(12):
        x = 0.02 + bulb * 0.05
        y = 0.12 + 0.05 * (1 - ((bulb % 6) - 2.5) ** 2 / 6.25)
        near.ellipse(x, y, 0.009, 0.009, (1, 0.9, 0.6))
        near.glow(x, y, 0.03, (1, 0.75, 0.35), 0.35)
    return _furnished(setting, back, near, rgb("#5a4a78"), dark=True, motes=True)


def kitchen(setting: Setting) -> Backdrop:
    """Paint a kitchen: tiles, shelf with jars, a worktop to put things on."""
    back, near = _walls(setting, rgb("#f4ead8"))
    tint = (rgb("#7fb7be"), rgb("#e9a178"), rgb("#9cc69b"))[int(setting.rng.integers(3))]
    for row in range(5):
        for column in range(20):
            tone = mix(tint, (1, 1, 1), 0.55 + 0.2 * float(setting.rng.random()))
            near.box(
                -0.1 + column * 0.062,
                0.36 + row * 0.066,
                -0.043 + column * 0.062,
                0.42 + row * 0.066,
                tone,
                round_=0.006,
            )
    _shelf(near, setting, 0.04, 0.38, 0.26, jars=True)
    _shelf(near, setting, 0.64, 0.97, 0.26, jars=True)
    near.box(0.495, -0.1, 0.505, 0.08, rgb("#555555"))
    near.polygon(
        [(0.44, 0.16), (0.56, 0.16), (0.52, 0.07), (0.48, 0.07)], setting.accent, mix(setting.accent, (0, 0, 0), 0.3)
    )
    near.glow(0.5, 0.2, 0.22, (1, 0.9, 0.6), 0.3)
    return _topped(setting, back, near, rgb("#d9a066"))


def table(setting: Setting) -> Backdrop:
    """Paint a laid table in front of a softly lit room."""
    back, near = _walls(setting, rgb("#a5533f"))
    for _ in range(9):
        x, y = float(setting.rng.uniform(0, 1)), float(setting.rng.uniform(0.08, 0.45))
        near.ellipse(x, y, 0.05, 0.05, (1, 0.8, 0.5), opacity=0.22, blur=0.012)
    return _topped(setting, back, near, rgb("#b5793f"), cloth=setting.accent)


def market(setting: Setting) -> Backdrop:
    """Paint market stalls with striped awnings."""
    back = setting.sheet(opaque=True)
    back.sky([(-0.1, rgb("#7cc3ee")), (0.6, rgb("#f8e7c4")), (1.1, rgb("#e8cfa0"))])
    near = setting.sheet()
    near.box(-0.1, 0.30, 1.1, 0.70, rgb("#b98a62"), rgb("#8a5f42"))
    for stall, x in enumerate((-0.08, 0.33, 0.74)):
        tone = (setting.accent, rgb("#e4572e"), rgb("#2e86ab"))[stall]
        near.box(x + 0.01, 0.34, x + 0.34, 0.60, rgb("#5e3f2c"), rgb("#3f2a1e"))
        for crate in range(4):
            cx = x + 0.045 + crate * 0.08
            near.box(cx - 0.036, 0.55, cx + 0.036, 0.66, rgb("#c99a63"), rgb("#94683c"))
            fruit = rgb(("#e63946", "#f4a261", "#8ac926", "#ffca3a")[(crate + stall) % 4])
            for k in range(5):
                near.ellipse(
                    cx - 0.026 + 0.013 * k, 0.55 - 0.008 * (k % 2), 0.017, 0.017, mix(fruit, (1, 1, 1), 0.25), fruit
                )
        for stripe in range(9):
            sx = x + stripe * 0.039
            near.polygon(
                [(sx + 0.006, 0.20), (sx + 0.036, 0.20), (sx + 0.039, 0.33), (sx, 0.33)],
                tone if stripe % 2 == 0 else rgb("#fff6e5"),
            )
            near.ellipse(sx + 0.0195, 0.33, 0.034, 0.024, tone if stripe % 2 == 0 else rgb("#fff6e5"))
    return _furnished(setting, back, near, rgb("#cdb48c"))


def laboratory(setting: Setting) -> Backdrop:
    """Paint a laboratory: shelves of flasks, a bench."""
    back, near = _walls(setting, rgb("#d3e6ee"))
    for y in (0.22, 0.42):
        for x0, x1 in ((0.03, 0.36), (0.64, 0.97)):
            _shelf(near, setting, x0, x1, y, jars=False)
    near.box(0.42, 0.10, 0.58, 0.36, rgb("#ffffff"), rgb("#dfe9ef"), round_=0.012)
    for k in range(4):
        near.box(0.44, 0.14 + 0.05 * k, 0.47 + 0.02 * ((k * 7) % 5), 0.155 + 0.05 * k, rgb("#7aa7c7"), round_=0.006)
    return _topped(setting, back, near, rgb("#f2f6f8"))


def hospital(setting: Setting) -> Backdrop:
    """Paint a bright ward: window, curtain rail, a monitor with a pulse line."""
    back, near = _walls(setting, rgb("#cfe9e4"))
    near.box(-0.1, 0.48, 1.1, 0.50, rgb("#6fb8ad"))
    _window(near, 0.10, 0.10, 0.22, 0.32, night=False)
    near.box(0.70, 0.12, 0.92, 0.36, rgb("#24343c"), rgb("#17242b"), round_=0.02)
    pulse = [
        (0.72, 0.25),
        (0.77, 0.25),
        (0.785, 0.20),
        (0.80, 0.31),
        (0.815, 0.17),
        (0.83, 0.27),
        (0.84, 0.25),
        (0.90, 0.25),
    ]
    near.line(pulse, rgb("#5fffa8"), thick=0.007)
    near.box(0.49, 0.12, 0.51, 0.30, rgb("#3fae8f"))
    near.box(0.45, 0.19, 0.55, 0.23, rgb("#3fae8f"))
    return _furnished(setting, back, near, rgb("#b9d3d0"))


def classroom(setting: Setting) -> Backdrop:
    """Paint a blackboard with chalk curves and shapes; no letters."""
    back, near = _walls(setting, rgb("#e9d3a8"))
    near.box(0.07, 0.05, 0.93, 0.60, rgb("#9a6a3c"), rgb("#6f4726"), round_=0.015)
    near.box(0.085, 0.075, 0.915, 0.575, rgb("#2f5d4a"), rgb("#234638"))
    chalk = (0.93, 0.95, 0.9)
    near.line([(0.12, 0.15), (0.12, 0.50), (0.30, 0.50)], chalk, thick=0.005, opacity=0.55)
    near.line([(0.12 + 0.012 * k, 0.49 - 0.0019 * k * k) for k in range(14)], (1, 0.85, 0.4), thick=0.006, opacity=0.65)
    near.line([(0.72, 0.48), (0.86, 0.48), (0.72, 0.28), (0.72, 0.48)], chalk, thick=0.005, opacity=0.55)
    near.line([(0.735, 0.48), (0.735, 0.455), (0.72, 0.455)], chalk, thick=0.004, opacity=0.5)
    near.line(
        [(0.80 + 0.035 * _cos(k), 0.18 + 0.062 * _sin(k)) for k in range(25)], (0.6, 0.85, 1), thick=0.005, opacity=0.6
    )
    near.box(0.10, 0.575, 0.90, 0.595, rgb("#b98550"))
    return _furnished(setting, back, near, rgb("#c59a63"), dark=False)


def library(setting: Setting) -> Backdrop:
    """Paint walls of books."""
    back = setting.sheet(opaque=True)
    back.sky([(-0.1, rgb("#3d2a1f")), (1.1, rgb("#5a3d2b"))])
    near = setting.sheet()
    for row in range(4):
        y = 0.14 + 0.18 * row
        near.box(-0.1, y - 0.16, 1.1, y, rgb("#33221a"), rgb("#22160f"))
        x = -0.1
        while x < 1.1:
            wide, high = float(setting.rng.uniform(0.010, 0.022)), float(setting.rng.uniform(0.09, 0.14))
            tone = mix(rgb(BOOKS[int(setting.rng.integers(len(BOOKS)))]), (0.2, 0.1, 0.05), 0.28)
            if setting.rng.random() < 0.92:
                near.box(x, y - high, x + wide, y, mix(tone, (1, 1, 1), 0.1), mix(tone, (0, 0, 0), 0.25), round_=0.004)
                near.box(x, y - high * 0.8, x + wide, y - high * 0.74, rgb("#e9c46a"), opacity=0.5)
            x += wide + 0.001
        near.box(-0.1, y, 1.1, y + 0.022, rgb("#8a5f3c"), rgb("#5e3d26"))
    near.glow(0.5, 0.3, 0.45, (1, 0.75, 0.4), 0.22)
    return _furnished(setting, back, near, rgb("#9a6b43"), motes=True)


def workshop(setting: Setting) -> Backdrop:
    """Paint a workshop wall with gears and pipes."""
    back, near = _walls(setting, rgb("#7c8794"))
    for x, y, radius in ((0.12, 0.22, 0.13), (0.24, 0.40, 0.09), (0.86, 0.25, 0.15), (0.74, 0.44, 0.08)):
        _gear(near, x, y, radius, mix(rgb("#b5793f"), rgb("#55606e"), float(setting.rng.random())))
    near.line(
        [(-0.1, 0.08), (0.45, 0.08), (0.45, 0.02), (0.62, 0.02), (0.62, 0.1), (1.1, 0.1)], rgb("#55606e"), thick=0.028
    )
    return _topped(setting, back, near, rgb("#9a6b43"))


def _walls(setting: Setting, wall: Colour) -> tuple[Sheet, Sheet]:
    back = setting.sheet(opaque=True)
    wall = mix(wall, (0.1, 0.13, 0.3), 0.6) if setting.hour == "night" else wall
    back.sky([(-0.1, mix(wall, (1, 1, 1), 0.12)), (0.7, wall), (1.1, mix(wall, (0, 0, 0), 0.2))])
    back.glow(0.5, 0.15, 0.7, (1, 0.95, 0.85), 0.12)
    back.texture(setting.rng, 0.03, cells=30)
    return back, setting.sheet()


def _furnished(
    setting: Setting, back: Sheet, near: Sheet, floor: Colour, *, dark: bool = False, motes: bool = False
) -> Backdrop:
    ground = setting.sheet()
    ground.box(-0.1, 0.68, 1.1, 1.1, mix(floor, (1, 1, 1), 0.1), mix(floor, (0, 0, 0), 0.35))
    for number in range(-12, 13):
        ground.line(
            [(0.5 + number * 0.055, 0.69), (0.5 + number * 0.17, 1.1)],
            mix(floor, (0, 0, 0), 0.4),
            thick=0.003,
            opacity=0.3,
        )
    ground.box(-0.1, 0.665, 1.1, 0.69, mix(floor, (1, 1, 1), 0.55), mix(floor, (1, 1, 1), 0.3))
    ground.ellipse(
        0.5, 0.82, 0.62, 0.10, mix(setting.accent, floor, 0.45), mix(setting.accent, (0, 0, 0), 0.4), opacity=0.5
    )
    extra = (
        (
            Motes(
                setting.rng,
                count=18,
                kind="drift",
                colour=(1, 0.9, 0.7),
                height=setting.height,
                strength=0.4,
                speed=0.012,
            ),
        )
        if motes
        else ()
    )
    return Backdrop(
        (back.plate(0.05), near.plate(0.25), ground.plate(0.7)), extra, floor=0.71, dark=dark or setting.hour == "night"
    )


def _topped(setting: Setting, back: Sheet, near: Sheet, top: Colour, *, cloth: Colour | None = None) -> Backdrop:
    """Return the room with a table or worktop across the picture, on which things stand."""
    bench = setting.sheet()
    bench.box(-0.1, 0.69, 1.1, 0.83, mix(top, (1, 1, 1), 0.25), top)
    bench.box(-0.1, 0.83, 1.1, 0.86, mix(top, (0, 0, 0), 0.25), mix(top, (0, 0, 0), 0.45))
    bench.box(-0.1, 0.86, 1.1, 1.1, mix(top, (0.1, 0.1, 0.2), 0.5), mix(top, (0.05, 0.05, 0.1), 0.7))
    bench.texture(setting.rng, 0.10, cells=9, stretch=7)
    if cloth is not None:
        bench.polygon(
            [(0.14, 0.70), (0.86, 0.70), (0.98, 0.83), (0.02, 0.83)],
            mix(cloth, (1, 1, 1), 0.55),
            mix(cloth, (1, 1, 1), 0.25),
            opacity=0.9,
        )
    steam = Motes(
        setting.rng,
        count=12,
        kind="rise",
        colour=(1, 1, 1),
        height=setting.height,
        size=(0.01, 0.02),
        strength=0.14,
        speed=0.05,
    )
    return Backdrop((back.plate(0.05), near.plate(0.25), bench.plate(0.7), steam), floor=0.72)


def _window(sheet: Sheet, x: float, y: float, wide: float, high: float, *, night: bool) -> None:
    sheet.box(x - 0.012, y - 0.02, x + wide + 0.012, y + high + 0.02, rgb("#fffaf0"), rgb("#e4dccb"), round_=0.01)
    low, top = (rgb("#31457f"), rgb("#0b1236")) if night else (rgb("#e8f6fb"), rgb("#6db6ea"))
    sheet.box(x, y, x + wide, y + high, top, low)
    if night:
        sheet.ellipse(x + wide * 0.68, y + high * 0.32, 0.035, 0.035, (1, 0.98, 0.88), (0.9, 0.88, 0.8))
    else:
        sheet.ellipse(x + wide * 0.4, y + high * 0.98, 0.13, 0.07, rgb("#86c27a"), rgb("#5f9f5c"))
        sheet.box(x, y + high, x + wide, y + high + 0.02, rgb("#fffaf0"))
    sheet.box(x + wide / 2 - 0.004, y, x + wide / 2 + 0.004, y + high, rgb("#fffaf0"))
    sheet.box(x, y + high / 2 - 0.007, x + wide, y + high / 2 + 0.007, rgb("#fffaf0"))


def _shelf(sheet: Sheet, setting: Setting, x0: float, x1: float, y: float, *, jars: bool) -> None:
    sheet.box(x0, y, x1, y + 0.022, rgb("#b98a5c") if jars else rgb("#9fb6c2"))
    x = x0 + 0.02
    while x < x1 - 0.035:
        tone = rgb(("#e76f51", "#2a9d8f", "#e9c46a", "#7b6fd0", "#4cc9f0", "#90be6d")[int(setting.rng.integers(6))])
        high = float(setting.rng.uniform(0.06, 0.105))
        if jars:
            sheet.box(x, y - high, x + 0.032, y, mix(tone, (1, 1, 1), 0.35), tone, round_=0.012)
            sheet.box(x + 0.004, y - high - 0.012, x + 0.028, y - high + 0.004, rgb("#7a5a3c"))
        else:
            sheet.polygon(
                [
                    (x + 0.012, y - high),
                    (x + 0.022, y - high),
                    (x + 0.024, y - high * 0.55),
                    (x + 0.036, y),
                    (x - 0.002, y),
                    (x + 0.010, y - high * 0.55),
                ],
                (0.92, 0.97, 1),
                opacity=0.85,
            )
            sheet.polygon(
                [
                    (x + 0.007, y - high * 0.38),
                    (x + 0.027, y - high * 0.38),
                    (x + 0.035, y - 0.003),
                    (x - 0.001, y - 0.003),
                ],
                mix(tone, (1, 1, 1), 0.2),
                tone,
                opacity=0.95,
            )
        x += float(setting.rng.uniform(0.045, 0.065))


def _gear(sheet: Sheet, x: float, y: float, radius: float, tone: Colour) -> None:
    ratio = sheet.height / sheet.width
    points: list[tuple[float, float]] = []
    for k in range(48):
        reach = radius * (1.0 if k % 4 < 2 else 0.84)
        points.append((x + ratio * reach * _cos(k / 2), y + reach * _sin(k / 2)))
    sheet.polygon(points, mix(tone, (1, 1, 1), 0.15), mix(tone, (0, 0, 0), 0.25))
    sheet.ellipse(x, y, radius * 0.5, radius * 0.5, mix(tone, (0, 0, 0), 0.35), mix(tone, (1, 1, 1), 0.1))
    sheet.ellipse(x, y, radius * 0.2, radius * 0.2, mix(tone, (0, 0, 0), 0.6))


def _cos(step: float) -> float:
    """Return the cosine of `step` 24ths of a turn."""
    import math

    return math.cos(math.tau * step / 24)


def _sin(step: float) -> float:
    """Return the sine of `step` 24ths of a turn."""
    import math

    return math.sin(math.tau * step / 24)
