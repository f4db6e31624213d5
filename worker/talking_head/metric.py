"""Does the mouth follow the voice? Measured on rendered frames, so it knows nothing of what was commanded.

`av_correlation` is no SyncNet score: it is the correlation of the re-detected mouth opening with the speech level.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.talking_head.face import FaceReader
from worker.talking_head.loudness import band_level_db

UPPER_LIP, LOWER_LIP = 13, 14  # the inner lips' middle
MAX_LAG_FRAMES = 8


@dataclass(frozen=True)
class AvCorrelation:
    """Best correlation of mouth and voice within +-8 frames; a positive lag means that the mouth is late."""

    value: float
    lag_frames: int


def mouth_opening(frames: Iterable[NDArray[np.uint8]], reader: FaceReader) -> NDArray[np.float32]:
    """Return float32 [frames]: inner lips apart over the face's height, from landmarks found anew in every frame.

    Raises:
        ValueError: the first frame shows no face.
    """
    face = None
    opening: list[float] = []
    for frame in frames:
        if face is None:
            found = reader.detect(frame)
            if not found:
                raise ValueError("the first frame shows no face")
            face = reader.landmarks(frame, found[0])
        else:
            face = reader.track(frame, face)
        gap = np.linalg.norm(face.points[LOWER_LIP, :2] - face.points[UPPER_LIP, :2])
        opening.append(float(gap) / face.height_px)
    return np.array(opening, np.float32)


def av_correlation(
    opening: NDArray[np.float32], samples: NDArray[np.float32], rate_hz: int, *, fps: float
) -> AvCorrelation:
    """Correlate mouth openings, float32 [frames], with the 200-3500 Hz level of mono audio in dB."""
    level_db = band_level_db(samples, rate_hz, frames=len(opening), fps=fps)
    best = AvCorrelation(-1.0, 0)
    for lag in range(-MAX_LAG_FRAMES, MAX_LAG_FRAMES + 1):
        mouth = opening[max(0, lag) : len(opening) + min(0, lag)]
        voice = level_db[max(0, -lag) : len(level_db) - max(0, lag)]
        if mouth.std() > 0 and voice.std() > 0:
            value = float(np.corrcoef(mouth, voice)[0, 1])
            if value > best.value:
                best = AvCorrelation(value, lag)
    return best
