"""Open a portrait file and find the face that shall speak; every refusal says what to do."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.context import TaskError
from worker.talking_head.face import MIN_MESH_SCORE, Face, FaceReader

MAX_PIXELS = 60_000_000
MAX_SIDE_PX = 2400  # larger pictures are reduced: four times the detail a 720p frame can show
MIN_FACE_PX = 48  # forehead to chin; below, lips are a few pixels
CLEARLY_LARGER = 1.5  # the largest face over the next one


def astronaut() -> NDArray[np.uint8]:
    """Return the sample portrait, uint8 [512, 512, 3] RGB.

    Source: NASA photograph of Eileen Collins, public domain, shipped in scikit-image as `skimage.data.astronaut`.
    """
    from skimage import data

    return np.asarray(data.astronaut(), np.uint8)


def read_portrait(path: Path) -> NDArray[np.uint8]:
    """Read a picture file as uint8 [H, W, 3] RGB, upright, at most 2400 px a side.

    Raises:
        TaskError: `bad_image`.
    """
    from PIL import Image, ImageOps

    def refused(why: str) -> TaskError:
        return TaskError("bad_image", f"{path.name} cannot be used as a portrait: {why}", path="images/0",
                         hint="Give a JPEG, PNG or WebP photograph of one person facing the camera.")  # fmt: skip

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                if file.width * file.height > MAX_PIXELS:
                    raise refused(f"{file.width} x {file.height} px are more than {MAX_PIXELS // 1_000_000} megapixels")
                file.draft("RGB", (MAX_SIDE_PX, MAX_SIDE_PX))
                picture = ImageOps.exif_transpose(file).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise refused(f"{type(error).__name__}: {error}") from error
    picture.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
    ground = Image.new("RGBA", picture.size, (128, 128, 128, 255))
    return np.asarray(Image.alpha_composite(ground, picture).convert("RGB"), np.uint8)


def speaking_face(picture: NDArray[np.uint8], reader: FaceReader) -> tuple[Face, int]:
    """Return the face that shall speak and how many faces there are.

    Raises:
        TaskError: `no_face`, `several_faces` (none clearly the largest) or `face_too_small`.
    """
    faces = [reader.landmarks(picture, found) for found in reader.detect(picture)[:8]]
    faces = sorted((face for face in faces if face.score >= MIN_MESH_SCORE), key=lambda face: -face.height_px)
    if not faces:
        hint = "Give a photograph of one person who faces the camera, well lit and not covered."
        raise TaskError("no_face", "No face was found in the picture", path="images/0", hint=hint)
    if len(faces) > 1 and faces[0].height_px < CLEARLY_LARGER * faces[1].height_px:
        message = f"{len(faces)} faces were found and none is clearly the largest"
        hint = "Crop the picture to one person."
        raise TaskError("several_faces", message, path="images/0", got=len(faces), allowed="one", hint=hint)
    if faces[0].height_px < MIN_FACE_PX:
        height_px = round(faces[0].height_px)
        raise TaskError(
            "face_too_small", f"The face is {height_px} px high", path="images/0", got=height_px,
            allowed=f">= {MIN_FACE_PX} px from forehead to chin",
            hint="Give a larger picture or crop it closer to the face.",
        )  # fmt: skip
    return faces[0], len(faces)
