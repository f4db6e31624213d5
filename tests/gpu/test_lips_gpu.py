"""Wav2Lip and ESRGAN on a GPU: they draw what the CPU draws, and how fast. Random weights, seed 0."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.filmed import FPS, RATE_HZ, babble, face_picture
from tests.tiny_lip_models import random_esrgan, random_wav2lip
from worker.lips.track import follow_face
from worker.lips.wav2lip import load, speaking
from worker.talking_head.face import FaceReader
from worker.upscale import esrgan
from worker.upscale.tiles import TiledPictures

pytestmark = pytest.mark.gpu
TOLERANCE = 3  # of 255: the GPU computes in half precision


@pytest.fixture(autouse=True)
def device_named() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    print(torch.cuda.get_device_name(), "CUDA", torch.version.cuda, "torch", torch.__version__)


def test_wav2lip_draws_what_the_cpu_draws(tmp_path: Path) -> None:
    shown = [face_picture(number) for number in range(64)]
    track, _ = follow_face(shown, FaceReader())
    path, drawn = random_wav2lip(tmp_path), []
    for device in ("cpu", "cuda:0"):
        network = load(path, device=device)
        for _ in range(2):  # the first round warms up
            began = time.perf_counter()
            made = list(
                speaking(iter([one.copy() for one in shown]), track, babble(3.0), RATE_HZ, fps=FPS, network=network,
                         device=device)
            )  # fmt: skip
        print(device, round(len(made) / (time.perf_counter() - began), 1), "pictures a second")
        drawn.append(np.stack(made).astype(int))
    assert np.abs(drawn[0] - drawn[1]).max() <= TOLERANCE


def test_esrgan_enlarges_like_the_cpu(tmp_path: Path) -> None:
    path = random_esrgan(tmp_path)
    made = [
        TiledPictures(esrgan.loaded(path, name="x", device=device)).enlarged(face_picture(0)).astype(int)
        for device in ("cpu", "cuda:0")
    ]
    assert np.abs(made[0] - made[1]).max() <= TOLERANCE
