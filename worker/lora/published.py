"""The published architectures of SD 1.5 and SDXL: what a single weight file leaves out, without asking a hub.

Source: the config files of stable-diffusion-v1-5 and stable-diffusion-xl-base-1.0; `data/clip_merges.txt.xz` are the
merges of CLIP's vocabulary (OpenAI CLIP, MIT licence), taken from the package open-clip-torch 3.3.0.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

SCHEDULER: dict[str, Any] = {
    "_class_name": "DDIMScheduler", "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "steps_offset": 1, "clip_sample": False, "set_alpha_to_one": False,
    "prediction_type": "epsilon",
}  # fmt: skip
UNET: dict[str, dict[str, Any]] = {
    "sd15": {
        "_class_name": "UNet2DConditionModel", "sample_size": 64, "block_out_channels": [320, 640, 1280, 1280],
        "cross_attention_dim": 768, "attention_head_dim": 8,
    },
    "sdxl": {
        "_class_name": "UNet2DConditionModel", "sample_size": 128, "block_out_channels": [320, 640, 1280],
        "cross_attention_dim": 2048, "attention_head_dim": [5, 10, 20], "transformer_layers_per_block": [1, 2, 10],
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}  # fmt: skip
_VAE: dict[str, Any] = {
    "_class_name": "AutoencoderKL", "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
    "latent_channels": 4, "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
}  # fmt: skip
VAE: dict[str, dict[str, Any]] = {
    "sd15": {**_VAE, "sample_size": 512, "scaling_factor": 0.18215},
    "sdxl": {**_VAE, "sample_size": 1024, "scaling_factor": 0.13025},
}
_CLIP: dict[str, Any] = {
    "model_type": "clip_text_model", "vocab_size": 49408, "max_position_embeddings": 77, "bos_token_id": 49406,
    "eos_token_id": 49407, "pad_token_id": 49407,
}  # fmt: skip
CLIP_L: dict[str, Any] = {
    **_CLIP, "architectures": ["CLIPTextModel"], "hidden_size": 768, "intermediate_size": 3072,
    "num_hidden_layers": 12, "num_attention_heads": 12, "projection_dim": 768, "hidden_act": "quick_gelu",
}  # fmt: skip
CLIP_BIG_G: dict[str, Any] = {
    **_CLIP, "architectures": ["CLIPTextModelWithProjection"], "hidden_size": 1280, "intermediate_size": 5120,
    "num_hidden_layers": 32, "num_attention_heads": 20, "projection_dim": 1280, "hidden_act": "gelu",
}  # fmt: skip
_PARTS: dict[str, dict[str, Any]] = {
    "sd15": {
        "_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"], "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "safety_checker": [None, None], "feature_extractor": [None, None], "requires_safety_checker": False,
    },
    "sdxl": {
        "_class_name": "StableDiffusionXLPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"], "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer_2": ["transformers", "CLIPTokenizer"], "force_zeros_for_empty_prompt": True,
    },
}  # fmt: skip
_SPECIALS = ("<|startoftext|>", "<|endoftext|>")


def write_configs(family: str, folder: Path) -> Path:
    """Write a diffusers folder without weights, as `from_single_file(config=...)` wants it, and return it."""
    configs = {
        "model_index.json": _PARTS[family],
        "unet/config.json": UNET[family],
        "vae/config.json": VAE[family],
        "text_encoder/config.json": CLIP_L,
        "scheduler/scheduler_config.json": SCHEDULER,
    }
    if family == "sdxl":
        configs["text_encoder_2/config.json"] = CLIP_BIG_G
    for name, config in configs.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config), encoding="utf-8")
    write_tokenizer(folder / "tokenizer", pad=_SPECIALS[1])
    if family == "sdxl":
        write_tokenizer(folder / "tokenizer_2", pad="!")
    return folder


def write_tokenizer(folder: Path, *, pad: str) -> None:
    """Write CLIP's tokenizer: byte symbols, the same as word ends, one word for each merge, two specials."""
    merges = lzma.decompress((Path(__file__).parent / "data" / "clip_merges.txt.xz").read_bytes()).decode()
    symbols = _byte_symbols()
    words = [*symbols, *(symbol + "</w>" for symbol in symbols)]
    words += [line.replace(" ", "") for line in merges.splitlines()]
    words += _SPECIALS
    config = {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "bos_token": _SPECIALS[0],
        "eos_token": _SPECIALS[1], "unk_token": _SPECIALS[1], "pad_token": pad,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + merges, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def _byte_symbols() -> list[str]:
    """Return the 256 characters that stand for bytes, in the order of CLIP's vocabulary: printable ones first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(256 - len(printable))]
