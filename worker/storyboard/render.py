"""The picture backend `storyboard`: narration in, frames out. It knows no sound, no captions, no files but its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from schemas.script import Script
from worker.context import TaskContext, TaskError
from worker.speech.timing import Speech, Word
from worker.storyboard.finish import Finish
from worker.storyboard.layers import Picture
from worker.storyboard.photos import PhotoScene
from worker.storyboard.scenes import Scene, storyboard
from worker.storyboard.staging import StagedScene

FADE_S = 0.55


def available() -> str | None:
    """Return None: everything this backend needs is shipped with it; else what is missing."""
    return (
        None if (Path(__file__).parent / "sprites" / "rocket.webp").is_file() else "worker/storyboard/sprites is empty"
    )


def frames(
    ctx: TaskContext,
    *,
    script: Script,
    speech: Speech,
    images: list[Path],
    width: int,
    height: int,
    fps: int,
    duration_s: float,
    seed: int,
    style: str,
    title: str,
) -> Iterator[NDArray[np.uint8]]:
    """Yield exactly `round(duration_s * fps)` frames, uint8 [height, width, 3] RGB, the lower fifth calm.

    Args:
        images: the user's pictures; when there are any, they are the scenes, in order.
        seed: the same inputs and seed give the same frames.

    Raises:
        TaskError: an image cannot be read (`undecodable`).
    """
    words = speech.words or _evenly(script.narrative, duration_s)
    facts = [source.sentence for source in script.sources]
    scenes = storyboard(words, duration_s=duration_s, title=title, stage=script.stage, facts=facts, seed=seed)
    ctx.log("storyboard.planned", scenes=[_told(scene) for scene in scenes], images=len(images))
    finish = Finish.of(style, width=width, height=height, seed=seed)
    tone = title or script.title or script.narrative[:60]
    photos = [_photo(path, width, height) for path in images]

    def staged(number: int) -> StagedScene | PhotoScene:
        shown = title if number == 0 else ""
        if photos:
            return PhotoScene(scenes[number], photos[number % len(photos)], width=width, height=height, title=shown)
        return StagedScene(scenes[number], width=width, height=height, style=style, title=shown, tone=tone)

    current, at, following = staged(0), 0, None
    for number in range(round(duration_s * fps)):
        t_s = number / fps
        if at + 1 < len(scenes) and t_s >= scenes[at + 1].start_s + FADE_S / 2:
            current, at, following = following or staged(at + 1), at + 1, None
        frame = current.draw(t_s)
        if at + 1 < len(scenes) and t_s > scenes[at + 1].start_s - FADE_S / 2:
            following = following or staged(at + 1)
            share = (t_s - scenes[at + 1].start_s) / FADE_S + 0.5
            share = share * share * (3 - 2 * share)
            frame = np.asarray(cv2.addWeighted(frame, 1 - share, following.draw(t_s), share, 0), np.uint8)
        yield finish.apply(frame, number)


def _told(scene: Scene) -> str:
    pictures = ", ".join(actor.sprite.name for actor in scene.actors)
    letters = f" “{scene.lettering.text}”" if scene.lettering else ""
    return f"{scene.start_s:.1f}-{scene.end_s:.1f} s {scene.background}: {pictures}{letters}"


def _photo(path: Path, width: int, height: int) -> Picture:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise TaskError(
            "undecodable", f"{path.name} is not a readable image", path="inputs.images", allowed="PNG, JPEG, WebP"
        )
    factor = min(1.0, 1.5 * max(width, height) / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else image
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)


def _evenly(text: str, duration_s: float) -> tuple[Word, ...]:
    """Return the words of a text spread evenly over a duration, for speech without word times."""
    words = text.split() or ["…"]
    step = duration_s / len(words)
    return tuple(Word(word, step * at, step * (at + 1)) for at, word in enumerate(words))
