"""Stable Diffusion 1.5 and SDXL in full size with random weights: real memory and speed, pictures of noise.

The architectures are those of `worker/lora/published.py`; their parameter counts are checked by
`tests/unit/test_lora_bench.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worker.lora.base import Base
from worker.lora.published import CLIP_BIG_G, CLIP_L, SCHEDULER, UNET, VAE, write_configs


def random_base(family: str, *, dtype: Any, device: str, scratch: Path, seed: int = 0) -> Base:
    """Return a base model of full size; its parts are made on `device`, network and encoders in `dtype`.

    Args:
        family: `sd15` or `sdxl`.
        scratch: folder for the tokenizer's files.
    """
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    encoders = [(CLIPTextModel, CLIP_L), (CLIPTextModelWithProjection, CLIP_BIG_G)][: 2 if family == "sdxl" else 1]
    configs = write_configs(family, scratch / "configs")
    with _made(device, seed):
        vae: Any = AutoencoderKL.from_config(VAE[family])
        torch.set_default_dtype(dtype)
        unet: Any = UNet2DConditionModel.from_config(UNET[family])
        texts = [kind(CLIPTextConfig(**config)) for kind, config in encoders]
    names = ("tokenizer", "tokenizer_2")[: len(texts)]
    for part in (vae, unet, *texts):
        part.eval().requires_grad_(False)
    return Base(
        family=family,
        unet=unet,
        vae=vae,
        text_encoders=tuple(texts),
        tokenizers=tuple(CLIPTokenizer.from_pretrained(configs / name) for name in names),
        scheduler_config=SCHEDULER,
    )


def write_folder(base: Base, folder: Path) -> Path:
    """Write a base as a diffusers folder and return it."""
    write_configs(base.family, folder)
    parts: dict[str, Any] = {"unet": base.unet, "vae": base.vae, "text_encoder": base.text_encoders[0]}
    if base.family == "sdxl":
        parts["text_encoder_2"] = base.text_encoders[1]
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    return folder


@contextmanager
def _made(device: str, seed: int) -> Iterator[None]:
    import torch

    before = torch.get_default_dtype()
    try:
        with torch.device(device), torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_default_dtype(before)
