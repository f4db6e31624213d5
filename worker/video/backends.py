"""Which backend draws the pictures of a variant, here and now: the first of its list that can run.

`REELGRAPH_SVD_BACKEND` and `REELGRAPH_SADTALKER_BACKEND` name one backend, or `auto` (default). It loads no backend
until one is asked, and a backend that lacks its models loads none of its libraries.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from schemas.states import FailureKind
from worker.context import TaskContext, TaskError
from worker.video.shot import Draw, Drawing, Shot, Tell

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from schemas.script import Script
    from worker.speech.timing import Speech

AUTO = "auto"


class Check(Protocol):
    """Says why a backend cannot run, or None; see `worker.video.svd.available`."""

    def __call__(self, device: str | None, *, forced: bool) -> str | None: ...


@dataclass(frozen=True)
class PictureBackend:
    """One way to draw the pictures of a variant."""

    name: str
    available: Check
    draw: Draw


def _svd_available(device: str | None, *, forced: bool) -> str | None:
    from worker.video.svd import available

    return available(device, forced=forced)


def _svd(ctx: TaskContext, shot: Shot, tell: Tell) -> Drawing:
    from worker.video.svd import draw

    return draw(ctx, shot, tell)


def _storyboard_available(device: str | None, *, forced: bool) -> str | None:
    from worker.storyboard.render import available

    return available()


def _storyboard(ctx: TaskContext, shot: Shot, tell: Tell) -> Drawing:
    from worker.storyboard.render import frames

    _say_what_is_ignored(ctx, shot)
    return Drawing(_embedded(frames, ctx, shot))


def _sadtalker_available(device: str | None, *, forced: bool) -> str | None:
    from worker.sadtalker import available

    return available() or _viseme_warp_available(device, forced=forced)


def _sadtalker(ctx: TaskContext, shot: Shot, tell: Tell) -> Drawing:
    from worker.sadtalker import draw

    return draw(ctx, shot, tell)


def _viseme_warp_available(device: str | None, *, forced: bool) -> str | None:
    try:
        from worker.talking_head.render import available
    except ImportError as error:
        return f"the talking-head backend cannot be loaded: {error}"
    return available()


def _viseme_warp(ctx: TaskContext, shot: Shot, tell: Tell) -> Drawing:
    from worker.talking_head.render import frames

    _say_what_is_ignored(ctx, shot)
    return Drawing(_embedded(frames, ctx, shot))


BACKENDS: dict[str, tuple[PictureBackend, ...]] = {
    "svd": (
        PictureBackend("svd", _svd_available, _svd),
        PictureBackend("storyboard", _storyboard_available, _storyboard),
    ),
    "sadtalker": (
        PictureBackend("sadtalker", _sadtalker_available, _sadtalker),
        PictureBackend("viseme_warp", _viseme_warp_available, _viseme_warp),
    ),
}
"""Variant -> its backends, the best first."""


def chosen(variant: str, *, device: str | None = None) -> PictureBackend:
    """Return the backend that runs now.

    Args:
        device: of the run; None stands for whatever the worker has.

    Raises:
        TaskError: `backend_unavailable` (kind dependency), with the reason of each.
    """
    wanted = os.environ.get(setting(variant), "").strip() or AUTO
    names = [backend.name for backend in BACKENDS[variant]]
    if wanted not in (AUTO, *names):
        allowed = [AUTO, *names]
        raise _unavailable(f"{setting(variant)}={wanted!r} names no backend", got=wanted, allowed=allowed)
    reasons: list[str] = []
    for backend in BACKENDS[variant]:
        if wanted in (AUTO, backend.name):
            reason = backend.available(device, forced=wanted == backend.name)
            if reason is None:
                return backend
            reasons.append(f"{backend.name}: {reason}")
    raise _unavailable("; ".join(reasons), got=variant, allowed=names)


def available(variant: str) -> str | None:
    """Return why no backend of the variant can run here, or None."""
    try:
        chosen(variant)
    except TaskError as error:
        return str(error)
    return None


def name_of(variant: str) -> str:
    """Return the name of the backend that would run, for the card; the first one's where none can."""
    try:
        return chosen(variant).name
    except TaskError:
        return BACKENDS[variant][0].name


def models() -> dict[str, str]:
    """Return id -> sha256 of the models that a render would use here and now; embedded backends have none."""
    if name_of("svd") != "svd" or available("svd") is not None:
        return {}
    from worker.video.svd import models

    return models()


def setting(variant: str) -> str:
    """Return the name of the environment variable that names the backend of a variant."""
    return f"REELGRAPH_{variant.upper()}_BACKEND"


class Frames(Protocol):
    """The `frames` function of an embedded backend."""

    def __call__(
        self, ctx: TaskContext, *, script: Script, speech: Speech, images: list[Path], width: int, height: int,
        fps: int, duration_s: float, seed: int, style: str, title: str,
    ) -> Iterator[NDArray[np.uint8]]: ...  # fmt: skip


def _embedded(frames: Frames, ctx: TaskContext, shot: Shot) -> Iterator[NDArray[np.uint8]]:
    return frames(
        ctx, script=shot.script, speech=shot.speech, images=shot.images, width=shot.width, height=shot.height,
        fps=shot.fps, duration_s=shot.duration_s, seed=shot.seed, style=shot.style, title=shot.title,
    )  # fmt: skip


def _say_what_is_ignored(ctx: TaskContext, shot: Shot) -> None:
    if shot.lora is not None:
        ctx.log("The LoRA changes nothing in this video", reason="its pictures are drawn without a diffusion model")


def _unavailable(message: str, *, got: str, allowed: list[str]) -> TaskError:
    return TaskError("backend_unavailable", message, kind=FailureKind.DEPENDENCY, got=got, allowed=allowed)
