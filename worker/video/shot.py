"""What a picture backend is asked for and what it gives back. It knows no backend and no sound file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from schemas.script import Script
    from worker.context import TaskContext
    from worker.speech.timing import Speech


@dataclass(frozen=True)
class Shot:
    """Everything the pictures of one video depend on.

    Attributes:
        speech: the narration with its times; it may be shorter than the video.
        images: the user's pictures, local files, in order.
        lora: a value of the port `lora` whose `path` is a local file, or None.
        width, height: of the video, in pixels.
        seed: the same shot on the same machine gives the same frames.
        motion: how much diffusion moves, 1 (hardly) to 255.
        steps: denoising steps of a clip.
    """

    script: Script
    speech: Speech
    images: list[Path]
    lora: Mapping[str, Any] | None
    width: int
    height: int
    fps: int
    duration_s: float
    seed: int
    style: str
    title: str
    motion: int
    steps: int

    @property
    def frames(self) -> int:
        """How many frames the video has."""
        return round(self.duration_s * self.fps)


@dataclass(frozen=True)
class Drawing:
    """Pictures on their way.

    Attributes:
        frames: exactly `shot.frames` pictures, uint8 [H, W, 3] RGB, the lower fifth calm.
        facts: what joins the media facts of the video, e.g. the models that drew it.
    """

    frames: Iterator[NDArray[np.uint8]]
    facts: Mapping[str, Any] = field(default_factory=dict)


class Tell(Protocol):
    """Reports how much of the work before the first frame is done, 0.0 to 1.0. Raises TaskCancelled."""

    def __call__(
        self,
        done: float,
        *,
        stage: str,
        step: int | None = None,
        steps: int | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None: ...


Draw = Callable[["TaskContext", Shot, Tell], Drawing]
"""Does the slow work before the first frame, telling how far it is, and returns the drawing."""
