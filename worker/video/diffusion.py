"""Stable Video Diffusion: one picture becomes a short clip. It knows no scenes, no sound and no captions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.states import FailureKind
from worker.context import TaskError
from worker.images.loading import quiet_libraries
from worker.models.catalogue import Model
from worker.models.header import read_header
from worker.models.resident import GIB, budget_gib, resident
from worker.models.weights import refuse_unsafe, variant_of
from worker.video.memory import MemoryPlan, compiling_pays, plan_for, working_size
from worker.video.quicker import attend_to_one_token, compile_blocks
from worker.video.stretch import NATURAL_FPS, Picture

OnStep = Callable[[int, int, float], None]
"""Called after every denoising step with its number from 1, how many there are and the seconds it took."""
NOISE_AUGMENTATION = 0.02  # the pipeline's default: how far the clip may leave its picture
RAW_NAMES = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}


@dataclass(frozen=True)
class ClipRequest:
    """One clip to make.

    Attributes:
        picture: uint8 [h, w, 3] RGB, of the shape that `Svd.size` returns.
        steps: denoising steps.
        motion: 1 (hardly any) to 255; 127 is what the model was trained around.
        steps_to_come: of all clips after this one; decides whether compiling pays.
    """

    picture: Picture
    steps: int
    motion: int
    seed: int
    steps_to_come: int = 0


@dataclass
class Svd:
    """A loaded pipeline and how it fits the device."""

    pipe: Any
    plan: MemoryPlan
    device: str
    compiled: bool = False

    @property
    def frames(self) -> int:
        """How many frames a clip has."""
        return int(self.pipe.unet.config.num_frames)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height in pixels at which this model draws a frame of this shape."""
        side_px = int(self.pipe.unet.config.sample_size or 96) * int(self.pipe.vae_scale_factor)
        return working_size(width, height, area_px=side_px * side_px)

    def animate(self, asked: ClipRequest, *, check: Callable[[], None], on_step: OnStep) -> NDArray[np.uint8]:
        """Return the clip, uint8 [frames, H, W, 3] RGB.

        Args:
            check: raises when the job was cancelled; called between the blocks of the networks.

        Raises:
            TaskError: `diffusion_failed`: the network gave no numbers.
        """
        import torch
        from PIL import Image

        high, wide = asked.picture.shape[:2]
        before = time.monotonic()
        step_s = 0.0

        def stepped(pipe: Any, number: int, timestep: Any, held: dict[str, Any]) -> dict[str, Any]:
            nonlocal before, step_s
            if self.device != "cpu":
                torch.cuda.synchronize(self.device)
            check()
            now = time.monotonic()
            step_s, before = now - before, now
            on_step(number + 1, asked.steps, step_s)
            return held

        with _checked_between_blocks(self.pipe, check), quiet_libraries():
            clip = self.pipe(
                Image.fromarray(asked.picture),
                height=high,
                width=wide,
                num_frames=self.frames,
                num_inference_steps=asked.steps,
                fps=NATURAL_FPS,
                motion_bucket_id=asked.motion,
                noise_aug_strength=NOISE_AUGMENTATION,
                decode_chunk_size=self.plan.decode_chunk,
                generator=torch.Generator("cpu").manual_seed(asked.seed),
                callback_on_step_end=stepped,
                output_type="np",
            ).frames[0]
        if not np.isfinite(clip).all():
            raise TaskError(
                "diffusion_failed", "the video model gave no numbers", kind=FailureKind.BUG,
                hint="the weights may be damaged: compare their sha256",
            )  # fmt: skip
        if self.device != "cpu" and not self.compiled and compiling_pays(step_s=step_s, steps_left=asked.steps_to_come):
            compile_blocks(self.pipe.unet)
            self.compiled = True
        return np.asarray((clip * 255).round(), np.uint8)


def first_plan(device: str) -> MemoryPlan:
    """Return how a model is run on this device at first, from the memory that is free for us."""
    return plan_for(device, free_gib=0.0 if device == "cpu" else budget_gib(device))


@contextmanager
def loaded(model: Model, *, device: str, plan: MemoryPlan) -> Iterator[Svd]:
    """Lend the pipeline of a model; it stays loaded for the next run.

    Raises:
        TaskError: the weights are refused, damaged (`weights_corrupt`) or too big.
    """
    size_gib = plan.needs_gib or 1.5 * model.size_bytes / GIB
    key = f"{model.id}:{model.sha256}:{plan.name}"
    with resident(key, lambda: load(model.path, plan=plan, device=device), size_gib=size_gib, device=device) as svd:
        yield svd


def load(folder: Path, *, plan: MemoryPlan, device: str) -> Svd:
    """Load a `StableVideoDiffusionPipeline` folder: safetensors only, no hub, float16 on a GPU.

    Raises:
        TaskError: `weights_pickled`, `weights_unsafe`, `weights_missing` or `weights_corrupt`.
    """
    refuse_unsafe(folder)
    import torch
    from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import StableVideoDiffusionPipeline

    with quiet_libraries():
        try:
            pipe: Any = StableVideoDiffusionPipeline.from_pretrained(
                folder,
                dtype=torch.float32 if device == "cpu" else torch.float16,
                variant=variant_of(folder),
                use_safetensors=True,
                local_files_only=True,
            )
        except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise _corrupt(folder, f"{type(error).__name__}: {error}") from error
    _refuse_lacking_tensors(folder, pipe)
    pipe.set_progress_bar_config(disable=True)
    attend_to_one_token(pipe.unet)
    if plan.forward_chunks:
        pipe.unet.enable_forward_chunking()
    if plan.offload:
        pipe.enable_model_cpu_offload(device=device)
    else:
        pipe.to(device)
    return Svd(pipe, plan, device)


def _refuse_lacking_tensors(folder: Path, pipe: Any) -> None:
    """Refuse weights with fewer tensors than the network has: the library would fill them with noise and go on."""
    for part, name in RAW_NAMES.items():
        stored: set[str] = set()
        for path in sorted((folder / part).glob(f"{name}*.safetensors")):
            stored |= read_header(path).tensors.keys()
        wanted: Mapping[str, Any] = getattr(pipe, part).state_dict()
        if lacking := sorted(wanted.keys() - stored):
            raise _corrupt(folder, f"{part} lacks {len(lacking)} of {len(wanted)} tensors, {lacking[0]} for one")


@contextmanager
def _checked_between_blocks(pipe: Any, check: Callable[[], None]) -> Iterator[None]:
    """Call `check` before every block of the networks, so that a cancel need not wait for a whole step."""
    from diffusers.models.resnet import ResnetBlock2D, SpatioTemporalResBlock
    from diffusers.models.transformers.transformer_temporal import TransformerSpatioTemporalModel

    # None of these is among the blocks that `compile_blocks` compiles: a hook on one would become part of its code.
    unet, vae = pipe.unet, pipe.vae
    blocks = [*unet.down_blocks, unet.mid_block, *unet.up_blocks]
    blocks += [part for part in unet.modules() if isinstance(part, TransformerSpatioTemporalModel)]
    blocks += [part for part in vae.modules() if isinstance(part, ResnetBlock2D | SpatioTemporalResBlock)]
    with ExitStack() as stack:
        for block in blocks:
            stack.callback(block.register_forward_pre_hook(lambda *_: check()).remove)
        yield


def _corrupt(folder: Path, why: str) -> TaskError:
    return TaskError(
        "weights_corrupt", f"{folder.name} cannot be loaded: {why}"[:1000], kind=FailureKind.DEPENDENCY,
        hint="fetch the folder again and compare the sha256 of its files",
    )  # fmt: skip
