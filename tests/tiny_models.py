"""Tiny diffusers folders with random weights: they prove the code path of Stable Diffusion, never its pictures.

Architecture and tokenizer recipe: FEASIBILITY-ML section 1. The VAE has four levels, so 64 px are 8 x 8 latents.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TEXT_DIM = 32
SPECIALS = ("<|startoftext|>", "<|endoftext|>")


def tiny_sd(folder: Path, *, seed: int = 0) -> Path:
    """Write a `StableDiffusionPipeline` folder (4.5 MB) and return it; the same seed gives the same weights."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = StableDiffusionPipeline(
            vae=_vae(scaling=0.18215),
            text_encoder=CLIPTextModel(_text_config()),
            tokenizer=tiny_tokenizer(folder / "tokenizer"),
            unet=_unet((32, 64), cross_attention_dim=TEXT_DIM),
            scheduler=DDIMScheduler(**_BETAS, clip_sample=False, set_alpha_to_one=False),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    return _saved(pipeline, folder)


def tiny_sdxl(folder: Path, *, seed: int = 0) -> Path:
    """Write a `StableDiffusionXLPipeline` folder (3.4 MB) and return it; the same seed gives the same weights."""
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = StableDiffusionXLPipeline(
            vae=_vae(scaling=0.13025),
            text_encoder=CLIPTextModel(_text_config()),
            text_encoder_2=CLIPTextModelWithProjection(_text_config()),
            tokenizer=tiny_tokenizer(folder / "tokenizer"),
            tokenizer_2=tiny_tokenizer(folder / "tokenizer_2"),
            unet=_unet(
                (32, 48),
                cross_attention_dim=2 * TEXT_DIM,  # both encoders side by side
                addition_embed_type="text_time",
                addition_time_embed_dim=8,
                projection_class_embeddings_input_dim=TEXT_DIM + 6 * 8,  # pooled text, six size numbers
                transformer_layers_per_block=(1, 1),
                use_linear_projection=True,
            ),
            scheduler=EulerDiscreteScheduler(**_BETAS),
            add_watermarker=False,
        )
    return _saved(pipeline, folder)


def tiny_tokenizer(folder: Path) -> Any:
    """Return a `CLIPTokenizer` over single bytes: 256 symbols, 256 word ends and 2 specials, no merges."""
    from transformers import CLIPTokenizer

    symbols = list(_byte_symbols().values())
    words = [*symbols, *(symbol + "</w>" for symbol in symbols), *SPECIALS]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


_BETAS: dict[str, Any] = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1,
}  # fmt: skip


def _unet(widths: tuple[int, int], **extra: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=widths,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=8,
        **extra,
    )


def _vae(*, scaling: float) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        sample_size=64,
        block_out_channels=(16, 16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=8,
        latent_channels=4,
        scaling_factor=scaling,
    )


def _text_config() -> Any:
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=514,
        hidden_size=TEXT_DIM,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=TEXT_DIM,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )


def _saved(pipeline: Any, folder: Path) -> Path:
    pipeline.save_pretrained(folder, safe_serialization=True)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # the library writes weights with mode 0600
    return folder


def _byte_symbols() -> dict[int, str]:
    """Return byte -> printable character, as CLIP's byte-level vocabulary has it."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + index) for index, byte in enumerate(hidden)}
