"""A portrait speaks: measured on the rendered pictures, not on what was asked of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.script import Script
from worker.context import TaskContext, TaskError
from worker.speech.timing import Speech
from worker.talking_head.face import FaceReader
from worker.talking_head.metric import av_correlation, mouth_opening
from worker.talking_head.render import available, frames

pytestmark = pytest.mark.skipif(available() is not None, reason=str(available()))
FPS, RATE_HZ, SIZE_PX = 25, 16_000, 288


def babble(seed: int, *, duration_s: float = 5.0) -> NDArray[np.float32]:
    """Return syllables of random length and loudness with formant-like tones, float32 [T] in [-1, 1]."""
    random = np.random.default_rng(seed)
    count = round(duration_s * RATE_HZ)
    time_s = np.arange(count) / RATE_HZ
    loud = np.zeros(count)
    start_s = 0.3
    while start_s < duration_s - 0.5:
        length_s = random.uniform(0.12, 0.35)
        inside = (time_s - start_s) / length_s
        loud += np.where((inside > 0) & (inside < 1), np.sin(np.pi * np.clip(inside, 0, 1)), 0) * random.uniform(0.4, 1)
        start_s += length_s + random.choice([0.04, 0.08, 0.35])
    voice = sum(np.sin(2 * np.pi * hz * time_s) for hz in (240, 480, 720, 1200, 2400))
    return (0.12 * loud * voice).astype(np.float32)


def rendered(tmp_path: Path, samples: NDArray[np.float32], **changes: Any) -> list[NDArray[np.uint8]]:
    notes: list[dict[str, Any]] = []
    ctx = TaskContext(job_id="local", node_id="render", attempt=1, workdir=tmp_path, emit=notes.append)
    asked: dict[str, Any] = {
        "script": Script(stage="A portrait speaks.", narrative="Hello."),
        "speech": Speech(samples, RATE_HZ, (), (), "test"),
        "images": [],
        "width": SIZE_PX,
        "height": SIZE_PX,
        "fps": FPS,
        "duration_s": 5.0,
        "seed": 5,
        "style": "",
        "title": "",
    } | changes
    shown = list(frames(ctx, **asked))
    assert asked["images"] or any("astronaut" in note.get("message", "") for note in notes)
    return shown


def test_the_mouth_follows_the_voice_and_no_other(tmp_path: Path) -> None:
    voice = babble(1)
    opening = mouth_opening(rendered(tmp_path, voice), FaceReader())
    own = av_correlation(opening, voice, RATE_HZ, fps=FPS)
    others = [av_correlation(opening, babble(seed), RATE_HZ, fps=FPS).value for seed in range(2, 22)]
    assert own.value >= 0.6
    assert abs(own.lag_frames) <= 1
    assert own.value > np.percentile(others, 95) + 0.15


def test_frames_are_counted_repeatable_and_still_around_the_head(tmp_path: Path) -> None:
    voice = babble(1)
    first = rendered(tmp_path, voice, duration_s=1.5, width=480)
    again = rendered(tmp_path, voice, duration_s=1.5, width=480)
    assert len(first) == round(1.5 * FPS)
    assert all(frame.shape == (SIZE_PX, 480, 3) and frame.dtype == np.uint8 for frame in first)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    moved = np.max([np.abs(frame.astype(int) - first[0]).max(axis=2) for frame in first], axis=0)
    assert np.count_nonzero(moved > 40) > 50  # the face
    assert moved[: SIZE_PX // 2, -60:].max() == 0  # the background
    assert moved[: SIZE_PX // 2, :40].max() == 0


def test_a_picture_without_a_face_is_refused_before_the_first_frame(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (300, 300), (90, 120, 160)).save(tmp_path / "sky.png")
    with pytest.raises(TaskError) as error:
        rendered(tmp_path, babble(1), images=[tmp_path / "sky.png"])
    assert error.value.failure.code == "no_face"
