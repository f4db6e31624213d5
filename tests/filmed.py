"""Small films and sounds for tests: the public-domain astronaut portrait moves, something speech-like is heard."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.av.audio import write_wav
from worker.av.video import VideoWriter

RATE_HZ = 16_000
WIDTH, HEIGHT, FPS = 240, 200, 25


@cache
def _portrait() -> NDArray[np.uint8]:
    from skimage import data

    return np.asarray(data.astronaut(), np.uint8)


def face_picture(number: int, *, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Return picture `number` of a film in which the face drifts, turns a little and comes nearer."""
    import cv2

    move = cv2.getRotationMatrix2D((222.0, 120.0), 3 * np.sin(number / 9), 1.05 + 0.05 * np.sin(number / 13))
    move[:, 2] += (width / 2 - 222 + 8 * np.sin(number / 7), height / 2 - 120 + 4 * np.sin(number / 5))
    return np.asarray(cv2.warpAffine(_portrait(), move, (width, height), flags=cv2.INTER_LINEAR), np.uint8)


def plain_picture(number: int, *, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Return a picture without a face: a bright bar that moves over a slope of greys."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = np.linspace(60, 140, width, dtype=np.uint8)[None, :, None]
    picture[20:60, 10 + 2 * number : 50 + 2 * number] = (220, 180, 80)
    return picture


def film(path: Path, pictures: list[NDArray[np.uint8]], *, fps: int = FPS) -> dict[str, Any]:
    """Write a silent MP4 and return its port value."""
    height, width = pictures[0].shape[:2]
    with VideoWriter(path, width=width, height=height, fps=fps, crf=12, preset="ultrafast", threads=1) as writer:
        for picture in pictures:
            writer.write(picture)
    return {"kind": "video", "name": path.name, "path": str(path)}


def babble(duration_s: float, *, seed: int = 0) -> NDArray[np.float32]:
    """Return something with the rhythm of speech at 16 kHz: voiced syllables of uneven length and loudness, pauses."""
    random = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    voice = sum(np.sin(2 * np.pi * 120 * part * time_s + part) / part**0.7 for part in range(1, 25))
    at_s, level = 0.0, np.zeros(len(time_s))
    while at_s < duration_s:
        long_s, loud = random.uniform(0.12, 0.3), random.uniform(0.2, 1.0)
        inside = (time_s >= at_s) & (time_s < at_s + long_s)
        level[inside] = loud * np.sin(np.pi * (time_s[inside] - at_s) / long_s) ** 2
        at_s += long_s + (random.uniform(0.15, 0.35) if random.random() < 0.3 else 0.02)
    noise = 0.001 * random.standard_normal(len(time_s))
    return (0.1 * voice * level + noise).astype(np.float32)


def sound(path: Path, samples: NDArray[np.float32]) -> dict[str, Any]:
    """Write a WAV and return its port value."""
    write_wav(path, samples, RATE_HZ)
    return {"kind": "audio", "name": path.name, "path": str(path)}
