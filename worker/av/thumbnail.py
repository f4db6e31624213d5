"""The still that stands for a video. Knows how to tell a telling frame from a black or flat one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from schemas.states import FailureKind
from worker.av.source import opened
from worker.av.video import Frame, jpeg, rgb
from worker.context import TaskError

WIDTH_PX = 640
QUALITY = 85
GOOD_CONTRAST = 18.0  # standard deviation of brightness, 0..127; black and plain frames have less than 10
OTHER_RATIOS = (0.5, 0.65, 0.2, 0.8, 0.1, 0.9, 0.0)


def thumbnail(video: Path, out: Path, *, at_ratio: float = 0.35) -> None:
    """Write a JPEG, 640 px wide, of the frame at this part of the video, or of a better one when that is black or flat.

    Raises:
        TaskError: `undecodable`: the file, or it has no pictures.
    """
    best: tuple[float, Frame] | None = None
    for ratio in (at_ratio, *OTHER_RATIOS):
        frame = _frame_at(video, ratio)
        if frame is None:
            continue
        contrast = float(np.std(frame.mean(axis=2)))
        if best is None or contrast > best[0]:
            best = (contrast, frame)
        if contrast >= GOOD_CONTRAST:
            break
    if best is None:
        raise TaskError("undecodable", f"{video.name} has no pictures", kind=FailureKind.INPUT)
    out.write_bytes(jpeg(best[1], width=WIDTH_PX, quality=QUALITY))


def _frame_at(video: Path, ratio: float) -> Frame | None:
    """Return the first frame at or after this part of the video, or the last one there is."""
    with opened(video) as container:
        if not container.streams.video:
            return None
        stream = container.streams.video[0]
        target_s = ratio * (container.duration or 0) / 1_000_000
        container.seek(int(target_s * 1_000_000), backward=True)
        found = None
        for frame in container.decode(stream):
            found = frame
            if float(frame.time or 0.0) + 1e-6 >= target_s:
                break
        return None if found is None else rgb(found)
