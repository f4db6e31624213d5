"""The full-size random models of the GPU benchmarks are the published architectures."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.full_size import random_base

# Parameters. Source: the weight files of stable-diffusion-v1-5 and stable-diffusion-xl-base-1.0.
CLIP_L, CLIP_BIG_G, VAE = 123_060_480, 694_659_840, 83_653_863
UNET = {"sd15": 859_520_964, "sdxl": 2_567_463_684}


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_the_random_base_has_the_published_size(family: str, tmp_path: Path) -> None:
    import torch

    base = random_base(family, dtype=torch.bfloat16, device="meta", scratch=tmp_path)
    counts = [
        sum(weight.numel() for weight in part.parameters()) for part in (base.vae, base.unet, *base.text_encoders)
    ]
    assert counts == [VAE, UNET[family], CLIP_L, *([CLIP_BIG_G] if family == "sdxl" else [])]
    assert (base.native_px, base.multiple_px) == ((512, 64) if family == "sd15" else (1024, 32))
    assert torch.get_default_dtype() == torch.float32
