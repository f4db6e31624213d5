"""The last touch on every frame: colour by style, vignette, a calm lower edge for captions, gentle grain."""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.storyboard.layers import Picture

GRAIN_TILES = 6
GRAIN_LEVELS = 5  # of 255, peak to peak: breaks up bands in gradients, costs little bitrate


@dataclass(frozen=True)
class Finish:
    """The look of a video, prepared once for its size.

    Attributes:
        curves: uint8 [1, 256, 3], one tone curve a channel.
        shade: uint8 [H, W, 3], what stays of the light.
        grain: uint8 tiles [H, W, 3].
        grey: share of colour taken away.
    """

    curves: NDArray[np.uint8]
    shade: Picture
    grain: tuple[Picture, ...]
    grey: float

    @classmethod
    def of(cls, style: str, *, width: int, height: int, seed: int) -> Finish:
        """Return the look that a style text asks for; unknown words change nothing."""
        warm = 0.05 if re.search(r"\b(warm|vintage|retro|sepia|cosy|cozy)\b", style, re.I) else 0.012
        warm = -0.05 if re.search(r"\b(cold|cool|cyberpunk|icy|noir)\b", style, re.I) else warm
        grey = 0.9 if re.search(r"\b(black and white|monochrome|noir)\b", style, re.I) else 0.0
        grey = 0.4 if re.search(r"\b(vintage|sepia|muted)\b", style, re.I) else grey
        level = np.linspace(0, 1, 256)
        contrast = level + 0.035 * np.sin((level - 0.5) * 2 * np.pi)
        curves = np.stack([contrast + warm * level, contrast, contrast - warm * level * 0.8], -1)
        xs, ys = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
        edge = np.clip((xs[None, :] ** 2 * 0.8 + ys[:, None] ** 2 * 0.7) - 0.35, 0, None)
        shade = 1 - 0.26 * edge - 0.10 * np.clip((ys[:, None] - 0.55) / 0.45, 0, 1)
        shade8 = np.repeat((shade * 255).astype(np.uint8)[..., None], 3, axis=2)
        rng = np.random.default_rng(seed)
        tiles = tuple(
            np.repeat(rng.integers(0, GRAIN_LEVELS, (height, width, 1), dtype=np.uint8), 3, axis=2)
            for _ in range(GRAIN_TILES)
        )
        return cls((np.clip(curves, 0, 1) * 255).astype(np.uint8)[None], shade8, tiles, grey)

    def apply(self, frame: Picture, number: int) -> Picture:
        """Return frame `number` finished, uint8 [H, W, 3]."""
        if self.grey:
            plain = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            frame = np.asarray(cv2.addWeighted(frame, 1 - self.grey, plain, self.grey, 0), np.uint8)
        toned = cv2.multiply(cv2.LUT(frame, self.curves), self.shade, scale=1 / 255)
        return np.asarray(cv2.add(toned, self.grain[(number * 5) % len(self.grain)]), np.uint8)
