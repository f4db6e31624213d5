"""Space: nebula and stars, a planet from orbit, and a lensed black hole."""

from __future__ import annotations

import cv2
import numpy as np

from worker.storyboard.backdrop import Backdrop, Setting
from worker.storyboard.layers import Cutout, Element, Picture, View, lay
from worker.storyboard.motes import Motes
from worker.storyboard.sheet import Colour, Sheet, mix, noise, rgb

NEBULAE = (("#2b1055", "#7597de", "#ff6ec7"), ("#0b2447", "#19a7ce", "#a5f1e9"), ("#1b0b3a", "#c850c0", "#ffcc70"))


def space(setting: Setting) -> Backdrop:
    """Paint a nebula with stars in three depths and a far planet."""
    sheet = _nebula(setting, NEBULAE[setting.rng.integers(len(NEBULAE))], strength=0.85)
    planet = setting.sheet()
    side = 0.12 if setting.rng.random() < 0.5 else 0.88
    base = rgb(("#e8a87c", "#6ba5d8", "#c38dd0")[setting.rng.integers(3)])
    _ball(planet, setting.rng, side, 0.23, 0.12, base)
    return Backdrop(
        (sheet.plate(0.0), *_stars(setting), planet.plate(0.45, sway=lambda t: (0.0, 3 * np.sin(t * 0.5)))), dark=True
    )


def globe(setting: Setting) -> Backdrop:
    """Paint the curve of the Earth from orbit, with atmosphere and clouds."""
    sheet = _nebula(setting, ("#050a1f", "#123a6b", "#2b6cb0"), strength=0.45)
    earth = setting.sheet()
    x, y, radius = 0.5, 1.62, 1.06
    high, wide = earth.cover.shape
    dx = (earth.xs - x)[None, :] * setting.width / setting.height
    dy = (earth.ys - y)[:, None]
    distance = np.sqrt(dx * dx + dy * dy)
    inside = np.clip((radius - distance) * setting.height / 1.5, 0, 1).astype(np.float32)
    lands = noise(setting.rng, high, wide, cells=3.2, octaves=5, stretch=1.7)
    clouds = noise(setting.rng, high, wide, cells=5, octaves=5, stretch=3.0)
    land = np.clip((lands - 0.53) * 14, 0, 1)[..., None]
    colour = np.array(rgb("#0f4c9c"), np.float32) * (1 - land) + np.array(rgb("#3f8f4f"), np.float32) * land
    white = np.clip((clouds - 0.56) * 4, 0, 0.85)[..., None]
    colour = colour * (1 - white) + 0.96 * white
    depth_in = np.clip((radius - distance) / 0.5, 0, 1)[..., None]
    light = np.clip(1.15 - depth_in * 0.75, 0.3, 1.2)
    rim = np.exp(-(((distance - radius + 0.01) / 0.03) ** 2))[..., None]
    earth.colour = (colour * light + rim * np.array(rgb("#7cc8ff"), np.float32) * 0.6).astype(np.float32)
    earth.cover = inside
    air = setting.sheet()
    haze = np.exp(-np.clip(distance - radius, 0, None) / 0.045) * 0.75
    air.colour[:] = rgb("#58b4ff")
    air.cover = haze.astype(np.float32)
    return Backdrop((sheet.plate(0.0), *_stars(setting), air.plate(0.35), earth.plate(0.35)), dark=True)


def black_hole(setting: Setting) -> Backdrop:
    """Paint a black hole whose disk turns, over a star field."""
    sheet = _nebula(setting, ("#070412", "#2a1550", "#7b2f5c"), strength=0.5)
    x = 0.5 + float(setting.rng.uniform(-0.06, 0.06))
    return Backdrop((sheet.plate(0.0), *_stars(setting), BlackHole(setting, x=x, y=0.40)), dark=True, middle_taken=True)


