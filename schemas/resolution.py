"""Resolutions as users write them: `720p`, `1280x720`, `4K`, `8K`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMED = {"4k": (3840, 2160), "8k": (7680, 4320)}
_LINES = re.compile(r"^(\d{3,4})p$", re.IGNORECASE)
_SIZE = re.compile(r"^(\d{2,5})\s*[x×]\s*(\d{2,5})$", re.IGNORECASE)
MIN_LINES, MAX_LINES = 240, 2160
ALLOWED = f"NNNp ({MIN_LINES}-{MAX_LINES}), WxH, 4K or 8K"


@dataclass(frozen=True)
class Resolution:
    """A picture size in pixels; both sides even, as H.264 4:2:0 needs."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def parse_resolution(text: str) -> Resolution | None:
    """Return the resolution that `text` spells (16:9 for `NNNp`), or None when it is not one we serve."""
    text = text.strip()
    if text.lower() in _NAMED:
        return Resolution(*_NAMED[text.lower()])
    if lines := _LINES.match(text):
        height = int(lines[1])
        if not MIN_LINES <= height <= MAX_LINES:
            return None
        return Resolution(_even(height * 16 / 9), _even(height))
    if size := _SIZE.match(text):
        width, height = int(size[1]), int(size[2])
        if not (64 <= width <= 7680 and 64 <= height <= 4320):
            return None
        return Resolution(_even(width), _even(height))
    return None


def canonical(text: str) -> str:
    """Return the one spelling that tasks take: `720p`, `1280x720`, `4K`; what is no resolution stays as it is."""
    text = text.strip()
    if text.lower() in _NAMED:
        return text.upper()
    if size := _SIZE.match(text):
        return f"{int(size[1])}x{int(size[2])}"
    return text.lower() if _LINES.match(text) else text


def _even(value: float) -> int:
    return max(2, round(value / 2) * 2)
