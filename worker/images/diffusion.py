"""The image backend `sd`: Stable Diffusion 1.5 and XL through diffusers, with the user's weights.

One public function, `generate`, which the video backend uses for its scenes too. It saves no file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.context import TaskContext, TaskError
from worker.images.latents import StepPreviews, fitted_map
from worker.images.loading import FAMILIES, libraries_lacking, pipeline, quiet_libraries, resident_gib
from worker.images.lora import adapted
from worker.images.policy import policy_folder, policy_lacking, refuse_unfit
from worker.images.schedulers import SchedulerName, fresh
from worker.models.catalogue import Model, catalogue, choose, lacking
from worker.models.resident import CPU_BUDGET_GIB, GIB

Picture = NDArray[np.uint8]
"""uint8 [H, W, 3], RGB."""
BATCH_PIXELS = 4 * 1024 * 1024  # of one batch on a GPU
TILED_PIXELS = 1280 * 1280  # above this the decoder works in tiles
TIGHT_GIB = 4.0  # free memory of the GPU below which attention is sliced and the decoder tiled
GPU_DEVICES = (Path("/dev/nvidiactl"), Path("/dev/kfd"))


def available() -> str | None:
    """Return None when a model is here that this machine can hold, else what a person can do about it."""
    reason = libraries_lacking() or lacking(*FAMILIES, purpose="text_to_image") or policy_lacking()
    if reason is not None:
        return reason
    if fits_cpu() or any(path.exists() for path in GPU_DEVICES):
        return None
    return f"the model {choose(*FAMILIES).id!r} needs a GPU: a CPU may hold models of {CPU_BUDGET_GIB:g} GiB in all"


def fits_cpu() -> bool:
    """Tell whether the default model may be loaded on a CPU."""
    return resident_gib(choose(*FAMILIES), device="cpu") <= CPU_BUDGET_GIB


def generate(
    ctx: TaskContext,
    prompt: str,
    *,
    negative_prompt: str = "",
    width: int | None = None,
    height: int | None = None,
    steps: int = 30,
    guidance_scale: float = 7.0,
    scheduler: SchedulerName = "default",
    seed: int = 0,
    count: int = 1,
    lora: Mapping[str, Any] | None = None,
    lora_scale: float = 1.0,
    model: str | None = None,
    reference: Path | None = None,
    strength: float = 0.6,
    progress: Callable[[int, int], None] | None = None,
) -> list[Picture]:
    """Return `count` pictures of the prompt; the same arguments give the same pictures on one device.

    Args:
        width, height: pixels; drawn at the next multiples of 8 and cut to size. None is the model's own size.
        seed: of the first picture; the next ones have the next seeds. 0 is the context's own seed.
        lora: a `lora` port value (its `path` is read), laid over the model for this call only.
        model: id of a model of the catalogue; None is the base of the LoRA, or the default of `sdxl` or `sd15`.
        reference: a picture to start from; `strength` (0..1) says how far the result may leave it.
        progress: called with (steps done, steps in all) after each step; None reports through `ctx.progress`.

    Raises:
        TaskError: `model_missing`, `model_unknown`, `model_too_big`, `lora_*`, `weights_*`, `image_refused`,
            `image_empty`, `undecodable` (the reference).
        TaskCancelled: the job was cancelled; at the end of the current step at the latest.
    """
    chosen = chosen_model(model, lora)
    ctx.progress(0.0, stage=f"loading {chosen.id}")
    with pipeline(chosen, device=ctx.device) as pipe:
        ctx.check_cancelled()
        native_px = int(pipe.unet.config.sample_size) * int(pipe.vae_scale_factor)
        asked = (width or native_px, height or native_px)
        size = (math.ceil(asked[0] / 8) * 8, math.ceil(asked[1] / 8) * 8)
        _warn_of_long_prompt(ctx, pipe, prompt)
        affine = None if policy_folder() else _linear_map(pipe)
        pictures: list[Picture] = []
        with adapted(pipe, lora, scale=lora_scale, model=chosen, scratch=ctx.workdir):
            for first in range(0, count, batch := _batch(size, count, ctx.device)):
                number = min(batch, count - first)
                pictures += _drawn(
                    ctx, pipe, prompt, negative_prompt=negative_prompt, size=size, steps=steps,
                    guidance_scale=guidance_scale, scheduler=scheduler, first_seed=(seed or ctx.seed) + first,
                    number=number, reference=reference, strength=strength, affine=affine,
                    report=progress or _reporter(ctx), part=(first, number, count),
                )  # fmt: skip
    refuse_unfit(pictures, device=ctx.device)
    return [_cut(picture, asked) for picture in pictures]


def chosen_model(model: str | None = None, lora: Mapping[str, Any] | None = None) -> Model:
    """Return the model that `generate` uses: the one named, else the base of the LoRA or one of its family.

    Raises:
        TaskError: `model_missing`, `model_unknown`.
    """
    media = dict((lora or {}).get("media") or {})
    if model is None and media.get("family") in FAMILIES:
        base = [one.id for one in catalogue() if one.id == media.get("base") and one.family == media["family"]]
        return choose(media["family"], id=base[0] if base else None)
    return choose(*FAMILIES, id=model)


def _drawn(
    ctx: TaskContext,
    pipe: Any,
    prompt: str,
    *,
    negative_prompt: str,
    size: tuple[int, int],
    steps: int,
    guidance_scale: float,
    scheduler: SchedulerName,
    first_seed: int,
    number: int,
    reference: Path | None,
    strength: float,
    affine: NDArray[np.float32] | None,
    report: Callable[[int, int], None],
    part: tuple[int, int, int],
) -> list[Picture]:
    """Return one batch of pictures. `part` is (pictures before it, in it, in all)."""
    import torch

    own, previews = pipe.scheduler, StepPreviews(ctx, affine) if affine is not None else None

    def after_step(running: Any, index: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        before, inside, total = part
        all_steps = max(1, int(running.num_timesteps))
        report(round(steps * (before + inside * (index + 1) / all_steps)), steps * total)
        ctx.check_cancelled()
        if previews is not None:
            previews.offer(tensors["latents"])
        return {}

    given: dict[str, Any] = {
        "prompt": prompt, "negative_prompt": negative_prompt or None, "num_inference_steps": steps,
        "guidance_scale": guidance_scale, "num_images_per_prompt": number, "output_type": "np",
        "generator": [torch.Generator("cpu").manual_seed(first_seed + at) for at in range(number)],
        "callback_on_step_end": after_step, "callback_on_step_end_tensor_inputs": ["latents"],
    }  # fmt: skip
    running = pipe
    if reference is not None:
        running = _from_picture(pipe)
        given |= {"image": _read_reference(reference, size), "strength": strength}
        given["num_inference_steps"] = max(steps, math.ceil(1 / strength))  # at least one step is taken
    else:
        given |= {"width": size[0], "height": size[1]}
    _economise(pipe, size, ctx.device)
    try:
        with quiet_libraries():
            running.scheduler = fresh(scheduler, like=own)
            images = running(**given).images
    finally:
        pipe.scheduler = own
    pictures = [np.asarray(np.clip(np.nan_to_num(image) * 255 + 0.5, 0, 255), np.uint8) for image in images]
    if any(int(picture.max()) == int(picture.min()) for picture in pictures):
        raise TaskError("image_empty", "the model drew a picture of one single colour", got=first_seed,
                        hint="change the seed, the scheduler or the guidance scale")  # fmt: skip
    return pictures


def _cut(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return the middle of a picture, `size` (width, height) pixels."""
    top, left = (picture.shape[0] - size[1]) // 2, (picture.shape[1] - size[0]) // 2
    return np.ascontiguousarray(picture[top : top + size[1], left : left + size[0]])


