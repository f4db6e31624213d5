"""Follow one face through a video: found, tracked, found again, and smoothed over time. Knows no sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.talking_head.face import MIN_MESH_SCORE, Face, FaceReader
from worker.talking_head.portrait import MIN_FACE_PX

SMOOTH_FRAMES = 1.2  # standard deviation of the blur over time: landmarks tremble by about a pixel
LOOK_AGAIN_FRAMES = 5  # how often a face is searched for while there is none
SAME_PLACE_FACES = 1.0  # a face found again within this many face sizes of the lost one is the same person


@dataclass(frozen=True)
class Track:
    """Where the face is in each picture.

    Attributes:
        points: float32 [N, 468, 3] in px; rows without a face are NaN.
    """

    points: NDArray[np.float32]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Whether each picture shows the face, bool [N]."""
        return ~np.isnan(self.points[:, 0, 0])

    def stretches(self) -> list[tuple[int, int]]:
        """Return (first, end) of every run of pictures with the face."""
        edges = np.flatnonzero(np.diff(np.concatenate(([False], self.seen, [False])).astype(np.int8)))
        return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def follow_face(
    pictures: Iterable[NDArray[np.uint8]], reader: FaceReader, *, each: Callable[[int], None] = lambda number: None
) -> tuple[Track, float]:
    """Follow the largest face of the first picture that has one.

    Args:
        pictures: uint8 [H, W, 3] RGB.
        each: called with the number of each picture; may raise.

    Returns:
        The track, not smoothed, and the height of the largest face seen in px (0 when there was none).
    """
    rows: list[NDArray[np.float32]] = []
    nothing = np.full((468, 3), np.nan, np.float32)
    face: Face | None = None
    lost: Face | None = None
    largest_px = 0.0
    for number, picture in enumerate(pictures):
        each(number)
        if face is not None:
            face = _usable(reader.track(picture, face))
        if face is None and (number % LOOK_AGAIN_FRAMES == 0 or (rows and not np.isnan(rows[-1][0, 0]))):
            found = _found(picture, reader, lost)
            largest_px = max(largest_px, found.height_px if found else 0.0)
            face = found if found is not None and found.height_px >= MIN_FACE_PX else None
        if face is not None:
            lost, largest_px = face, max(largest_px, face.height_px)
        rows.append(nothing if face is None else face.points)
    return Track(np.stack(rows) if rows else np.zeros((0, 468, 3), np.float32)), largest_px


def smoothed(track: Track, *, frames: float = SMOOTH_FRAMES) -> Track:
    """Return the track without tremble: each stretch blurred over time, its ends mirrored."""
    from scipy.ndimage import gaussian_filter1d

    points = track.points.copy()
    for first, end in track.stretches():
        points[first:end] = gaussian_filter1d(points[first:end], frames, axis=0, mode="nearest")
    return Track(points)


def in_order(track: Track, order: Sequence[int] | NDArray[np.int64]) -> Track:
    """Return the track of pictures shown in another order."""
    return Track(track.points[np.asarray(order)])


def _usable(face: Face) -> Face | None:
    return face if face.score >= MIN_MESH_SCORE and face.height_px >= MIN_FACE_PX else None


def _found(picture: NDArray[np.uint8], reader: FaceReader, lost: Face | None) -> Face | None:
    faces = [reader.landmarks(picture, found) for found in reader.detect(picture)[:4]]
    faces = [face for face in faces if face.score >= MIN_MESH_SCORE]
    if not faces:
        return None
    largest = max(faces, key=lambda face: face.height_px)
    if lost is None:
        return largest
    centre = lost.points[:, :2].mean(0)
    nearest = min(faces, key=lambda face: float(np.linalg.norm(face.points[:, :2].mean(0) - centre)))
    apart = float(np.linalg.norm(nearest.points[:, :2].mean(0) - centre))
    return nearest if apart <= SAME_PLACE_FACES * lost.height_px else largest
