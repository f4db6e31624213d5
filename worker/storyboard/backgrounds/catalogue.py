"""Every background by its name in `index.txt`."""

from __future__ import annotations

from collections.abc import Mapping

from worker.storyboard.backdrop import Painter
from worker.storyboard.backgrounds import abstract, space

PAINTERS: Mapping[str, Painter] = {
    "space": space.space,
    "globe": space.globe,
    "black-hole": space.black_hole,
    "soft": abstract.soft,
}