def _reporter(ctx: TaskContext) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        ctx.progress(0.98 * done / total, stage="drawing", step=done, steps=total)

    return report


def _batch(size: tuple[int, int], count: int, device: str) -> int:
    return 1 if device == "cpu" else max(1, min(count, BATCH_PIXELS // (size[0] * size[1])))


def _linear_map(pipe: Any) -> NDArray[np.float32]:
    """Return the preview map of the pipeline, fitted at its first use and kept with it."""
    known = getattr(pipe, "_reelgraph_preview_map", None)
    if known is None:
        known = fitted_map(pipe.vae)
        pipe._reelgraph_preview_map = known
    return known


def _from_picture(pipe: Any) -> Any:
    """Return an image-to-image pipeline over the same weights."""
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline
    from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img import (
        StableDiffusionXLImg2ImgPipeline,
    )

    if "text_encoder_2" in pipe.components:
        running = StableDiffusionXLImg2ImgPipeline(**pipe.components, add_watermarker=False)
    else:
        running = StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
    running.set_progress_bar_config(disable=True)
    return running


def _read_reference(path: Path, size: tuple[int, int]) -> Any:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            return ImageOps.fit(ImageOps.exif_transpose(opened).convert("RGB"), size)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise TaskError(
            "undecodable", f"{path.name} is not a readable image", path="inputs.reference", allowed="PNG, JPEG, WebP"
        ) from error


def _economise(pipe: Any, size: tuple[int, int], device: str) -> None:
    """Trade speed for memory where it is needed: tiles for large pictures, slices where the GPU has little left."""
    tight = False
    if device != "cpu":
        import torch

        tight = torch.cuda.mem_get_info(device)[0] / GIB < TIGHT_GIB
    pipe.vae.enable_slicing()
    if tight or size[0] * size[1] > TILED_PIXELS:
        pipe.vae.enable_tiling()
    else:
        pipe.vae.disable_tiling()
    if tight:
        pipe.enable_attention_slicing()
    else:
        pipe.disable_attention_slicing()


def _warn_of_long_prompt(ctx: TaskContext, pipe: Any, prompt: str) -> None:
    with suppress(AttributeError):
        limit = int(pipe.tokenizer.model_max_length)
        length = len(pipe.tokenizer(prompt, truncation=False, verbose=False).input_ids)
        if length > limit:
            ctx.log("the model reads only the first words of this prompt", tokens=length, limit=limit)
