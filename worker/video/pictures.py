"""The still picture that each scene starts from: the user's, one from a text-to-image model, or a composed one.

It knows no video diffusion. `_painted` is the one place where a text-to-image model is asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from worker.context import TaskContext, TaskError
from worker.storyboard.photos import PhotoScene
from worker.storyboard.scenes import Scene
from worker.storyboard.staging import StagedScene
from worker.video.memory import working_size
from worker.video.shot import Shot
from worker.video.stretch import Picture

SETTLED_S = 1.0  # after its last actor came in, a composed scene is complete
PROMPT_WORDS = 45  # about what fits into the 77 tokens of CLIP
NEGATIVE_PROMPT = "text, watermark, logo, caption, frame, blurry, deformed, low quality"
STEPS, GUIDANCE = 30, 7.0  # the defaults of text_to_image
NATIVE_PX = {"sd15": 512, "sdxl": 1024}
Told = Callable[[int, float], None]
"""Called with the number of a scene and the share of its picture that is done."""


@dataclass(frozen=True)
class ScenePicture:
    """A still, uint8 [H, W, 3] RGB of about the video's shape, and what made it, for the artifact and the card."""

    image: Picture
    maker: str


def scene_pictures(ctx: TaskContext, shot: Shot, scenes: Sequence[Scene], *, tell: Told) -> Iterator[ScenePicture]:
    """Yield one picture a scene, in order.

    Raises:
        TaskError: an image cannot be read (`undecodable`), or the text-to-image model failed.
    """
    painter = "user" if shot.images else _painter(ctx.device)
    photos = [_read(path, longest_px=round(1.5 * max(shot.width, shot.height))) for path in shot.images]
    if shot.lora is not None and painter in ("user", "composer"):
        reason = "the user's own pictures are shown" if photos else "no text-to-image model runs here"
        ctx.log("The LoRA changes nothing in this video", reason=reason)
    for number, scene in enumerate(scenes):
        ctx.check_cancelled()
        tell(number, 0.0)
        if photos:
            still = PhotoScene(scene, photos[number % len(photos)], width=shot.width, height=shot.height, title="")
            yield ScenePicture(still.draw(scene.start_s), "user")
        elif painter == "composer":
            yield ScenePicture(_composed(shot, scene), "storyboard")
        else:
            yield _painted(ctx, shot, scene, painter, number=number, tell=tell)


def prompt_of(shot: Shot, scene: Scene) -> str:
    """Return what a text-to-image model is asked to show: the LoRA's word, what is said, the style, the setting."""
    trigger = str((shot.lora or {}).get("media", {}).get("trigger") or "")
    parts = [part.strip(" ,") for part in (trigger, scene.text, shot.style, shot.script.stage)]
    return " ".join(", ".join(part for part in parts if part).split()[:PROMPT_WORDS])


def _painter(device: str) -> str:
    """Return `sd`, `comfyui` or, where neither runs, `composer`."""
    from worker.images.choice import chosen, reasons

    named = chosen(device=device)
    return named if named in ("sd", "comfyui") and reasons()[named]() is None else "composer"


def _painted(ctx: TaskContext, shot: Shot, scene: Scene, painter: str, *, number: int, tell: Told) -> ScenePicture:
    """Ask the text-to-image backend; what it reports as progress of its own becomes ours."""
    from worker.images import comfyui, diffusion, policy

    def emit(message: dict[str, object]) -> None:
        if message["type"] == "progress":
            step, steps = message.get("step"), message.get("steps")
            if isinstance(step, int) and isinstance(steps, int):
                tell(number, step / steps)
        else:
            ctx.emit(message)

    ours = dataclasses.replace(ctx, emit=emit)
    prompt, seed = prompt_of(shot, scene), (shot.seed + number) % 2**31
    if painter == "comfyui":
        width, height = working_size(shot.width, shot.height, area_px=NATIVE_PX["sdxl"] ** 2)
        pictures, model = comfyui.draw(
            ours, prompt, negative_prompt=NEGATIVE_PROMPT, width=width, height=height, steps=STEPS,
            guidance_scale=GUIDANCE, scheduler="default", seed=seed, count=1, lora=shot.lora, lora_scale=1.0,
            model=None,
        )  # fmt: skip
        policy.refuse_unfit(pictures, device=ctx.device)
        return ScenePicture(pictures[0], f"comfyui:{model}")
    model = diffusion.chosen_model(lora=shot.lora)
    width, height = working_size(shot.width, shot.height, area_px=_side_px(model.path, model.family) ** 2)
    pictures = diffusion.generate(
        ours, prompt, negative_prompt=NEGATIVE_PROMPT, width=width, height=height, steps=STEPS,
        guidance_scale=GUIDANCE, seed=seed, lora=shot.lora,
    )  # fmt: skip
    return ScenePicture(pictures[0], f"sd:{model.id}")


def _side_px(model: Path, family: str) -> int:
    """Return the side of the square for which a text-to-image model was trained."""
    from worker.models.weights import read_json

    config = model / "unet" / "config.json"
    told = read_json(config).get("sample_size") if config.is_file() else None
    return told * 8 if isinstance(told, int) else NATIVE_PX[family]


def _read(path: Path, *, longest_px: int) -> Picture:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise TaskError(
            "undecodable", f"{path.name} is not a readable image", path="inputs.images", allowed="PNG, JPEG, WebP"
        )
    factor = min(1.0, longest_px / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else image
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)


def _composed(shot: Shot, scene: Scene) -> Picture:
    """Return the scene composer's picture at the moment when everything is in it, without letters."""
    plain = dataclasses.replace(scene, lettering=None)
    tone = shot.title or shot.script.title or shot.script.narrative[:60]
    staged = StagedScene(plain, width=shot.width, height=shot.height, style=shot.style, title="", tone=tone)
    complete_s = max((actor.enters_s for actor in scene.actors), default=scene.start_s) + SETTLED_S
    return staged.draw(min(complete_s, scene.end_s))
