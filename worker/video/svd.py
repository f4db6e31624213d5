"""The picture backend `svd`: scenes, their pictures, a diffusion clip of each, cut into one film without sound.

Every still and every clip is kept as an artifact; the film is cut from the kept clips.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.states import FailureKind
from worker.context import TaskContext, TaskError
from worker.video.shot import Drawing, Shot, Tell

if TYPE_CHECKING:
    from worker.models.catalogue import Model
    from worker.storyboard.scenes import Scene
    from worker.video.diffusion import Svd
    from worker.video.stretch import Picture

STILLS_SHARE, CLIPS_SHARE = 0.15, 0.85  # of the work before the first frame: where stills and where clips end
CLIP_CRF = 12  # close to lossless: the clip is encoded once more, with the film
NEEDED = ("torch", "diffusers", "transformers", "accelerate")
DEVICES = "REELGRAPH_WORKER_DEVICES"


def available(device: str | None, *, forced: bool) -> str | None:
    """Return why clips cannot be made here, in words a person can act on, or None. It loads no model and no torch.

    Args:
        device: `cpu`, `cuda:N`, or None for whatever the worker has.
        forced: asked for by name, so that a CPU is accepted too.
    """
    from worker.models.catalogue import lacking

    if (reason := lacking("svd", purpose="variant svd by video diffusion")) is not None:
        return reason
    if absent := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        return f"video diffusion needs the Python packages {', '.join(absent)}: run `make models`"
    if not forced and "cuda" not in (device or os.environ.get(DEVICES, "cpu")):
        return f"video diffusion takes hours on a CPU: give the worker a GPU ({DEVICES}=cuda:0)"
    return None


def draw(ctx: TaskContext, shot: Shot, tell: Tell) -> Drawing:
    """Make the stills and the clips, and return the film that is cut from them.

    Raises:
        TaskError: a model or an image is unusable, or memory ran out in every way to run the model (kind capacity).
        TaskCancelled: the job was cancelled.
    """
    from worker.models.catalogue import choose
    from worker.storyboard.scenes import storyboard
    from worker.video.speaking import lips_model, speaking

    model = choose("svd")
    scenes = storyboard(
        shot.speech.words,
        duration_s=shot.duration_s,
        title=shot.title,
        stage=shot.script.stage,
        facts=[source.sentence for source in shot.script.sources],
        seed=shot.seed,
    )
    stills, makers = _stills(ctx, shot, scenes, tell)
    clips, plan = _clips(ctx, shot, model, stills, tell)
    ctx.log("svd.animated", model=model.id, scenes=len(clips), memory_plan=plan)
    frames = _sized(ctx, shot, scenes, clips)
    lips = lips_model()
    if lips is not None:
        frames, spoke = speaking(ctx, shot, frames, _within(tell, CLIPS_SHARE, 1.0))
        lips = lips if spoke else None
    facts = {"models": models(), "pictures": ", ".join(sorted(set(makers))), "lips": lips.id if lips else "none"}
    return Drawing(frames, facts | {"memory_plan": plan})


def models() -> dict[str, str]:
    """Return id -> sha256 of the models that a run would use here and now; where it is not yet known, a stand-in."""
    from worker.images.choice import models as of_stills
    from worker.models.catalogue import choose
    from worker.video.speaking import lips_model, size_model

    used = [choose("svd"), lips_model(), size_model()]
    drawn = {id: sha256 for id, sha256 in of_stills().items() if id != "composer"}
    return drawn | {model.id: model.fingerprint for model in used if model is not None}


def _sized(ctx: TaskContext, shot: Shot, scenes: Sequence[Scene], clips: Sequence[Path]) -> Iterator[Picture]:
    """Yield the film, its clips enlarged by the user's Real-ESRGAN where there is one and they are too small."""
    from worker.av.check import probe
    from worker.video.film import film
    from worker.video.speaking import enlarger, size_model

    if size_model() is None:
        yield from film(shot, scenes, clips)
        return
    seen = probe(clips[0])
    with enlarger(ctx, shot, width=seen.width_px, height=seen.height_px) as enlarge:
        yield from film(shot, scenes, clips, enlarge=enlarge)


def _within(tell: Tell, start: float, end: float) -> Tell:
    """Return a tell for the part of the work from `start` to `end`."""

    def told(done: float, **said: Any) -> None:
        tell(start + (end - start) * done, **said)

    return told


