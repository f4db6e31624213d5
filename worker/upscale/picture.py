"""One picture, larger: which backend, which factor, and the exact size. Knows no video and no task."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from worker.context import TaskError
from worker.upscale import esrgan, packaged
from worker.upscale.packaged import VIDEO_MODEL, PackagedModel
from worker.upscale.tiles import Enlarger, TiledPictures

MAX_SCALE = 4.0


def live_backend() -> str:
    """Return the backend that would run here and now: the user's weights, else the packaged ones."""
    return "esrgan" if esrgan.available() is None else "realesrgan_ncnn"


def upscale_image(
    picture: NDArray[np.uint8],
    scale: float,
    *,
    device: str,
    backend: str = "auto",
    model: PackagedModel = VIDEO_MODEL,
) -> NDArray[np.uint8]:
    """Return the picture enlarged by a network and resampled to the exact size.

    Args:
        picture: uint8 [H, W, 3] RGB.
        scale: over 1, at most 4; each side is rounded.
        device: `cpu` or `cuda:N`.
        backend: `auto`, `esrgan` or `realesrgan_ncnn`.
        model: of `realesrgan_ncnn`; `realesrgan-x4plus` is better on photographs and about 50 times slower.

    Raises:
        TaskError: what `lent_enlarger` raises.
    """
    height, width = picture.shape[:2]
    with lent_enlarger(scale, device=device, backend=backend, model=model) as enlarger:
        large = TiledPictures(enlarger).enlarged(picture)
    return resized(large, width=round(width * scale), height=round(height * scale))


@contextmanager
def lent_enlarger(
    scale: float, *, device: str, backend: str = "auto", model: PackagedModel = VIDEO_MODEL
) -> Iterator[Enlarger]:
    """Lend a network that enlarges by `scale` or the next whole factor it knows.

    Raises:
        TaskError: `bad_scale`, `model_missing`, or what loading the user's weights raises.
    """
    if not 1 < scale <= MAX_SCALE:
        hint = "upscale in two steps for more" if scale > MAX_SCALE else "choose a larger resolution"
        raise TaskError("bad_scale", f"cannot enlarge {scale:.3g} times", path="params.scale", got=round(scale, 3),
                        allowed=f"over 1, at most {MAX_SCALE:g}", hint=hint)  # fmt: skip
    backend = live_backend() if backend == "auto" else backend
    if reason := (esrgan.available() if backend == "esrgan" else packaged.available()):
        raise TaskError("model_missing", reason, path="params.backend")
    if backend == "esrgan":
        with esrgan.lent(esrgan.chosen(), device=device) as enlarger:
            yield enlarger
    else:
        yield packaged.enlarger(max(2, math.ceil(scale - 1e-6)) if model == VIDEO_MODEL else 4, model=model)


def resized(picture: NDArray[np.uint8], *, width: int, height: int) -> NDArray[np.uint8]:
    """Resample to an exact size: by area when shrinking, else by cubic convolution."""
    import cv2

    if picture.shape[:2] == (height, width):
        return picture
    flags = cv2.INTER_AREA if picture.shape[0] >= height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=flags), np.uint8)


def lanczos_sharpened(picture: NDArray[np.uint8], *, width: int, height: int) -> NDArray[np.uint8]:
    """Return the picture resampled by Lanczos and sharpened: no network, no new detail, quick."""
    import cv2

    large = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LANCZOS4)
    soft = cv2.GaussianBlur(large, (0, 0), 0.6 * height / picture.shape[0])
    return np.asarray(cv2.addWeighted(large, 1.6, soft, -0.6, 0), np.uint8)
