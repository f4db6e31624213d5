"""Writes a diffusers folder as the single weight file that authors of Stable Diffusion models publish.

Names of the layers: the original `ldm` layout, as in diffusers' script `convert_diffusers_to_original_stable_diffusion`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

Tensors = dict[str, NDArray[np.float32]]
_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
_ENDS = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0", "conv_out": "out.2", "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip
_OPEN_CLIP = {
    "embeddings.token_embedding": "token_embedding", "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm": "ln_final", "text_projection.weight": "text_projection", "encoder.layers": "transformer.resblocks",
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn": "attn",
}  # fmt: skip
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def single_file(folder: Path, path: Path, *, layers: int = 1) -> Path:
    """Write `path` from a folder whose network has `layers` per block and, in its down path, attention from block 1 on."""
    unet = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    vae = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    second = folder / "text_encoder_2" / "model.safetensors"
    blocks = 1 + max(int(name.split(".")[1]) for name in unet if name.startswith("down_blocks."))
    tensors = {f"model.diffusion_model.{_unet_name(name, layers, blocks, set(unet))}": unet[name] for name in unet}
    tensors |= _vae(vae)
    first = "conditioner.embedders.0" if second.is_file() else "cond_stage_model"
    for name, weight in load_file(folder / "text_encoder" / "model.safetensors").items():
        tensors[f"{first}.transformer.text_model.{name.removeprefix('text_model.')}"] = weight
    if second.is_file():
        tensors |= _open_clip(load_file(second))
    save_file(tensors, path)
    return path


def _unet_name(name: str, layers: int, blocks: int, names: set[str]) -> str:
    for ours, theirs in _ENDS.items():
        if name.startswith(ours + "."):
            return theirs + name.removeprefix(ours)
    if found := re.match(r"mid_block\.(attentions|resnets)\.(\d)\.(.*)", name):
        kind, index, rest = found.groups()
        return f"middle_block.{1 if kind == 'attentions' else 2 * int(index)}.{_inner(kind, rest)}"
    side, block, kind, index, rest = re.match(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", name).groups()  # type: ignore[union-attr]
    per = layers + 1
    place = int(block) * per + int(index)
    if kind == "downsamplers":
        return f"input_blocks.{per * (int(block) + 1)}.0.{rest.replace('conv', 'op')}"
    if kind == "upsamplers":
        attended = any(other.startswith(f"up_blocks.{block}.attentions") for other in names)
        return f"output_blocks.{int(block) * per + layers}.{2 if attended else 1}.{rest}"
    row = f"input_blocks.{place + 1}" if side == "down" else f"output_blocks.{place}"
    return f"{row}.{1 if kind == 'attentions' else 0}.{_inner(kind, rest)}"


def _inner(kind: str, rest: str) -> str:
    if kind == "attentions":
        return rest
    for ours, theirs in _RESNET.items():
        if rest.startswith(ours + "."):
            return theirs + rest.removeprefix(ours)
    return rest


def _open_clip(text: Tensors) -> Tensors:
    """Return SDXL's second text encoder in OpenCLIP's layout: queries, keys and values in one tensor."""
    named: Tensors = {}
    for name, weight in text.items():
        plain = name.removeprefix("text_model.")
        for ours, theirs in _OPEN_CLIP.items():
            plain = plain.replace(ours, theirs)
        if ".q_proj." in plain:
            kinds = [text[name.replace(".q_proj.", f".{kind}_proj.")] for kind in "qkv"]
            named[plain.replace(".q_proj.", ".in_proj_")] = np.concatenate(kinds)
        elif plain == "text_projection":
            named[plain] = np.ascontiguousarray(weight.T)
        elif ".k_proj." not in plain and ".v_proj." not in plain:
            named[plain] = weight
    return {f"conditioner.embedders.1.model.{name}": weight for name, weight in named.items()}


def _vae(vae: Tensors) -> Tensors:
    named: Tensors = {}
    for name, weight in vae.items():
        new = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        new = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", new)
        new = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", new)
        new = re.sub(r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up.{3 - int(m[1])}.block.{m[2]}", new)
        new = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample", new)
        new = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", new)
        if "mid_block.attentions.0" in new:
            new = new.replace("mid_block.attentions.0", "mid.attn_1")
            for ours, theirs in _ATTENTION.items():
                new = new.replace(f".{ours}.", f".{theirs}.")
            if new.endswith("weight") and weight.ndim == 2:
                weight = weight[:, :, None, None]  # a 1 x 1 convolution there
        named[f"first_stage_model.{new}"] = np.ascontiguousarray(weight)
    return named