class BlackHole:
    """A shadow with a thin photon ring and an accretion disk seen at a low angle, its far side lifted by gravity.

    Source: the look of Luminet 1979 (Astron. Astrophys. 75, 228): direct image below, lensed far side above,
    one side brighter by Doppler beaming. Not a ray trace: the far side's image is an arch of analytic shape.
    """

    SCALE = 3  # painted at a third of the frame and enlarged: it is soft light

    def __init__(self, setting: Setting, *, x: float, y: float) -> None:
        self.width, self.height, self.depth = setting.width, setting.height, 0.4
        high, wide = setting.height // self.SCALE, setting.width // self.SCALE
        ys, xs = np.mgrid[0:high, 0:wide].astype(np.float32) / high
        xs, ys = xs - x * wide / high, ys - y
        hole = 0.15
        tilt = 0.17
        radius = np.sqrt(xs**2 + (ys / tilt) ** 2)
        flat_angle = np.arctan2(ys / tilt, xs)
        round_ = np.sqrt(xs**2 + (ys * 1.02) ** 2)
        arch_radius = hole * 1.35 + (round_ - hole * 1.12) * 2.6
        arch_angle = np.arctan2(ys, xs)
        self._maps = (
            (flat_angle, radius, self._band(radius, hole * 1.75, hole * 4.4)),
            (arch_angle, arch_radius, self._band(round_, hole * 1.10, hole * 1.62)),
        )
        self._beam = np.clip(1.0 - xs / (hole * 5.5), 0.35, 1.6)
        front = (ys > 0) & (radius > hole * 1.75)
        shadow = np.clip((hole * 1.02 - round_) * high / 1.2, 0, 1)
        self._shadow = np.where(front & (self._maps[0][2] > 0.25), 0, shadow).astype(np.float32)
        self._ring = np.exp(-(((round_ - hole * 1.06) / (hole * 0.045)) ** 2)) * 0.95
        self._bloom = np.exp(-((xs / (hole * 3.2)) ** 2 + (ys / (hole * 1.5)) ** 2)) * 0.30
        self._texture = noise(setting.rng, 96, 512, cells=16, octaves=3, stretch=5.0) ** 1.4
        seam = np.linspace(0, 1, 96, dtype=np.float32)[None, :]
        self._texture[:, -96:] = self._texture[:, -96:] * (1 - seam) + self._texture[:, :96] * seam
        hold = 255 - cv2.convertScaleAbs(self._shadow, alpha=255)
        self._hold = cv2.merge([hold, hold, hold])

    @staticmethod
    def _band(radius: np.ndarray, inner: float, outer: float) -> np.ndarray:
        rise = np.clip((radius - inner) / (inner * 0.12), 0, 1)
        fall = np.clip((outer - radius) / (outer - inner), 0, 1) ** 1.5
        return (rise * fall).astype(np.float32)

    def draw(self, frame: Picture, view: View) -> None:
        light = self._bloom + self._ring
        for angle, radius, band in self._maps:
            turn = (angle / (2 * np.pi) - view.t_s * 0.05) % 1.0
            along = (turn * 415).astype(np.float32)
            across = np.clip(radius * 130, 0, 95).astype(np.float32)
            spun = cv2.remap(self._texture, along, across, cv2.INTER_LINEAR)
            light = light + band * (0.55 + 1.7 * spun) * self._beam
        glow = np.clip(light[..., None] * np.array((1.15, 0.66, 0.30), np.float32), 0, 1.6)
        glow = glow + np.clip(light - 0.75, 0, 1)[..., None] * np.array((0.2, 0.45, 0.7), np.float32)
        glow *= (1 - self._shadow)[..., None]
        colour = cv2.convertScaleAbs(glow, alpha=255)
        size = (self.width, self.height)
        full = cv2.resize(colour, size, interpolation=cv2.INTER_CUBIC)
        hold = cv2.resize(self._hold, size, interpolation=cv2.INTER_LINEAR)
        scale, dx, dy = view.at(self.depth)
        lay(
            frame,
            Cutout(np.asarray(full, np.uint8), np.asarray(hold, np.uint8)),
            np.array([[scale, 0, dx], [0, scale, dy]]),
        )


def _nebula(setting: Setting, colours: tuple[str, str, str], *, strength: float) -> Sheet:
    sheet = setting.sheet(opaque=True)
    shape = sheet.cover.shape
    deep, mid, hot = (np.array(rgb(code), np.float32) for code in colours)
    warp = noise(setting.rng, *shape, cells=2.2, octaves=5)
    veil = noise(setting.rng, *shape, cells=3.4, octaves=5)
    dust = noise(setting.rng, *shape, cells=6, octaves=4)
    body = np.clip((warp - 0.42) * 2.2, 0, 1)[..., None] * strength
    core = (np.clip((warp * veil - 0.30) * 3.2, 0, 1) ** 1.6)[..., None] * strength
    light = np.array((0.012, 0.014, 0.045), np.float32) + deep * 0.35 + mid * body * 0.55 + hot * core * 0.75
    sheet.colour = np.asarray(light * (1 - 0.45 * np.clip(dust - 0.45, 0, 1) * 2)[..., None], np.float32)
    points = setting.rng.random(shape, dtype=np.float32)
    faint = cv2.GaussianBlur((points > 0.9990).astype(np.float32), (0, 0), 0.7) * 2.0
    sheet.colour += faint[..., None] * setting.rng.random((*shape, 1), dtype=np.float32)
    return sheet


def _stars(setting: Setting) -> tuple[Element, ...]:
    return tuple(
        Motes(
            setting.rng,
            count=count,
            kind="twinkle",
            colour=colour,
            height=setting.height,
            size=size,
            depth=depth,
            strength=1.0,
            speed=0.08,
        )
        for count, colour, size, depth in (
            (34, (0.85, 0.9, 1.0), (0.0014, 0.0028), 0.15),
            (12, (1.0, 0.93, 0.8), (0.003, 0.0052), 0.3),
        )
    )


def _ball(sheet: Sheet, rng: np.random.Generator, x: float, y: float, radius: float, base: Colour) -> None:
    dx = (sheet.xs - x)[None, :] * sheet.width / sheet.height / radius
    dy = (sheet.ys - y)[:, None] / radius
    square = dx * dx + dy * dy
    inside = np.clip((1 - np.sqrt(square)) * radius * sheet.height / 1.5, 0, 1).astype(np.float32)
    depth = np.sqrt(np.clip(1 - square, 0, 1))
    light = np.clip(-0.55 * dx - 0.5 * dy + 0.65 * depth, 0.05, 1.1)
    bands = noise(rng, *sheet.cover.shape, cells=9, octaves=4, stretch=8)
    colour = np.array(base, np.float32) * (0.72 + 0.55 * bands)[..., None]
    sheet.colour = (colour * light[..., None] + np.array(mix(base, (1, 1, 1), 0.5), np.float32) * 0.04).astype(
        np.float32
    )
    sheet.cover = inside
