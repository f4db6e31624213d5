"""Where the lips and the jaw go: displacement fields for the skin above and below the mouth, one pair per mouth shape.

The mouth is a cut: above it the skin hangs on the skull, below it on the jaw. One smooth field cannot open it, so
there are two, equal away from the lips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.talking_head.axes import Axes, face_axes
from worker.talking_head.face import CHIN, LOWER_INNER_LIP, UPPER_INNER_LIP
from worker.talking_head.visemes import CURVES, LIFT, OPEN, ROUND, WIDE
from worker.talking_head.warp import Region, Warp, edge_fade, fitted_fields, smoothstep

CLOSE = CURVES  # the fifth field: from the portrait's own opening to closed lips
CORNERS = (61, 291)
UPPER_OUTER_LIP = (185, 40, 39, 37, 0, 267, 269, 270, 409)
LOWER_OUTER_LIP = (146, 91, 181, 84, 17, 314, 405, 321, 375)
JAW_LINE = (93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323)
CHIN_SKIN = (18, 83, 313, 200, 199, 201, 421, 32, 262)
CHEEKS = (205, 425, 207, 427, 216, 436, 187, 411, 50, 280, 212, 432)
HELD = (1, 2, 98, 327, 4, 6, 36, 266, 117, 346, 234, 454, 129, 358, 33, 263)  # nose, upper cheeks, ears
UPPER_SKIN = (164, 167, 393)

WIDEST_GAP = 0.28  # inner lips apart, over the mouth's width, at OPEN = 1; more looks like shouting
SMALLEST_DROP = 0.14
CORNER_DROP = 0.22  # how much of the jaw's drop the mouth's corners follow
SMILE_GAP = 0.04  # a portrait whose lips are further apart shows its teeth
LIP_MARGIN = 0.012  # landmarks of parted lips lie this far, over the mouth's width, on the teeth


@dataclass(frozen=True)
class Lips:
    """A portrait's mouth, ready to take any shape.

    Attributes:
        axes: origin between the corners.
        width_px: corner to corner.
        rest_gap_px: how far the portrait's own lips are apart.
        upper, lower: warps of the skin above and below the cut; both cover `region`.
        upper_edge, lower_edge: float64 [11, 2], the inner lips at rest, local px.
        upper_moves, lower_moves: float64 [5, 11, 2], what each field does to them, local px.
    """

    axes: Axes
    width_px: float
    rest_gap_px: float
    region: Region
    upper: Warp
    lower: Warp
    upper_edge: NDArray[np.float64]
    lower_edge: NDArray[np.float64]
    upper_moves: NDArray[np.float64]
    lower_moves: NDArray[np.float64]

    @property
    def smiles(self) -> bool:
        """Whether the portrait shows its own teeth."""
        return self.rest_gap_px > SMILE_GAP * self.width_px

    def weights(self, curves: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [..., 5], the weights of the fields for mouth curves float32 [..., 4]."""
        parted = smoothstep(curves[..., OPEN] / 0.55)
        close = (1 - parted * (1 - 0.5 * curves[..., ROUND])) * (1 - 0.45 * curves[..., LIFT])
        return np.concatenate([curves, close[..., None]], axis=-1).astype(np.float32)


def prepare_lips(points: NDArray[np.float32], *, box_px: tuple[int, int, int, int]) -> Lips:
    """Fit the fields of one portrait.

    Args:
        points: float32 [468, 3], landmarks on the canvas in px.
        box_px: (left, top, right, bottom) of the portrait; nothing moves at its edge.
    """
    axes = face_axes(points, origin=(points[CORNERS[0]] + points[CORNERS[1]]) / 2)
    local = axes.local(points)
    width_px = float(local[CORNERS[1], 0] - local[CORNERS[0], 0])
    chin_px = max(float(local[CHIN, 1]), 0.3 * width_px)
    upper, lower = local[list(UPPER_INNER_LIP)], local[list(LOWER_INNER_LIP)]
    gaps = np.maximum(0, lower[:, 1] - upper[:, 1])
    rest_gap_px = float(gaps[5])
    inner = 1 - np.clip(np.abs(upper[:, 0]) / (0.42 * width_px), 0, 1) ** 4
    if rest_gap_px > SMILE_GAP * width_px:
        margin = LIP_MARGIN * width_px * inner
        upper[:, 1] -= margin
        lower[:, 1] += margin
        gaps = gaps + 2 * margin
    reach = 1.7 * width_px
    corners = axes.canvas(np.array([[-reach, -width_px], [reach, -width_px], [-reach, chin_px + width_px],
                                    [reach, chin_px + width_px]]))  # fmt: skip
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    region = Region(int(low[0]), int(low[1]), int(high[0]), int(high[1])).within(box_px)

    layers: list[Warp] = []
    edge_moves: list[NDArray[np.float64]] = []
    fade = edge_fade(region, over_px=0.4 * width_px)[None, ..., None]
    for side, edge in ((-1, upper), (1, lower)):
        rows = [*CORNERS, *JAW_LINE, *CHEEKS, *HELD, *(UPPER_SKIN if side < 0 else CHIN_SKIN)]
        outer = local[list(UPPER_OUTER_LIP if side < 0 else LOWER_OUTER_LIP)]
        anchors = np.concatenate([edge, outer, local[rows], _still_ring(local, width_px)])
        lip = np.zeros(len(anchors), np.int8)
        lip[: len(edge)], lip[len(edge) : len(edge) + len(outer)] = 1, 2
        lip[len(edge) + len(outer) : len(edge) + len(outer) + 2] = 2
        moves = _moves(anchors, lip, side, width_px, chin_px, rest_gap_px, np.interp(anchors[:, 0], upper[:, 0], gaps))
        moves[:, len(edge) + len(outer) + len(rows) :] = 0
        moves[:, np.isin(np.arange(len(anchors)), [len(edge) + len(outer) + rows.index(row) for row in HELD])] = 0
        fields = fitted_fields(region, axes.canvas(anchors), axes.turned(moves)) * fade
        layers.append(Warp(region, fields))
        edge_moves.append(moves[:, : len(edge)])
    return Lips(axes, width_px, rest_gap_px, region, layers[0], layers[1], upper, lower, edge_moves[0], edge_moves[1])


