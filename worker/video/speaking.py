"""The stages of the user's own Wav2Lip and Real-ESRGAN in a film: lips follow the narration, clips get their size.

Both run only where the user installed their weights; a film without a face stays as it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from worker.av.audio import fitted
from worker.av.video import VideoWriter, read_frames
from worker.context import TaskContext, TaskError
from worker.video.shot import Shot, Tell
from worker.video.stretch import Picture

if TYPE_CHECKING:
    from worker.models.catalogue import Model

FILM_CRF = 12  # close to lossless: the film is encoded once more with its captions
WORTH_IT = 1.05  # enlarging by less shows nothing
FILM_SHARE = 0.4  # of this stage: writing the film; then the face is followed
Enlarge = Callable[[Picture], Picture]


def lips_model() -> Model | None:
    """Return the Wav2Lip checkpoint that would run, or None."""
    from worker.lips import wav2lip

    return wav2lip.chosen() if wav2lip.available() is None else None


def size_model() -> Model | None:
    """Return the Real-ESRGAN weights that would run, or None."""
    from worker.upscale import esrgan

    return esrgan.chosen() if esrgan.available() is None else None


@contextmanager
def enlarger(ctx: TaskContext, shot: Shot, *, width: int, height: int) -> Iterator[Enlarge | None]:
    """Lend what enlarges a clip's picture to the size of the video; None where it is large enough.

    Args:
        width, height: of the clips, in pixels.
    """
    from worker.upscale.picture import MAX_SCALE, lent_enlarger, resized
    from worker.upscale.tiles import TiledPictures

    scale = min(MAX_SCALE, max(shot.width / width, shot.height / height))
    if scale < WORTH_IT:
        yield None
        return
    with lent_enlarger(scale, device=ctx.device, backend="esrgan") as network:
        tiled = TiledPictures(network, check=ctx.check_cancelled)

        def enlarged(picture: Picture) -> Picture:
            high, wide = picture.shape[:2]
            return resized(tiled.enlarged(picture), width=round(wide * scale), height=round(high * scale)).copy()

        yield enlarged


def speaking(ctx: TaskContext, shot: Shot, frames: Iterable[Picture], tell: Tell) -> tuple[Iterator[Picture], bool]:
    """Return the film with its face speaking the narration, and whether there was a face.

    Args:
        tell: of this stage, 0.0 to 1.0.

    Raises:
        TaskError: the checkpoint is refused.
        TaskCancelled: the job was cancelled.
    """
    from worker.lips import dub
    from worker.lips.footage import footage

    path = ctx.workdir / "film.mp4"
    with VideoWriter(path, width=shot.width, height=shot.height, fps=shot.fps, crf=FILM_CRF) as writer:
        for frame in frames:
            writer.write(frame)
            tell(FILM_SHARE * writer.frames / shot.frames, stage="film", step=writer.frames, steps=shot.frames)

    def looked(number: int) -> None:
        tell(FILM_SHARE + (1 - FILM_SHARE) * number / shot.frames, stage="face", step=number, steps=shot.frames)

    try:
        scene = dub.scene(footage(path), duration_s=shot.duration_s, each=looked)
    except TaskError as error:
        if error.failure.code not in ("no_face", "face_too_small"):
            raise
        ctx.log("No lips were moved", reason=str(error))
        return (frame for _, frame in read_frames(path)), False
    speech = dataclasses.replace(
        shot.speech, samples=fitted(shot.speech.samples, round(shot.duration_s * shot.speech.rate_hz))
    )
    moved = dub.spoken(scene, speech, backend="wav2lip", device=ctx.device, scratch=ctx.workdir)
    return islice(moved, shot.frames), True
