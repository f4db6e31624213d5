"""The files a training leaves: the adapter in two formats with its origin in their headers, and the model card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

DIFFUSERS_NAME = "pytorch_lora_weights.safetensors"
KOHYA_NAME = "lora_kohya.safetensors"
CARD_NAME = "model_card.json"
_ARCHITECTURE = {"sd15": "stable-diffusion-v1/lora", "sdxl": "stable-diffusion-xl-v1-base/lora"}
_KOHYA_BASE = {"sd15": "sd_v1", "sdxl": "sdxl_base_v1-0"}


def write_diffusers(path: Path, adapter: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write the adapter as `load_lora_weights` of diffusers reads it."""
    from safetensors.torch import save_file

    save_file(_diffusers_names(adapter), path, metadata={"format": "pt", **header})


def write_kohya(
    path: Path, adapter: Mapping[str, Tensor], header: Mapping[str, str], *, family: str, rank: int
) -> None:
    """Write the adapter as kohya's scripts, ComfyUI and AUTOMATIC1111 read it (names of diffusers' blocks)."""
    from diffusers.utils.state_dict_utils import convert_all_state_dict_to_peft, convert_state_dict_to_kohya
    from safetensors.torch import save_file

    # The first conversion is needed: without it the second one refuses diffusers' names (FEASIBILITY-ML section 1).
    weights = convert_state_dict_to_kohya(convert_all_state_dict_to_peft(_diffusers_names(adapter)))
    facts = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(rank),
        "ss_network_alpha": str(rank),
        "ss_base_model_version": _KOHYA_BASE[family],
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": _ARCHITECTURE[family],
        "modelspec.implementation": "diffusers",
    }
    save_file({name: weight.contiguous() for name, weight in weights.items()}, path, metadata={**facts, **header})


def write_card(path: Path, card: Mapping[str, Any], *, weights: Mapping[str, Path]) -> None:
    """Write the model card: what the adapter was made of and how it went, with the digests of its files."""
    digests = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in weights.items()}
    text = json.dumps({**card, "files": digests}, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def header_of(provenance: Mapping[str, str], facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the safetensors header: the job's provenance key by key, and what the adapter is as JSON."""
    return {**provenance, "reelgraph_lora": json.dumps(facts, ensure_ascii=False, sort_keys=True)}


def _diffusers_names(adapter: Mapping[str, Tensor]) -> dict[str, Tensor]:
    from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers

    plain = {name.replace(".default.", "."): weight for name, weight in adapter.items()}
    return {f"unet.{name}": weight for name, weight in convert_state_dict_to_diffusers(plain).items()}
