"""Small model files with the layout of the real ones, and hostile ones."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SD15 = {"model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3), "cond_stage_model.transformer.x": (2,)}
SDXL = {"model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3), "conditioner.embedders.1.model.x": (2,)}
SVD = {"model.diffusion_model.input_blocks.1.0.time_stack.x": (2,), "conditioner.embedders.0.open_clip.x": (2,)}
SD2 = SD15 | {"model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (1, 1024)}
INPAINTING = SD15 | {"model.diffusion_model.input_blocks.0.0.weight": (8, 9, 3, 3)}
WAV2LIP = {"face_encoder_blocks.0.0.conv_block.0.weight": (2,), "face_decoder_blocks.0.0.conv_block.0.weight": (2,)}
ESRGAN = {"conv_first.weight": (2,), "body.0.rdb1.conv1.weight": (2,)}
OLD_ESRGAN = {"model.0.weight": (2,), "model.1.sub.0.RDB1.conv1.0.weight": (2,)}
COMPACT_ESRGAN = {"body.0.weight": (2,), "body.1.weight": (2,)}
SADTALKER = {f"{part}.x": (2,) for part in ("audio2exp", "audio2pose", "kp_extractor", "generator")}
LORA = {"lora_unet_down_blocks_0.lora_down.weight": (2, 2)}


def weights_file(path: Path, tensors: Mapping[str, tuple[int, ...]], *, fill: float = 0.0, **metadata: str) -> Path:
    """Write a safetensors file of float32 tensors of these shapes."""
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.full(shape, fill, np.float32) for name, shape in tensors.items()}
    save_file(arrays, path, metadata=metadata or None)
    return path


def raw_file(path: Path, header: Any, *, data: bytes = b"") -> Path:
    """Write a file with the frame of a safetensors file around any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def diffusers_folder(folder: Path, pipeline: str = "StableDiffusionPipeline") -> Path:
    """Write the skeleton of a diffusers folder: its checks need no working model."""
    folder.mkdir(parents=True)
    index = {"_class_name": pipeline, "unet": ["diffusers", "UNet2DConditionModel"],
             "scheduler": ["diffusers", "DDIMScheduler"], "safety_checker": [None, None]}  # fmt: skip
    (folder / "model_index.json").write_text(json.dumps(index))
    weights_file(folder / "unet" / "diffusion_pytorch_model.safetensors", {"conv_in.weight": (2, 2)})
    (folder / "unet" / "config.json").write_text(json.dumps({"cross_attention_dim": 768}))
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text("{}")
    return folder


class Bomb:
    """What a hostile pickle holds: unpickling it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.mkdir, (str(self.mark),)


def pickled(mark: Path) -> bytes:
    """Return a pickle that makes the folder `mark` when it is loaded."""
    return pickle.dumps(Bomb(mark))
