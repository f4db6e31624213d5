"""Abstract grounds for what has no place: soft shapes."""

from __future__ import annotations

import math

from worker.storyboard.backdrop import Backdrop, Setting
from worker.storyboard.layers import Element
from worker.storyboard.motes import Motes
from worker.storyboard.sheet import mix, rgb

PAIRS = (
    ("#4a1fb8", "#ff6f91"),
    ("#0b3c8c", "#1fb6c9"),
    ("#0b5e5e", "#8fd14f"),
    ("#5b2a9d", "#3f8cff"),
    ("#a8324a", "#ffb347"),
)


def soft(setting: Setting) -> Backdrop:
    """Paint a gradient with large soft shapes that float."""
    top, low = (rgb(code) for code in PAIRS[setting.rng.integers(len(PAIRS))])
    back = setting.sheet(opaque=True)
    back.sky([(-0.1, top), (1.1, low)])
    back.glow(0.75, 0.2, 0.6, mix(low, (1, 1, 1), 0.4), 0.35)
    far: list[Element] = [back.plate(0.0)]
    for number in range(5):
        sheet = setting.sheet()
        x, y = setting.rng.uniform(0.05, 0.95), setting.rng.uniform(0.1, 0.9)
        radius = setting.rng.uniform(0.12, 0.34)
        colour = mix(low if number % 2 else top, setting.accent if number == 0 else (1, 1, 1), 0.45)
        sheet.ellipse(
            x, y, radius, radius, mix(colour, (1, 1, 1), 0.2), colour, opacity=0.42, blur=0.004 + 0.02 * (number % 3)
        )
        phase, reach = number * 1.7, setting.height * 0.025
        far.append(
            sheet.plate(
                0.2 + 0.15 * number,
                sway=lambda t, p=phase, r=reach: (r * math.sin(0.6 * t + p), r * math.cos(0.5 * t + p)),
            )
        )
    far.append(Motes(setting.rng, count=16, kind="rise", colour=(1, 1, 1), height=setting.height, strength=0.35))
    return Backdrop(tuple(far), dark=True)
