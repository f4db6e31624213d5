"""A Stable Diffusion base model in parts, from a diffusers folder or a single file. It knows no pictures."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.context import TaskError
from worker.lora.published import write_configs

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Base:
    """What a LoRA is trained on. All parts start on the CPU.

    Attributes:
        text_encoders, tokenizers: one for SD 1.5, two for SDXL.
        scheduler_config: of the folder's scheduler; it says how noise was added.
    """

    family: str
    unet: Any
    vae: Any
    text_encoders: tuple[Any, ...]
    tokenizers: tuple[Any, ...]
    scheduler_config: dict[str, Any]

    @property
    def pixels_per_latent(self) -> int:
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def native_px(self) -> int:
        """The side the model was trained for: 512 for SD 1.5, 1024 for SDXL."""
        return int(self.unet.config.sample_size) * self.pixels_per_latent

    @property
    def multiple_px(self) -> int:
        """What a side must be a multiple of, so that every level of the network halves evenly."""
        return self.pixels_per_latent * 2 ** (len(self.unet.config.block_out_channels) - 1)

    @property
    def parameters(self) -> int:
        return sum(part.numel() for part in self.unet.parameters())


def precision(device: str) -> torch.dtype:
    """Return what a device computes in: bfloat16 where it can, else float32."""
    import torch

    wide = device == "cpu" or not torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.float32 if wide else torch.bfloat16


def load_base(path: Path, *, family: str, dtype: torch.dtype) -> Base:
    """Return the parts of a model on the CPU, in `dtype`, but the VAE in float32; nothing is fetched.

    Args:
        path: a diffusers folder, or a single `.safetensors` file as its authors published it.

    Raises:
        TaskError: a weight file is missing, pickled or corrupt (see `worker/models/weights.py`).
    """
    from worker.images.loading import quiet_libraries

    with quiet_libraries():
        if path.is_dir():
            return _of_folder(path, family, dtype)
        with tempfile.TemporaryDirectory(prefix="reelgraph-configs-") as scratch:
            return of_single_file(path, write_configs(family, Path(scratch)), family=family, dtype=dtype)


def of_single_file(path: Path, configs: Path, *, family: str, dtype: torch.dtype) -> Base:
    """Return the parts of a single file, whose architecture and tokenizers are those of the folder `configs`.

    Raises:
        TaskError: `weights_corrupt`: its tensors are not those of the architecture.
    """
    import torch
    from diffusers.loaders.single_file_utils import SingleFileComponentError
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
    from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import StableDiffusionXLPipeline

    given: dict[str, Any] = {"config": str(configs), "local_files_only": True}
    plain: dict[str, Any] = {"safety_checker": None, "requires_safety_checker": False} if family == "sd15" else {}
    kind = StableDiffusionPipeline if family == "sd15" else StableDiffusionXLPipeline
    try:
        pipe: Any = kind.from_single_file(str(path), torch_dtype=dtype, **given, **plain)
        vae: Any = pipe.vae
        if dtype != torch.float32:
            vae = AutoencoderKL.from_single_file(str(path), subfolder="vae", torch_dtype=torch.float32, **given)
    except (KeyError, RuntimeError, ValueError, SingleFileComponentError) as error:
        raise _unfit(path, family, str(error)) from error
    second = family == "sdxl"
    parts = (pipe.unet, vae, pipe.text_encoder, *([pipe.text_encoder_2] if second else []))
    for part in parts:
        if absent := [name for name, weight in part.named_parameters() if weight.is_meta]:
            raise _unfit(path, family, f"{len(absent)} weights are missing, {absent[0]} among them")
        part.eval().requires_grad_(False)
    return Base(
        family=family,
        unet=pipe.unet,
        vae=vae,
        text_encoders=parts[2:],
        tokenizers=(pipe.tokenizer, *([pipe.tokenizer_2] if second else [])),
        scheduler_config=dict(pipe.scheduler.config),
    )


def _unfit(path: Path, family: str, why: str) -> TaskError:
    return TaskError(
        "weights_corrupt", f"{path.name} cannot be read as a {family} model: {why[:500]}", path="/params/base",
        hint="fetch the file again, or use a diffusers folder",
    )  # fmt: skip


def _of_folder(folder: Path, family: str, dtype: torch.dtype) -> Base:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    from worker.models.weights import refuse_unsafe, variant_of

    refuse_unsafe(folder)
    variant = variant_of(folder)

    def read(kind: Any, part: str, **how: Any) -> Any:
        found = kind.from_pretrained(folder / part, local_files_only=True, use_safetensors=True, variant=variant, **how)
        return found.eval().requires_grad_(False)

    encoders: list[Callable[[], Any]] = [lambda: read(CLIPTextModel, "text_encoder", dtype=dtype)]
    if family == "sdxl":
        encoders.append(lambda: read(CLIPTextModelWithProjection, "text_encoder_2", dtype=dtype))
    tokenizers = ["tokenizer", "tokenizer_2"][: len(encoders)]
    return Base(
        family=family,
        unet=read(UNet2DConditionModel, "unet", torch_dtype=dtype),
        vae=read(AutoencoderKL, "vae", torch_dtype=torch.float32),
        text_encoders=tuple(encoder() for encoder in encoders),
        tokenizers=tuple(CLIPTokenizer.from_pretrained(folder / name, local_files_only=True) for name in tokenizers),
        scheduler_config=json.loads((folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8")),
    )
