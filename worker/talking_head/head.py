"""Turn, nod and tilt the head, lift the brows and let the shoulders breathe, over a background that stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.talking_head.axes import Axes, face_axes
from worker.talking_head.face import BROW_TOP, CHIN
from worker.talking_head.motion import BLINK, BREATH, BROW, PITCH, ROLL, YAW
from worker.talking_head.warp import Region, Warp, edge_fade, fitted_fields, smoothstep

BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
BROW_HOLD = (33, 159, 133, 145, 263, 386, 362, 374, 6, 168, 234, 454, 1, 61, 291, 152, 127, 356)  # stay put
FOREHEAD = (10, 109, 338, 67, 297, 151)
NECK_PIVOT_RATIO = 0.35  # of the face's height: the skull turns this far behind it and tilts this far under the chin
BROW_RATIO = 0.03  # brow lift over the face's height
BREATH_RATIO = 0.006  # shoulder lift over the face's height
HEAD_REACH = (0.80, 1.05, 0.72)  # beside, above and below the face's centre, in face heights: all of this turns rigidly
FADE_REACH = 1.8  # at this many head reaches the background stands still


def head_warp(points: NDArray[np.float32], *, box_px: tuple[int, int, int, int]) -> Warp:
    """Prepare the fields of a head inside the portrait's box; weights are `motion_curves` without the blink.

    Args:
        points: float32 [468, 3], landmarks on the canvas in px.
        box_px: (left, top, right, bottom) of the portrait; its edge never moves.
    """
    centre = (points[BROW_TOP] + points[CHIN]) / 2
    height_px = float(np.linalg.norm(points[CHIN, :2] - points[BROW_TOP, :2]))
    axes = face_axes(points, origin=centre)
    region = Region(*box_px)
    local = axes.local(region.nodes())
    along, down = local[..., 0], local[..., 1]
    inside = edge_fade(region, over_px=0.25 * height_px)
    held = _head_window(along, down, height_px) * inside
    depth = _nearness(points, axes, region, height_px) + NECK_PIVOT_RATIO * height_px
    neck = height_px * (0.5 + NECK_PIVOT_RATIO)
    fields = np.zeros((BLINK, *along.shape, 2))
    fields[YAW, ..., 0] = depth * held
    fields[PITCH, ..., 1] = depth * held
    fields[ROLL, ..., 0] = -(down - neck) * held
    fields[ROLL, ..., 1] = along * held
    fields[BROW, ..., 1] = -BROW_RATIO * height_px * _brows(points, region) * held
    shoulders = smoothstep((down / height_px - 0.65) / 0.7) * edge_fade(region, over_px=0.5 * height_px)
    fields[BREATH, ..., 1] = -BREATH_RATIO * height_px * shoulders
    return Warp(region, axes.turned(fields).astype(np.float32))


def _head_window(along: NDArray[np.float64], down: NDArray[np.float64], height_px: float) -> NDArray[np.floating]:
    """Return 1 over the head, exactly 0 from `FADE_REACH` times its size."""
    beside, above, below = HEAD_REACH
    radius = np.hypot(along / beside, down / np.where(down < 0, above, below)) / height_px
    return 1 - smoothstep((radius - 1) / (FADE_REACH - 1))


def _nearness(points: NDArray[np.float32], axes: Axes, region: Region, height_px: float) -> NDArray[np.float64]:
    """Return float64 [GH, GW] in px: how far the face stands out towards the viewer; 0 off the face."""
    inner = points[::4]
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ring = axes.canvas(np.stack([0.62 * np.cos(angles), 0.75 * np.sin(angles)], axis=1) * height_px)
    far_ring = axes.canvas(np.stack([1.1 * np.cos(angles), 1.2 * np.sin(angles)], axis=1) * height_px)
    rim = float(np.percentile(points[:, 2], 90))
    anchors = np.concatenate([inner[:, :2].astype(np.float64), ring, far_ring])
    nearness = np.concatenate([np.maximum(rim - inner[:, 2], 0), np.zeros(32)])
    return np.clip(fitted_fields(region, anchors, nearness[None, :, None])[0, ..., 0], 0, None).astype(np.float64)


def _brows(points: NDArray[np.float32], region: Region) -> NDArray[np.float64]:
    """Return float64 [GH, GW] in 0..1: how much of the brows' lift each node takes."""
    rows = [*BROWS, *FOREHEAD, *BROW_HOLD]
    lift = np.concatenate([np.ones(len(BROWS)), np.full(len(FOREHEAD), 0.25), np.zeros(len(BROW_HOLD))])
    field = fitted_fields(region, points[rows, :2].astype(np.float64), lift[None, :, None])[0, ..., 0]
    return np.clip(field, 0, 1).astype(np.float64)
