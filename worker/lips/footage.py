"""The pictures of a video in the order a longer sound needs them, and how fast they come. Knows no faces, no sound."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.av.check import probe
from worker.av.video import Frame, read_frames
from worker.context import TaskError

MAX_RAW_BYTES = 4 << 30  # pictures kept on disk to be shown backwards; beyond, the last one is held


@dataclass(frozen=True)
class Footage:
    """A video at a steady rate.

    Attributes:
        count: pictures at that rate.
        width, height: even, in px; an odd edge row or column is cut off.
        fps: whole pictures a second.
    """

    path: Path
    count: int
    width: int
    height: int
    fps: int

    @property
    def turns(self) -> bool:
        """Whether it can be shown backwards: it has several pictures, and few enough to be kept on disk."""
        return self.count > 1 and self.count * self.width * self.height * 3 <= MAX_RAW_BYTES

    @property
    def duration_s(self) -> float:
        return self.count / self.fps

    def pictures(self) -> Iterator[Frame]:
        """Yield `count` pictures, uint8 [H, W, 3] RGB, each the caller's own; one is repeated where the file has a gap.

        Raises:
            TaskError: `undecodable`.
        """
        shown: Frame | None = None
        number = 0
        for time_s, frame in read_frames(self.path):
            due = min(self.count, math.ceil(time_s * self.fps - 0.5))
            while shown is not None and number < due:
                yield shown.copy()
                number += 1
            shown = frame[: self.height, : self.width]
        while shown is not None and number < self.count:
            yield shown.copy()
            number += 1

    def in_order(self, order: NDArray[np.int64], *, scratch: Path) -> Iterator[Frame]:
        """Yield the pictures with these numbers; they are kept in the folder `scratch` when some come again."""
        if bool((np.diff(order) >= 0).all()):
            yield from self._onward(order)
            return
        path = scratch / "pictures.raw"
        kept = np.memmap(path, np.uint8, "w+", shape=(int(order.max()) + 1, self.height, self.width, 3))
        try:
            for slot, picture in zip(kept, self.pictures(), strict=False):
                slot[:] = picture
            for number in order:
                yield np.array(kept[number])
        finally:
            del kept
            path.unlink()

    def _onward(self, order: NDArray[np.int64]) -> Iterator[Frame]:
        """Yield pictures whose numbers never fall, from one pass over the file."""
        wanted = np.bincount(order, minlength=self.count)
        for picture, times in zip(self.pictures(), wanted, strict=True):
            for _ in range(times):
                yield picture.copy()


def footage(path: Path) -> Footage:
    """Look at a video file.

    Raises:
        TaskError: `undecodable` or `no_pictures`.
    """
    facts = probe(path)
    if facts.video_codec is None:
        raise TaskError("no_pictures", f"{path.name} has no pictures", path="inputs.video", hint="Give a video file.")
    fps = min(120, max(1, round(facts.fps)))
    first_s, end_s = math.inf, 0.0
    for time_s, _ in read_frames(path):
        first_s, end_s = min(first_s, time_s), max(end_s, time_s)
    if not math.isfinite(first_s):
        raise TaskError("undecodable", f"{path.name} has no picture that can be decoded", path="inputs.video")
    step_s = 1 / facts.fps if facts.fps else 1 / fps
    count = max(1, round((end_s + step_s) * fps))
    return Footage(path, count, facts.width_px // 2 * 2, facts.height_px // 2 * 2, fps)


def shown_order(footage: Footage, *, duration_s: float) -> NDArray[np.int64]:
    """Return which picture is shown at each place, int64 [N]: all of them, then back and forth until the sound ends.

    What cannot be shown backwards ends with its last picture, held.
    """
    count = max(footage.count, math.ceil(duration_s * footage.fps - 1e-6))
    places = np.arange(count)
    last = footage.count - 1
    if not footage.turns or count == footage.count:
        return np.minimum(places, last)
    return np.abs((places + last) % (2 * last) - last)
