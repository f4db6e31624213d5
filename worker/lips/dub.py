"""From a video and a sound to the dubbed pictures: follow the face, let a backend speak. Writes no video."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.av.video import Frame
from worker.context import TaskError
from worker.lips import redrive, wav2lip
from worker.lips.footage import Footage, shown_order
from worker.lips.teeth import Teeth, teeth_of, widest_open
from worker.lips.track import Track, follow_face, in_order, smoothed
from worker.speech.timing import Speech
from worker.talking_head.face import FaceReader
from worker.talking_head.portrait import MIN_FACE_PX

BACKENDS = ("wav2lip", "viseme_warp")


@dataclass(frozen=True)
class Scene:
    """A video whose face was followed.

    Attributes:
        order: int64 [N], which picture is shown at each place.
        track: the face at each place.
    """

    footage: Footage
    order: NDArray[np.int64]
    track: Track


def live_backend() -> str:
    """Return the backend that would run here and now: the user's Wav2Lip, else the warp."""
    return "wav2lip" if wav2lip.available() is None else "viseme_warp"


def scene(footage: Footage, *, duration_s: float, each: Callable[[int], None]) -> Scene:
    """Follow the face through a video that shall last at least `duration_s`.

    Args:
        each: called with the number of each picture looked at; may raise.

    Raises:
        TaskError: `no_face`, `face_too_small` or `undecodable`.
    """
    track, largest_px = follow_face(footage.pictures(), FaceReader(), each=each)
    if not track.seen.any() and largest_px > 0:
        raise TaskError(
            "face_too_small", f"the largest face in the video is {largest_px:.0f} px high", path="inputs.video",
            got=round(largest_px), allowed=f">= {MIN_FACE_PX} px from forehead to chin",
            hint="Give a larger video or crop it closer to the face.",
        )  # fmt: skip
    if not track.seen.any():
        hint = "Give a video of a person who faces the camera, well lit and not covered."
        raise TaskError("no_face", "no face was found in the video", path="inputs.video", hint=hint)
    order = shown_order(footage, duration_s=duration_s)
    return Scene(footage, order, in_order(smoothed(track), order))


def spoken(scene: Scene, speech: Speech, *, backend: str, device: str, scratch: Path) -> Iterator[Frame]:
    """Yield the pictures of the scene with its face saying the speech, uint8 [H, W, 3] RGB.

    Raises:
        TaskError: what loading the weights raises (`wav2lip.load`).
    """
    pictures, fps = scene.footage.in_order(scene.order, scratch=scratch), scene.footage.fps
    if backend == "viseme_warp":
        yield from redrive.speaking(pictures, scene.track, speech, fps=fps, teeth=_teeth(scene))
        return
    with wav2lip.generator(wav2lip.chosen(), device=device) as network:
        yield from wav2lip.speaking(
            pictures, scene.track, speech.samples, speech.rate_hz, fps=fps, network=network, device=device
        )


def _teeth(scene: Scene) -> Teeth | None:
    """Return the teeth that the film shows, from the picture with the widest open mouth."""
    place = widest_open(scene.track)
    if place is None:
        return None
    picture = next(islice(scene.footage.pictures(), int(scene.order[place]), None))
    return teeth_of(picture, scene.track.points[place])
