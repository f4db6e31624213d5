"""Step previews: latents to a small RGB picture by one linear map, fitted to the model's own decoder when it loads.

Decoding every step would double the time of a run; a linear map of 4 channels is enough to see what emerges
(idea: "decoding latents to RGB without upscaling", Hugging Face forum 23204). The map is least squares over one
encoded colour chart, so it fits any autoencoder and needs no table of constants.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from worker.context import MAX_PREVIEW_BYTES, TaskContext

if TYPE_CHECKING:
    import torch

CHART_PX = 128
EVERY_S = 0.5
MAX_PX = 320


def fitted_map(vae: Any) -> NDArray[np.float32]:
    """Return the affine map latents -> RGB of an autoencoder, float32 [channels + 1, 3], colours in [0, 1].

    The latents are those of a pipeline, times the autoencoder's scaling factor.
    """
    import torch

    chart = _colour_chart()
    pixels = torch.from_numpy(chart).permute(2, 0, 1)[None] * 2 - 1
    with torch.no_grad():
        encoded = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mean * vae.config.scaling_factor
    latents = encoded[0].float().cpu().numpy()
    channels, high, wide = latents.shape
    colours = chart.reshape(high, CHART_PX // high, wide, CHART_PX // wide, 3).mean(axis=(1, 3)).reshape(-1, 3)
    known = np.column_stack([latents.reshape(channels, -1).T, np.ones(high * wide)])
    solution, *_ = np.linalg.lstsq(known, colours, rcond=1e-3)
    return solution.astype(np.float32)


def to_rgb(latents: torch.Tensor, affine: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return latents [channels, h, w] as uint8 [h, w, 3], with outliers pulled in so that something is always seen."""
    values = latents.float().cpu().numpy()
    channels, high, wide = values.shape
    rgb = values.reshape(channels, -1).T @ affine[:channels] + affine[channels]
    low, top = np.percentile(rgb, (2, 98))
    if low < 0 or top > 1:
        rgb = (rgb - min(low, 0.0)) / max(max(top, 1.0) - min(low, 0.0), 1e-6)
    return (np.clip(rgb, 0, 1) * 255).astype(np.uint8).reshape(high, wide, 3)


class StepPreviews:
    """Shows the emerging picture on the card, at most twice a second."""

    def __init__(self, ctx: TaskContext, affine: NDArray[np.float32]) -> None:
        self._ctx, self._affine = ctx, affine
        self._next_s = time.monotonic()

    def offer(self, latents: torch.Tensor) -> None:
        """Show the first picture of a batch of latents [B, channels, h, w], unless one was shown just before."""
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + EVERY_S
            self._ctx.preview(small_jpeg(to_rgb(latents[0], self._affine)))


def small_jpeg(picture: NDArray[np.uint8]) -> bytes:
    """Return the picture as a JPEG of at most 48 kB whose longer side is 320 px."""
    import cv2

    factor = MAX_PX / max(picture.shape[:2])
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    small = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way), np.uint8)
    for quality in (82, 60, 35):
        _, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(data) <= MAX_PREVIEW_BYTES:
            break
    return data.tobytes()


def _colour_chart() -> NDArray[np.float32]:
    """Return a smooth field of colours, float32 [CHART_PX, CHART_PX, 3] in [0, 1], the same every time."""
    import cv2

    coarse = np.random.default_rng(7).random((9, 9, 3), dtype=np.float32)
    return np.clip(cv2.resize(coarse, (CHART_PX, CHART_PX), interpolation=cv2.INTER_CUBIC), 0, 1).astype(np.float32)
