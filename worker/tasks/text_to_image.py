"""The task `text_to_image`: a prompt becomes one or more pictures, by whichever image backend runs here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from schemas.capability import Resources
from schemas.resolution import ALLOWED, parse_resolution
from schemas.states import FailureKind
from worker.context import TaskContext
from worker.images.choice import chosen, lacking, models
from worker.images.schedulers import SchedulerName
from worker.registry import Backend, Inputs, Outputs, Params, task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pictures = tuple[list[NDArray[np.uint8]], dict[str, Any]]

LARGEST_PX = 2048  # of a side that a model draws
LARGEST_COMPOSED_PX = 4096
COMPOSED_PX = (768, 512)


class TextToImageParams(Params):
    """What to draw and how. Sides are pixels; None means what suits the backend and the model."""

    negative_prompt: str = Field(default="", max_length=4000, description="What must not be in the picture.")
    width: int | None = Field(default=None, ge=64, le=LARGEST_PX, multiple_of=8)
    height: int | None = Field(default=None, ge=64, le=LARGEST_PX, multiple_of=8)
    resolution: str | None = Field(
        default=None, description="`720p`, `1024x768`: instead of width and height; rounded to multiples of 8."
    )
    steps: int = Field(default=30, ge=1, le=150, description="Denoising steps; more are slower and finer.")
    guidance_scale: float = Field(default=7.0, ge=0, le=30, description="How closely to follow the prompt.")
    scheduler: SchedulerName = Field(default="default", description="The sampler; `default` is the model's own.")
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="0 is a seed derived from the job.")
    count: int = Field(default=1, ge=1, le=16, description="How many; each next picture has the next seed.")
    style: str = Field(default="", max_length=1000, description="Added to the prompt.")
    lora_scale: float = Field(default=1.0, ge=0, le=2, description="How strongly the LoRA works.")
    reference_strength: float = Field(
        default=0.6, ge=0.05, le=1, description="How far the picture may leave the reference image."
    )
    model: str | None = Field(default=None, max_length=200, description="Id of a model, or a ComfyUI checkpoint.")

    @model_validator(mode="after")
    def _one_size(self) -> TextToImageParams:
        if self.resolution is not None and (self.width or self.height):
            raise ValueError("give resolution, or width and height, not both")
        if self.resolution is not None and parse_resolution(self.resolution) is None:
            raise ValueError(f"cannot draw {self.resolution!r}; allowed: {ALLOWED}")
        if (self.width is None) != (self.height is None):
            raise ValueError("give both width and height, or neither")
        return self


@task(
    "text_to_image",
    variants={"default": Backend(chosen, lacking)},
    resources=Resources(memory_gib=2.0),
    idle_timeout_s=300,
    cacheable=True,
    models=models,
)
def text_to_image(ctx: TaskContext, params: TextToImageParams, inputs: Inputs) -> Outputs:
    """Make a picture from a text prompt."""
    prompt = str(inputs.get("prompt") or "").strip()
    if not prompt:
        ctx.fail("empty_prompt", "there is nothing to draw: the prompt is empty", path="inputs.prompt")
    began = time.monotonic()
    backend = chosen(device=ctx.device)
    if backend == "composer":
        pictures, facts = _composed(ctx, params, inputs, prompt)
    else:
        trigger = str(dict((inputs.get("lora") or {}).get("media") or {}).get("trigger") or "")
        if trigger and trigger.lower() not in prompt.lower():
            prompt = f"{trigger}, {prompt}"
        prompt = f"{prompt}, {params.style}" if params.style else prompt
        draw = {"sd": _diffused, "comfyui": _fetched}.get(backend)
        if draw is None:
            ctx.fail("unknown_backend", str(lacking()), kind=FailureKind.DEPENDENCY, got=backend)
        pictures, facts = draw(ctx, params, inputs, prompt)
    ctx.progress(0.99, stage="saving")
    facts |= {"backend": backend, "lora": _told_of(inputs.get("lora")), "lora_scale": params.lora_scale}
    saved = [_saved(ctx, picture, number, params, facts) for number, picture in enumerate(pictures)]
    ctx.log("image.drawn", backend=backend, count=len(saved), total_s=round(time.monotonic() - began, 2))
    ctx.progress(1.0, stage="done")
    return {"image": {**saved[0], "backend": backend}}


def _diffused(ctx: TaskContext, params: TextToImageParams, inputs: Inputs, prompt: str) -> Pictures:
    from worker.images.diffusion import chosen_model, generate

    width, height = _size(ctx, params)
    reference = inputs.get("reference")
    pictures = generate(
        ctx, prompt, negative_prompt=params.negative_prompt, width=width, height=height, steps=params.steps,
        guidance_scale=params.guidance_scale, scheduler=params.scheduler, seed=params.seed, count=params.count,
        lora=inputs.get("lora"), lora_scale=params.lora_scale, model=params.model,
        reference=Path(reference["path"]) if reference else None, strength=params.reference_strength,
    )  # fmt: skip
    model = chosen_model(params.model, inputs.get("lora"))
    return pictures, {"model": model.id, "model_sha256": model.sha256, "licence": model.licence}


def _fetched(ctx: TaskContext, params: TextToImageParams, inputs: Inputs, prompt: str) -> Pictures:
    from worker.images.comfyui import draw
    from worker.images.policy import refuse_unfit

    if inputs.get("reference"):
        ctx.fail("reference_unsupported", "the ComfyUI backend draws from words only", path="inputs.reference",
                 hint="leave the reference out, or use the backend sd")  # fmt: skip
    width, height = _size(ctx, params)
    pictures, model = draw(
        ctx, prompt, negative_prompt=params.negative_prompt, width=width, height=height, steps=params.steps,
        guidance_scale=params.guidance_scale, scheduler=params.scheduler, seed=params.seed, count=params.count,
        lora=inputs.get("lora"), lora_scale=params.lora_scale, model=params.model,
    )  # fmt: skip
    refuse_unfit(pictures, device=ctx.device)
    return pictures, {"model": model}


def _composed(ctx: TaskContext, params: TextToImageParams, inputs: Inputs, prompt: str) -> Pictures:
    """Paint scenes from drawn parts; what only a model can do is refused, not ignored."""
    from worker.images.composer import compose, told
    from worker.images.latents import small_jpeg

    for port in ("lora", "reference"):
        if inputs.get(port):
            ctx.fail(
                f"{port}_unsupported", f"the scene composer paints from drawn parts: a {port} has no effect on it",
                kind=FailureKind.DEPENDENCY, path=f"inputs.{port}",
                hint="install a Stable Diffusion model (`reelgraph doctor` says where), or connect a ComfyUI server",
            )  # fmt: skip
    if params.model is not None:
        ctx.fail("model_unknown", "the scene composer has no models", path="params.model", got=params.model,
                 allowed=None, hint="leave model empty, or install a Stable Diffusion model")  # fmt: skip
    width, height = _size(ctx, params, largest_px=LARGEST_COMPOSED_PX)
    pictures = []
    for number in range(params.count):
        picture, staging = compose(
            prompt, width=width or COMPOSED_PX[0], height=height or COMPOSED_PX[1],
            seed=(params.seed or ctx.seed) + number, negative_prompt=params.negative_prompt, style=params.style,
        )  # fmt: skip
        pictures.append(picture)
        ctx.preview(small_jpeg(picture))
        ctx.progress(0.98 * (number + 1) / params.count, stage="composing", step=number + 1, steps=params.count)
        if number == 0:
            ctx.log(
                "composed from drawn parts, not by a diffusion model" if staging.known
                else "the composer knows no thing or place of this prompt: it wrote words instead",
                place=staging.background, hour=staging.hour, things=told(staging.parts), letters=staging.letters,
            )  # fmt: skip
    return pictures, {"model": "scene composer"}


def _size(
    ctx: TaskContext, params: TextToImageParams, *, largest_px: int = LARGEST_PX
) -> tuple[int | None, int | None]:
    """Return the sides in pixels, multiples of 8, or (None, None) for the backend's own."""
    size = parse_resolution(params.resolution) if params.resolution else None
    if size is None:
        return params.width, params.height
    width, height = round(size.width / 8) * 8, round(size.height / 8) * 8
    if max(width, height) > largest_px:
        ctx.fail(
            "image_too_large", f"{size} is larger than an image backend draws", path="params.resolution",
            got=str(size), allowed=f"sides of 64 to {largest_px} px", hint="draw it smaller and enlarge it",
        )  # fmt: skip
    return width, height


def _told_of(lora: Mapping[str, Any] | None) -> str | None:
    return None if lora is None else str(lora.get("sha256") or lora.get("name") or "unnamed")


def _saved(
    ctx: TaskContext,
    picture: NDArray[np.uint8],
    number: int,
    params: TextToImageParams,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Write one picture as PNG and keep it: the first is the output, the others are parts."""
    from PIL import Image

    name = "image.png" if number == 0 else f"image-{number + 1}.png"
    told = {key: value for key, value in facts.items() if value is not None}
    if "lora" not in told:
        told.pop("lora_scale", None)
    media = {
        "width_px": picture.shape[1], "height_px": picture.shape[0],
        "seed": (params.seed or ctx.seed) + number, **told,
    }  # fmt: skip
    path = ctx.workdir / name
    Image.fromarray(picture).save(path, "PNG", compress_level=4)
    return ctx.save(path, kind="image", name=name, media=media, role="output" if number == 0 else "part")
