"""What every outdoor background shares: sky by the hour, sun or moon, drifting clouds, ridges and grass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from worker.storyboard.backdrop import Setting
from worker.storyboard.layers import Element, Plate
from worker.storyboard.motes import Motes
from worker.storyboard.sheet import Colour, Floats, Sheet, mix, noise, rgb

SKIES: dict[str, Sequence[tuple[float, Colour]]] = {
    "day": ((-0.1, rgb("#2f7fd6")), (0.45, rgb("#8cc7f2")), (0.8, rgb("#e4f4fb"))),
    "dusk": ((-0.1, rgb("#3b2a6b")), (0.3, rgb("#b4548f")), (0.55, rgb("#f58f63")), (0.8, rgb("#ffd59a"))),
    "night": ((-0.1, rgb("#060a24")), (0.5, rgb("#16295c")), (0.85, rgb("#3c5a94"))),
    "storm": ((-0.1, rgb("#1f2a3a")), (0.5, rgb("#46566b")), (0.85, rgb("#8795a3"))),
}
HAZE: dict[str, Colour] = {
    "day": rgb("#d8ecf7"),
    "dusk": rgb("#f7b58a"),
    "night": rgb("#2a4078"),
    "storm": rgb("#6c7a89"),
}


def sky(setting: Setting, hour: str, *, clouds: float = 1.0, light_y: float = 0.2) -> list[Element]:
    """Return the layers of a sky: gradient, sun or moon, stars at night, two banks of clouds that drift."""
    back = setting.sheet(opaque=True)
    back.sky(SKIES[hour])
    side = (
        float(setting.rng.uniform(0.12, 0.26)) if setting.rng.random() < 0.5 else float(setting.rng.uniform(0.74, 0.88))
    )
    layers: list[Element] = []
    if hour == "day":
        back.glow(side, light_y, 0.28, (1.0, 0.95, 0.75), 0.30)
        back.glow(side, light_y, 0.075, (1.0, 0.98, 0.85), 1.0)
    elif hour == "dusk":
        back.glow(side, 0.52, 0.5, (1.0, 0.55, 0.25), 0.5)
        back.ellipse(side, 0.5, 0.075, 0.075, (1.0, 0.93, 0.7), (1.0, 0.75, 0.42))
    elif hour == "night":
        back.glow(side, light_y, 0.3, (0.5, 0.62, 0.95), 0.35)
        back.ellipse(side, light_y, 0.062, 0.062, (0.98, 0.97, 0.9), (0.85, 0.87, 0.9))
        back.ellipse(side - 0.008, light_y - 0.012, 0.014, 0.014, (0.86, 0.86, 0.82), opacity=0.7)
        back.ellipse(side + 0.012, light_y + 0.02, 0.010, 0.010, (0.80, 0.82, 0.82), opacity=0.7)
        layers.append(
            Motes(
                setting.rng,
                count=46,
                kind="twinkle",
                colour=(0.9, 0.94, 1),
                height=setting.height,
                size=(0.0014, 0.004),
                depth=0.05,
                strength=0.95,
                bottom=0.6,
                speed=0.06,
            )
        )
    return [back.plate(0.0), *layers, *_clouds(setting, hour, clouds)]


def _clouds(setting: Setting, hour: str, amount: float) -> list[Element]:
    tone = {
        "day": (1.0, 1.0, 1.0),
        "dusk": (1.0, 0.78, 0.72),
        "night": (0.35, 0.42, 0.66),
        "storm": (0.30, 0.34, 0.40),
    }[hour]
    under = mix(tone, {"day": (0.62, 0.74, 0.88), "dusk": (0.55, 0.3, 0.5)}.get(hour, (0.1, 0.12, 0.2)), 0.5)
    plates: list[Element] = []
    for bank in range(2):
        sheet = setting.sheet()
        for _ in range(round((3 + bank) * amount)):
            x, y = setting.rng.uniform(-0.05, 1.05), setting.rng.uniform(0.04, 0.36) + 0.03 * bank
            _cloud(
                sheet,
                setting.rng,
                float(x),
                float(y),
                float(setting.rng.uniform(0.045, 0.085)) * (1 - 0.25 * bank),
                tone,
                under,
            )
        plates.append(sheet.plate(0.12 + 0.12 * bank, drift_px_s=(0.004 + 0.005 * bank) * setting.width))
    return plates


def _cloud(
    sheet: Sheet, rng: np.random.Generator, x: float, y: float, size: float, tone: Colour, under: Colour
) -> None:
    puffs = [(x + size * float(rng.uniform(-1.0, 1.0)), float(rng.uniform(0.55, 1.0))) for _ in range(7)]
    flat = y + size * 0.45

    def draw(mask: np.ndarray) -> None:
        import cv2

        for px, share in puffs:
            radius = max(2, round(size * share * sheet.height * (1 - 0.35 * abs(px - x) / size)))
            centre = (
                round(px * sheet.width) + sheet.left,
                round((flat - size * share * 0.55) * sheet.height) + sheet.top,
            )
            cv2.circle(mask, centre, radius, 255, -1, cv2.LINE_AA)
        cut = round((flat + size * 0.06) * sheet.height) + sheet.top
        mask[cut:] = 0

    sheet.shape(draw, tone, under, opacity=0.92, blur=0.006)


def ridge_line(
    rng: np.random.Generator, sheet: Sheet, *, base: float, reach: float, cells: float, sharp: bool
) -> Floats:
    """Return a horizon, the frame y of every column, float32 [w]; `sharp` peaks or soft hills."""
    width = sheet.cover.shape[1]
    line = noise(rng, 8, width, cells=1, octaves=1)[0] * 0
    weight, count = 1.0, cells
    for _ in range(5 if sharp else 2):
        knots = rng.random(max(3, round(count)) + 2)
        places = np.linspace(0, width - 1, len(knots))
        step = np.interp(np.arange(width), places, knots)
        if not sharp:
            kernel = np.hanning(max(3, width // max(3, round(count)) | 1))
            step = np.convolve(np.pad(step, len(kernel) // 2, mode="edge"), kernel / kernel.sum(), mode="valid")[:width]
        line, weight, count = line + weight * step.astype(np.float32), weight * 0.45, count * 2.1
    line = (line - line.min()) / max(1e-3, float(line.max() - line.min()))
    return (base - reach * line).astype(np.float32)


def ground(
    setting: Setting,
    hour: str,
    colours: tuple[Colour, Colour],
    *,
    top: float,
    reach: float = 0.03,
    depth: float = 0.75,
    texture: float = 0.14,
) -> Plate:
    """Return the floor on which things stand, from `top` down."""
    sheet = setting.sheet()
    near, far = lit(colours[0], hour), lit(colours[1], hour)
    sheet.ridge(ridge_line(setting.rng, sheet, base=top + reach, reach=reach, cells=3, sharp=False), near, far)
    sheet.texture(setting.rng, texture, cells=26, stretch=4)
    return sheet.plate(depth)


def lit(colour: Colour, hour: str) -> Colour:
    """Return a colour as it looks at this hour."""
    match hour:
        case "dusk":
            return mix((colour[0] * 0.92, colour[1] * 0.72, colour[2] * 0.78), (0.70, 0.32, 0.42), 0.18)
        case "night":
            return mix((colour[0] * 0.34, colour[1] * 0.40, colour[2] * 0.55), (0.08, 0.14, 0.34), 0.4)
        case "storm":
            return mix((colour[0] * 0.55, colour[1] * 0.58, colour[2] * 0.62), (0.3, 0.35, 0.4), 0.3)
        case _:
            return colour