def _stills(ctx: TaskContext, shot: Shot, scenes: Sequence[Scene], tell: Tell) -> tuple[list[Path], list[str]]:
    """Make and keep the picture of each scene; return the files and what made them."""
    import cv2

    from worker.av.video import jpeg
    from worker.video.pictures import scene_pictures

    def told(number: int, share: float) -> None:
        tell(STILLS_SHARE * (number + share) / len(scenes), stage="scenes", step=number + 1, steps=len(scenes))

    files: list[Path] = []
    makers: list[str] = []
    for number, picture in enumerate(scene_pictures(ctx, shot, scenes, tell=told)):
        name = f"scene-{number + 1:03d}.png"
        cv2.imwrite(str(ctx.workdir / name), cv2.cvtColor(picture.image, cv2.COLOR_RGB2BGR))
        media = {
            "width_px": picture.image.shape[1],
            "height_px": picture.image.shape[0],
            "backend": picture.maker,
            "scene": number + 1,
        }
        saved = ctx.save(ctx.workdir / name, kind="image", name=name, media=media, role="part")
        ctx.preview(jpeg(picture.image))
        files.append(Path(saved["path"]))
        makers.append(picture.maker)
    return files, makers


def _clips(ctx: TaskContext, shot: Shot, model: Model, stills: Sequence[Path], tell: Tell) -> tuple[list[Path], str]:
    """Animate the stills in order; return the clips and the memory plan that sufficed."""
    from worker.models.resident import release
    from worker.video.diffusion import first_plan, loaded
    from worker.video.memory import smaller

    tell(STILLS_SHARE, stage="loading the video model")
    release(ctx.device)  # what made the stills, if it is idle, before the free memory is looked at
    plan = first_plan(ctx.device)
    clips: list[Path] = []
    while True:
        lacked: str | None = None
        try:
            with loaded(model, device=ctx.device, plan=plan) as svd:
                for number in range(len(clips), len(stills)):
                    clips.append(_clip(ctx, shot, svd, stills[number], number=number, count=len(stills), tell=tell))
                return clips, plan.name
        except Exception as error:
            if "OutOfMemoryError" not in {ancestor.__name__ for ancestor in type(error).__mro__}:
                raise
            lacked = str(error)  # the error itself holds tensors: it must be gone before the next plan is loaded
        release(ctx.device)
        following = smaller(plan)
        if following is None:
            raise TaskError(
                "gpu_out_of_memory", f"{model.id} does not fit with any memory plan: {lacked}"[:1000],
                kind=FailureKind.CAPACITY, got=plan.name, hint="use a GPU with 8 GB or more and nothing else on it",
            )  # fmt: skip
        ctx.log("svd.memory_short", plan=plan.name, following=following.name)
        plan = following


def _clip(ctx: TaskContext, shot: Shot, svd: Svd, still: Path, *, number: int, count: int, tell: Tell) -> Path:
    """Animate one still, keep the clip and return its file."""
    import numpy as np
    from PIL import Image

    from worker.av.video import VideoWriter, jpeg
    from worker.video.diffusion import ClipRequest
    from worker.video.fitting import covering
    from worker.video.stretch import NATURAL_FPS

    def on_step(step: int, steps: int, step_s: float) -> None:
        share = (number + step / (steps + 1)) / count
        metrics = {"s_per_step": step_s}
        tell(STILLS_SHARE + (CLIPS_SHARE - STILLS_SHARE) * share, stage="animation", step=number * steps + step,
             steps=count * steps, metrics=metrics)  # fmt: skip

    width, height = svd.size(shot.width, shot.height)
    with Image.open(still) as file:
        picture = covering(np.asarray(file.convert("RGB"), np.uint8), width, height)
    asked = ClipRequest(
        picture, steps=shot.steps, motion=shot.motion, seed=(shot.seed + number) % 2**31,
        steps_to_come=(count - number - 1) * shot.steps,
    )  # fmt: skip
    clip = svd.animate(asked, check=ctx.check_cancelled, on_step=on_step)
    path = ctx.workdir / f"scene-{number + 1:03d}.mp4"
    with VideoWriter(path, width=width, height=height, fps=NATURAL_FPS, crf=CLIP_CRF) as writer:
        for frame in clip:
            writer.write(frame)
    ctx.preview(jpeg(clip[len(clip) // 2]))
    media = {
        "width_px": width, "height_px": height, "fps": NATURAL_FPS, "frames": len(clip),
        "duration_s": len(clip) / NATURAL_FPS, "backend": "svd", "scene": number + 1,
    }  # fmt: skip
    return Path(ctx.save(path, kind="video", name=path.name, media=media, role="part")["path"])
