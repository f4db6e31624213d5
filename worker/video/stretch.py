"""A short clip made as long as its scene: played slower, then forth and back, with in-between frames. No files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""uint8 [H, W, 3] RGB."""
Flow = NDArray[np.float32]
"""float32 [H, W, 2], where each pixel moves, in pixels (x, y)."""

NATURAL_FPS = 7  # what Stable Video Diffusion is conditioned on. Source: `fps` of its pipeline in diffusers
SLOWEST = 2.0  # beyond half speed a moving picture looks like slow motion
FLOW_SIDE_PX = 384  # longer side on which motion is searched: enough for moves of a few pixels, four times quicker


def positions(count: int, *, clip_frames: int, fps: int) -> NDArray[np.float64]:
    """Return where in the clip each shown frame lies, float64 [count] in [0, clip_frames - 1].

    A clip that is longer than what is shown runs at its own tempo and ends early. A shorter one is slowed down, to
    half its tempo at most, and beyond that runs forth and back. It never stands still, save for one frame at a turn.
    """
    if clip_frames < 2:
        raise ValueError(f"a clip of {clip_frames} frames does not move")
    last = clip_frames - 1
    natural_s, shown_s = last / NATURAL_FPS, max(1, count - 1) / fps
    if shown_s <= natural_s:
        step = NATURAL_FPS / fps
    else:
        passes = math.ceil(shown_s / (natural_s * SLOWEST) - 1e-9)
        step = passes * last / max(1, count - 1)
    return last - np.abs(last - (np.arange(count) * step) % (2 * last))


def stretched(clip: Sequence[Picture], count: int, *, fps: int) -> Iterator[Picture]:
    """Yield `count` frames of the clip at `fps`, those between two of its frames moved along what moves.

    Args:
        clip: at least two pictures of one size.
    """
    pair, flows = -1, None
    for position in positions(count, clip_frames=len(clip), fps=fps):
        at = min(int(position), len(clip) - 2)
        share = float(position - at)
        if share < 1e-6 or share > 1 - 1e-6:
            yield clip[at + round(share)]
            continue
        if flows is None or at != pair:
            pair, flows = at, (_flow(clip[at], clip[at + 1]), _flow(clip[at + 1], clip[at]))
        yield between(clip[at], clip[at + 1], share, forth=flows[0], back=flows[1])


def between(first: Picture, second: Picture, share: float, *, forth: Flow, back: Flow) -> Picture:
    """Return the picture `share` of the way from the first to the second.

    Source: the intermediate flow of Super SloMo (Jiang et al., CVPR 2018, equation 4), without its networks.
    """
    rest = 1 - share
    to_first = (share * share * back - share * rest * forth).astype(np.float32)
    to_second = (rest * rest * forth - share * rest * back).astype(np.float32)
    mixed = cv2.addWeighted(_moved(first, to_first), rest, _moved(second, to_second), share, 0)
    return np.asarray(mixed, np.uint8)


def _flow(first: Picture, second: Picture) -> Flow:
    """Return how pixels move from the first picture to the second (dense inverse search, Kroeger et al. 2016)."""
    high, wide = first.shape[:2]
    factor = min(1.0, FLOW_SIDE_PX / max(high, wide))
    size = (max(16, round(wide * factor)), max(16, round(high * factor)))
    small = [
        cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        for picture in (first, second)
    ]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = search.calc(small[0], small[1], np.zeros((size[1], size[0], 2), np.float32))
    scaled = cv2.resize(found, (wide, high), interpolation=cv2.INTER_LINEAR)
    return np.asarray(scaled * np.array((wide / size[0], high / size[1]), np.float32), np.float32)


def _moved(picture: Picture, flow: Flow) -> Picture:
    """Return the picture as seen through a flow: pixel p shows what lies at p + flow(p)."""
    high, wide = picture.shape[:2]
    xs = np.arange(wide, dtype=np.float32)[None, :] + flow[..., 0]
    ys = np.arange(high, dtype=np.float32)[:, None] + flow[..., 1]
    return np.asarray(cv2.remap(picture, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
