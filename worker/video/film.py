"""Clips cut into one film: each as long as its scene, faded into the next, with the title over the first seconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from worker.av.video import read_frames
from worker.storyboard.finish import Finish
from worker.storyboard.layers import View
from worker.storyboard.lettering import Letters, drawable
from worker.storyboard.render import FADE_S
from worker.storyboard.scenes import Scene
from worker.video.fitting import covering
from worker.video.shot import Shot
from worker.video.stretch import Picture, stretched

TITLE_S = 3.2


def film(
    shot: Shot, scenes: Sequence[Scene], clips: Sequence[Path], *, enlarge: Callable[[Picture], Picture] | None = None
) -> Iterator[Picture]:
    """Yield exactly `shot.frames` pictures, uint8 [H, W, 3] RGB.

    Args:
        scenes: without gaps from 0 to the end of the video.
        clips: one file a scene.
        enlarge: applied to each picture of a clip when the clip begins.
    """
    shown = spans(scenes, count=shot.frames, fps=shot.fps)
    finish = Finish.of(shot.style, width=shot.width, height=shot.height, seed=shot.seed)
    letters = _title(shot)
    running: dict[int, Iterator[Picture]] = {}
    for number in range(shot.frames):
        t_s = number / shot.fps
        frame: Picture | None = None
        for at, span in enumerate(shown):
            if number not in span:
                running.pop(at, None)
                continue
            if at not in running:
                clip = [enlarge(picture) if enlarge else picture for _, picture in read_frames(clips[at])]
                running[at] = stretched(clip, len(span), fps=shot.fps)
            drawn = covering(next(running[at]), shot.width, shot.height)
            share = _smooth((t_s - scenes[at].start_s) / FADE_S + 0.5)
            frame = drawn if frame is None else np.asarray(cv2.addWeighted(frame, 1 - share, drawn, share, 0), np.uint8)
        assert frame is not None
        finished = finish.apply(frame, number)
        if letters is not None:
            letters.draw(finished, View(shot.width, shot.height, t_s, 1.0, 0.0, 0.0))
        yield finished


def spans(scenes: Sequence[Scene], *, count: int, fps: int) -> list[range]:
    """Return the frames in which each scene is seen, its fades included; every frame lies in at least one span."""
    found: list[range] = []
    for at, scene in enumerate(scenes):
        first = 0 if at == 0 else max(0, math.ceil((scene.start_s - FADE_S / 2) * fps))
        after = scenes[at + 1].start_s if at + 1 < len(scenes) else None
        last = count if after is None else min(count, math.floor((after + FADE_S / 2) * fps) + 1)
        found.append(range(first, max(first, last)))
    return found


def _title(shot: Shot) -> Letters | None:
    if not (text := drawable(shot.title)):
        return None
    return Letters(
        text, x=0.5, y=0.2, size=0.115, width=shot.width, height=shot.height, enters_s=-0.2, leaves_s=TITLE_S
    )


def _smooth(share: float) -> float:
    held = min(1.0, max(0.0, share))
    return held * held * (3 - 2 * held)