def _moves(
    anchors: NDArray[np.float64], lip: NDArray[np.int8], side: int, width_px: float, chin_px: float,
    rest_gap_px: float, gaps: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """Return float64 [5, N, 2], local px: how each field moves each anchor.

    Args:
        anchors: float64 [N, 2], local px.
        lip: 1 at the inner lip, 2 at the outer lip and the corners, 0 elsewhere.
        side: -1 for the skin above the mouth, 1 for the skin below.
        gaps: float64 [N], how far the portrait's lips are apart above or below each anchor.
    """
    ends = anchors[lip == 1, 0].min(), anchors[lip == 1, 0].max()  # where the cut begins and ends
    across = np.clip((anchors[:, 0] - sum(ends) / 2) * 2 / (ends[1] - ends[0]), -1, 1)
    bow = 1 - across**2  # 1 in the middle of the lips, 0 at the corners
    level = anchors[:, 1] / chin_px  # 0 at the mouth, 1 at the chin
    on_lip = lip > 0
    near = np.exp(-((np.abs(anchors[:, 0]) / width_px) ** 2 + (anchors[:, 1] / width_px) ** 2) / 0.3)
    moves = np.zeros((CURVES + 1, len(anchors), 2))

    drop_px = max(SMALLEST_DROP, WIDEST_GAP - 0.9 * rest_gap_px / width_px) * width_px
    skin = 0.88 * smoothstep((level + 0.12) / 0.75)
    corner = CORNER_DROP * (1 - bow)
    lips = corner + bow if side > 0 else corner - 0.04 * bow
    moves[OPEN, :, 1] = drop_px * np.where(on_lip, lips, skin)
    moves[OPEN, :, 0] = -0.05 * width_px * np.where(on_lip, across, 0.5 * across * near)

    smile = min(1.0, rest_gap_px / (0.12 * width_px))
    stretch_px = (0.07 - 0.05 * smile) * width_px
    moves[WIDE, :, 0] = stretch_px * np.where(on_lip, across, 1.2 * across * near)
    moves[WIDE, :, 1] = -0.25 * stretch_px * np.where(on_lip, across**2, near * across**2)

    purse_px = (0.12 + 0.02 * smile) * width_px  # a smile is wide: it has further to go
    moves[ROUND, :, 0] = -purse_px * np.where(on_lip, across, 1.1 * across * near)
    pout = np.where(lip == 2, 0.022, np.where(lip == 1, -0.004, 0.010 * near)) * (1 - 0.5 * smile) * width_px
    sink = 0.04 * smile * width_px * np.where(on_lip, across**2, 0)  # a smile's corners come down
    moves[ROUND, :, 1] = side * pout * bow + sink

    if side < 0:
        moves[LIFT, :, 1] = -0.035 * width_px * np.where(on_lip, bow, 0.4 * near * bow)
    else:
        moves[LIFT, :, 1] = -0.020 * width_px * np.where(lip == 1, bow, 0)

    share = 0.42 if side < 0 else -0.58  # the lower lip does more of the closing
    fraction = np.where(lip == 1, 1.0, np.where(lip == 2, 0.65, 0.3 * near))
    moves[CLOSE, :, 1] = share * gaps * fraction
    return moves


def _still_ring(local: NDArray[np.float64], width_px: float) -> NDArray[np.float64]:
    """Return anchors around the jaw and on the neck that never move, float64 [N, 2], local px."""
    jaw = local[list(JAW_LINE)]
    middle = np.array([0.0, -0.3 * width_px])
    outside = middle + (jaw - middle) * 1.5
    neck = np.array([[x * width_px, local[CHIN, 1] + 0.9 * width_px] for x in (-0.8, 0.0, 0.8)])
    return np.concatenate([outside, neck])
