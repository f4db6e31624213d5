"""The validation picture: one prompt and one noise, drawn at every look, so that only the adapter changes it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from worker.context import MAX_PREVIEW_BYTES
from worker.lora.encoding import Words, conditions, visiting
from worker.lora.noise import generator
from worker.lora.training import Training

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 16
GUIDANCE = 5.0  # classifier-free guidance. Source: Ho and Salimans 2022; low, since LoRA previews oversaturate early
PREVIEW_PX = 320


def draw(training: Training, words: Words, *, check: Callable[[], None]) -> NDArray[np.uint8]:
    """Return the validation picture, uint8 [side, side, 3] RGB.

    Args:
        words: two rows, the prompt and the empty text.
        check: called before every step; raises when the job was cancelled.
    """
    import torch

    settings, device, noise = training.settings, training.device, training.noise
    side = settings.resolution_px // training.base.pixels_per_latent
    channels = training.encoded.mean.shape[1]
    latents = torch.randn((1, channels, side, side), generator=generator(settings.seed, "validation")).to(device)
    size = float(settings.resolution_px)
    sizes = torch.tensor([[size, size, 0, 0, size, size]] * 2, device=device)
    given = conditions(words, sizes)
    times = [round(noise.timesteps * (STEPS - index) / STEPS) - 1 for index in range(STEPS)]
    with torch.no_grad():
        for at, then in zip(times, [*times[1:], -1], strict=True):
            check()
            both = latents.expand(2, -1, -1, -1)
            wanted, plain = training.predict(both, torch.tensor([at, at], device=device), **given)
            latents = noise.denoise(latents, (plain + GUIDANCE * (wanted - plain))[None], at=at, then=then)
        return _decoded(training, latents)


def jpeg(*pictures: NDArray[np.uint8], height_px: int = PREVIEW_PX, most_bytes: int = MAX_PREVIEW_BYTES) -> bytes:
    """Return pictures of equal size side by side as one JPEG of at most `most_bytes`."""
    from PIL import Image

    sheet = Image.fromarray(np.concatenate(pictures, axis=1))
    sheet.thumbnail((height_px * len(pictures), height_px))
    data = b""
    for quality in range(88, 0, -12):
        file = io.BytesIO()
        sheet.save(file, "JPEG", quality=quality)
        data = file.getvalue()
        if len(data) <= most_bytes:
            break
    return data


def _decoded(training: Training, latents: Tensor) -> NDArray[np.uint8]:
    vae = training.base.vae
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    vae.enable_tiling()  # a 1024 px picture at once takes more memory than the training
    try:
        with visiting(vae, training.device):
            pixels = vae.decode(latents / vae.config.scaling_factor + shift, return_dict=False)[0]
    finally:
        vae.disable_tiling()
    whole = (pixels[0].float().permute(1, 2, 0) * 127.5 + 127.5).round().clamp(0, 255)
    return whole.cpu().numpy().astype(np.uint8)
