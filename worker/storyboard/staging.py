"""One scene, ready to be drawn: its background painted, its sprites placed, its letters set."""

from __future__ import annotations

import re
import zlib

import numpy as np

from worker.storyboard.backdrop import Backdrop, Setting
from worker.storyboard.backgrounds.catalogue import PAINTERS
from worker.storyboard.camera import view_at
from worker.storyboard.layers import Element, Picture
from worker.storyboard.lettering import Letters, drawable
from worker.storyboard.motes import Motes
from worker.storyboard.props import Prop
from worker.storyboard.scenes import Actor, Scene
from worker.storyboard.sheet import Colour, rgb

ACCENTS = tuple(rgb(code) for code in ("#ffb703", "#4cc9f0", "#f72585", "#80ed99", "#ff7b54", "#b388ff", "#ffd166"))
CALM_Y = 0.79  # captions live below
TITLE_S = 3.4
_NIGHT = re.compile(r"\b(night|midnight|moonlight|darkness|bedtime|asleep)\b", re.IGNORECASE)
_DUSK = re.compile(r"\b(evening|sunset|dusk|sunrise|dawn|autumn|ancient|twilight)\b", re.IGNORECASE)
_DARK_STYLE = re.compile(r"\b(dark|noir|night|moody|neon|cyberpunk|spooky)\b", re.IGNORECASE)


class StagedScene:
    """A scene that can be drawn at any moment.

    Args:
        scene: what to show.
        title: shown over the scene's first seconds, or "".
        tone: decides the accent colour of the whole video (its title or topic).
    """

    def __init__(self, scene: Scene, *, width: int, height: int, style: str, title: str, tone: str) -> None:
        self.scene, self.width, self.height = scene, width, height
        rng = np.random.default_rng(scene.seed)
        accent = ACCENTS[zlib.crc32(tone.lower().encode()) % len(ACCENTS)]
        backdrop = PAINTERS[scene.background](Setting(width, height, rng, _hour(scene, style, rng), accent))
        letters = _letters(scene, width, height, accent, title=drawable(title))
        crowded = scene.lettering is not None or bool(title)
        props = _placed(scene, backdrop, rng, width, height, leave_room=crowded)
        dust = Motes(
            rng,
            count=14,
            kind="drift",
            colour=(1.0, 0.97, 0.88),
            height=height,
            size=(0.002, 0.005),
            speed=0.02,
            strength=0.3,
            depth=1.0,
        )
        self._elements: list[Element] = [*backdrop.far, *props, *backdrop.near, dust, *letters]

    def draw(self, t_s: float) -> Picture:
        """Return the frame at `t_s` seconds of the video, uint8 [H, W, 3]."""
        frame: Picture = np.zeros((self.height, self.width, 3), np.uint8)
        length_s = self.scene.end_s - self.scene.start_s
        local_s = t_s - self.scene.start_s
        view = view_at(self.scene.move, t_s=local_s, length_s=length_s, width=self.width, height=self.height)
        for element in self._elements:
            element.draw(frame, view)
        return frame


def _hour(scene: Scene, style: str, rng: np.random.Generator) -> str:
    if _NIGHT.search(scene.text) or _DARK_STYLE.search(style):
        return "night"
    if _DUSK.search(scene.text):
        return "dusk"
    return "dusk" if rng.random() < 0.25 else "day"


def _letters(scene: Scene, width: int, height: int, accent: Colour, *, title: str) -> list[Letters]:
    letters: list[Letters] = []
    hidden_s = 0.0
    if title:
        shown_s = min(TITLE_S, max(1.6, (scene.end_s - scene.start_s) * 0.7))
        hidden_s = shown_s
        letters.append(
            Letters(
                title,
                x=0.5,
                y=0.165,
                size=0.115,
                width=width,
                height=height,
                enters_s=0.0 - 0.2,
                leaves_s=shown_s,
                max_width=0.82,
                underline=accent,
            )
        )
    if scene.lettering is not None and (text := drawable(scene.lettering.text)):
        enters_s = scene.lettering.enters_s - scene.start_s
        if hidden_s and scene.actors:
            enters_s = max(enters_s, hidden_s)
        if enters_s < scene.end_s - scene.start_s - 0.8:
            alone = not scene.actors
            letters.append(
                Letters(
                    text,
                    x=0.5,
                    y=(0.5 if title else 0.42) if alone else 0.155,
                    size=0.15 if alone else 0.11,
                    width=width,
                    height=height,
                    enters_s=enters_s,
                    max_width=0.8,
                    underline=accent,
                )
            )
    return letters


def _placed(
    scene: Scene, backdrop: Backdrop, rng: np.random.Generator, width: int, height: int, *, leave_room: bool
) -> list[Prop]:
    """Return the sprites at their places: the first largest, beside the middle; the others around it."""
    count = len(scene.actors)
    flip = bool(rng.random() < 0.5)
    columns = {0: (), 1: (0.5,), 2: (0.34, 0.68), 3: (0.5, 0.21, 0.79)}[count]
    if backdrop.middle_taken:
        columns = (0.2, 0.82, 0.12)[:count]
    props: list[Prop] = []
    for number, (actor, column) in enumerate(zip(scene.actors, columns, strict=True)):
        x = (1 - column if flip else column) + float(rng.uniform(-0.02, 0.02))
        props.append(_prop(actor, number, count, x, scene, backdrop, rng, width, height, leave_room=leave_room))
    return sorted(props, key=lambda prop: (prop.standing, prop.y))


def _prop(
    actor: Actor,
    number: int,
    count: int,
    x: float,
    scene: Scene,
    backdrop: Backdrop,
    rng: np.random.Generator,
    width: int,
    height: int,
    *,
    leave_room: bool,
) -> Prop:
    sprite = actor.sprite
    size = sprite.height_ratio * (1.12 if count == 1 else 1.0 if number == 0 else 0.86) * (0.9 if leave_room else 1.0)
    size = min(size * (0.8 if backdrop.middle_taken else 1.0), 0.42 if leave_room else 0.56)
    standing = backdrop.floor is not None and sprite.place in {"ground", "water"}
    if standing and backdrop.floor is not None:
        y = min(CALM_Y, max(backdrop.floor + 0.05, CALM_Y - 0.02 - 0.03 * number))
    elif sprite.place == "sky":
        y = 0.27 + size * 0.2 + (0.08 if leave_room else 0.0) + float(rng.uniform(0, 0.05))
    else:
        y = (0.54 if leave_room else 0.43) + (0.05 if number else 0.0) + float(rng.uniform(-0.03, 0.03))
    if not standing:
        y = min(y, CALM_Y - size / 2 - 0.015)
    aspect = min(1.0, width / height / 1.4)
    return Prop(
        sprite,
        x=x,
        y=y,
        size_px=max(12, round(size * height * aspect)),
        enters_s=actor.enters_s - scene.start_s,
        phase=float(rng.random()) * 6.28,
        dark=backdrop.dark,
        standing=standing,
        depth=0.6 + 0.1 * (count - number),
    )
