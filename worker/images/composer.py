"""The image backend `composer`: a scene painted from drawn parts. Not a diffusion model, and never shown as one.

It runs in under half a second on a plain machine, needs no weights, and knows about four hundred things and forty
places; what it does not know it writes as letters. It knows no task, no files.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from worker.images.staging import Part, Staging, staged
from worker.storyboard.backdrop import Backdrop, Setting
from worker.storyboard.backgrounds.catalogue import PAINTERS
from worker.storyboard.finish import Finish
from worker.storyboard.layers import Element, Picture, View
from worker.storyboard.lettering import Letters, drawable
from worker.storyboard.lexicon import HERE, Sprite
from worker.storyboard.props import Prop
from worker.storyboard.staging import ACCENTS

STILL_AT_S = 2.0  # by then everything has entered and stands


def available() -> str | None:
    """Return None: the drawn parts are shipped with this package; else what is missing."""
    return None if (HERE / "sprites" / "rocket.webp").is_file() else f"{Path(HERE) / 'sprites'} is empty"


def compose(
    prompt: str, *, width: int, height: int, seed: int, negative_prompt: str = "", style: str = ""
) -> tuple[Picture, Staging]:
    """Return the picture, uint8 [height, width, 3] RGB, and what it shows.

    Args:
        seed: the same prompt, size and seed give the same picture.
        style: colours by words such as `noir`, `vintage`, `warm`, `cold`.
    """
    staging = staged(f"{prompt} {style}" if "night" in style else prompt, negative_prompt=negative_prompt, seed=seed)
    rng = np.random.default_rng([seed, zlib.crc32(prompt.encode())])
    accent = ACCENTS[zlib.crc32(prompt.lower().encode()) % len(ACCENTS)]
    backdrop = PAINTERS[staging.background](Setting(width, height, rng, staging.hour, accent))
    props = _arranged(staging, backdrop, rng, width, height)
    elements: list[Element] = [*backdrop.far, *props, *backdrop.near]
    if text := drawable(staging.letters):
        alone = not staging.parts
        letters = Letters(
            text, x=0.5, y=0.46 if alone else 0.15, size=0.15 if alone else 0.11, width=width, height=height,
            enters_s=-9.0, max_width=0.8, underline=accent,
        )  # fmt: skip
        elements.append(letters)
    frame: Picture = np.zeros((height, width, 3), np.uint8)
    view = View(width, height, t_s=STILL_AT_S, zoom=1.02, pan_x_px=0.0, pan_y_px=0.0)
    for element in elements:
        element.draw(frame, view)
    return Finish.of(style, width=width, height=height, seed=seed).apply(frame, 0), staging


def _arranged(staging: Staging, backdrop: Backdrop, rng: np.random.Generator, width: int, height: int) -> list[Prop]:
    """Return the things at their places, farthest first: the main one in the middle, the others beside it."""
    low: list[Sprite] = []
    high: list[Sprite] = []
    for part in staging.parts:
        (low if _stands(part.sprite, backdrop) else high).extend([part.sprite] * part.count)
    props = [
        _prop(sprite, slot, len(row), row is low, backdrop, rng, width, height, busy=bool(low) and row is high)
        for row in (high, low)
        for slot, sprite in enumerate(row)
    ]
    return sorted(props, key=lambda prop: (prop.standing, prop.y))


def _stands(sprite: Sprite, backdrop: Backdrop) -> bool:
    return backdrop.floor is not None and sprite.place in {"ground", "water"}


def _columns(count: int) -> list[float]:
    """Return frame x of each slot, the main one first and nearest to the middle, its neighbours alternating."""
    spread = min(0.74, 0.3 * (count - 1))
    even = [0.5] if count == 1 else [0.5 - spread / 2 + spread * slot / (count - 1) for slot in range(count)]
    return sorted(even, key=lambda x: (round(abs(x - 0.5), 3), x))


def _prop(
    sprite: Sprite,
    slot: int,
    count: int,
    standing: bool,
    backdrop: Backdrop,
    rng: np.random.Generator,
    width: int,
    height: int,
    *,
    busy: bool,
) -> Prop:
    """Return one thing; `busy` says that others stand below it, so it keeps to the upper half."""
    x = _columns(count)[slot] + float(rng.uniform(-0.03, 0.03))
    if backdrop.middle_taken:
        x = 0.17 + 0.66 * (slot % 2) + float(rng.uniform(-0.04, 0.04))
    room = width * (0.52 if count == 1 else 0.98 / count)
    size = sprite.height_ratio * (1.35 if slot == 0 else 1.1) * (0.72 if busy or backdrop.middle_taken else 1.0)
    room *= 0.8 if busy else 1.05
    size_px = max(12, round(min(min(size, 0.6) * height, room)))
    ratio = size_px / height
    if standing and backdrop.floor is not None:
        near = 0.88 if slot == 0 else float(rng.uniform(0.76, 0.86))
        y = max(backdrop.floor + 0.06, near)
    elif sprite.place == "sky" or busy:
        y = 0.06 + ratio / 2 + float(rng.uniform(0.02, 0.1))
    else:
        y = 0.5 + (0.0 if count == 1 else float(rng.uniform(-0.14, 0.14)))
        y = min(max(y, ratio / 2 + 0.04), 0.94 - ratio / 2)
    if busy:
        x = (0.2, 0.8, 0.5, 0.35, 0.65)[slot % 5] + float(rng.uniform(-0.04, 0.04))
    margin = min(0.5, size_px / width / 2 + 0.015)
    return Prop(
        sprite,
        x=min(max(x, margin), 1 - margin),
        y=y,
        size_px=size_px,
        enters_s=0.0,
        phase=float(rng.random()) * 6.28,
        dark=backdrop.dark,
        standing=standing,
        flip=bool(rng.random() < 0.3) and slot > 0,
        depth=0.5,
    )


def told(parts: tuple[Part, ...]) -> str:
    """Return the parts in words, for the log."""
    return ", ".join(part.sprite.name if part.count == 1 else f"{part.count} {part.sprite.name}" for part in parts)
