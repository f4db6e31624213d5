"""The model families that a backend knows: how each is recognised, and what a person must fetch to have one.

Sizes and licences are those of the originals, from general knowledge; the licence shown for a model that is there
comes from its own folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from worker.models.header import TensorFacts


@dataclass(frozen=True)
class Family:
    """What `lacking` and `doctor` tell about a family. `size_gb` in 1e9 bytes."""

    title: str
    size_gb: float
    licence: str
    form: str


FAMILIES: Mapping[str, Family] = {
    "sd15": Family("Stable Diffusion 1.5", 4.3, "CreativeML OpenRAIL-M", "a diffusers folder or one .safetensors"),
    "sdxl": Family("Stable Diffusion XL", 6.9, "CreativeML OpenRAIL++-M", "a diffusers folder or one .safetensors"),
    "svd": Family("Stable Video Diffusion XT", 9.6, "Stability AI Community", "a diffusers folder or one .safetensors"),
    "wav2lip": Family("Wav2Lip", 0.15, "research, not commercial", "the checkpoint converted to one .safetensors"),
    "esrgan": Family("Real-ESRGAN x4plus", 0.07, "BSD-3-Clause", "the checkpoint converted to one .safetensors"),
    "piper": Family("a Piper voice", 0.06, "that of the voice", "a folder with NAME.onnx and NAME.onnx.json"),
    "sadtalker": Family("SadTalker", 0.7, "Apache-2.0, face data not commercial", "one SadTalker .safetensors"),
    "chatterbox": Family("Chatterbox", 3.2, "MIT", "a folder with t3_cfg, s3gen, ve (.safetensors), tokenizer.json"),
}
PIPELINES: Mapping[str, str] = {
    "StableDiffusionPipeline": "sd15",
    "StableDiffusionXLPipeline": "sdxl",
    "StableVideoDiffusionPipeline": "svd",
}
SD2_CONTEXT = 1024  # width of Stable Diffusion 2's text features; 1.x has 768
_CHATTERBOX = frozenset({"t3_cfg.safetensors", "s3gen.safetensors", "ve.safetensors", "tokenizer.json"})
_UNET = "model.diffusion_model."
_FIRST_ATTENTION = f"{_UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
_SADTALKER = ("audio2exp.", "audio2pose.", "kp_extractor.", "generator.")


def family_of_names(names: frozenset[str]) -> str | None:
    """Return the family that the file names of a folder tell."""
    if names >= _CHATTERBOX:
        return "chatterbox"
    if any(name.endswith(".onnx") and f"{name}.json" in names for name in names):
        return "piper"
    return None


def family_of_tensors(tensors: Mapping[str, TensorFacts]) -> str | None:
    """Return the family that the tensor names of a single file tell, or None.

    Source of the names: the original checkpoints' layouts (CompVis, Stability sgm, Wav2Lip, ESRGAN, SadTalker).
    """
    if any(name.startswith(_UNET) for name in tensors):
        return _diffusion_family(tensors)
    plain = {name.removeprefix("module.") for name in tensors}
    if any(name.startswith("face_encoder_blocks.") for name in plain) and any(
        name.startswith("face_decoder_blocks.") for name in plain
    ):
        return "wav2lip"
    if all(any(name.startswith(part) for name in plain) for part in _SADTALKER):
        return "sadtalker"
    old_esrgan = {"model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"} <= plain
    dense = "conv_first.weight" in plain and any(".rdb1.conv1." in name.lower() for name in plain)
    compact = {"body.0.weight", "body.1.weight"} <= plain and all(name.startswith("body.") for name in plain)
    return "esrgan" if old_esrgan or dense or compact else None


def _diffusion_family(tensors: Mapping[str, TensorFacts]) -> str | None:
    if any(".time_stack." in name or ".time_mixer." in name for name in tensors):
        return "svd"
    if any(name.startswith("conditioner.embedders.1.") for name in tensors):
        return "sdxl"
    first = tensors.get(_FIRST_ATTENTION)
    first_layer = tensors.get(f"{_UNET}input_blocks.0.0.weight")
    plain_input = first_layer is None or first_layer.shape[1:2] == (4,)  # 8 or 9: edit and inpainting models
    text = any(name.startswith("cond_stage_model.transformer.") for name in tensors)
    return "sd15" if text and plain_input and (first is None or first.shape[-1] != SD2_CONTEXT) else None
