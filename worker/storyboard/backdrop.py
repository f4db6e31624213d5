"""What a background painter gets and gives: the setting it paints in, and the layers it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from worker.storyboard.layers import Element
from worker.storyboard.sheet import Colour, Sheet


@dataclass(frozen=True)
class Setting:
    """What a background is painted for.

    Attributes:
        width, height: the frame, pixels.
        rng: the scene's own source of chance.
        hour: `day`, `dusk` or `night`.
        accent: the colour of this video.
    """

    width: int
    height: int
    rng: np.random.Generator
    hour: str
    accent: Colour

    def sheet(self, *, opaque: bool = False) -> Sheet:
        """Return an empty layer of the frame's size and margin."""
        return Sheet(self.width, self.height, opaque=opaque)


@dataclass(frozen=True)
class Backdrop:
    """A painted background.

    Attributes:
        far: layers behind the sprites, farthest first.
        near: layers before them.
        floor: frame y where things stand, or None where everything floats.
        dark: whether sprites need a light behind them instead of a shadow.
        middle_taken: whether the background itself is the thing to see, so that sprites keep to the sides.
    """

    far: tuple[Element, ...]
    near: tuple[Element, ...] = ()
    floor: float | None = None
    dark: bool = False
    middle_taken: bool = False


Painter = Callable[[Setting], Backdrop]
