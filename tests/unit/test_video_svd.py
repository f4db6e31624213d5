"""Stable Video Diffusion on a tiny random model: the code path, the refusals, the cancel, the short cuts."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tiny_video_models import FRAMES, svd_pipeline, tiny_svd
from worker.context import TaskCancelled, TaskError
from worker.images.loading import quiet_libraries
from worker.models.resident import release
from worker.video.diffusion import ClipRequest, Svd, load
from worker.video.memory import ON_CPU
from worker.video.quicker import attend_to_one_token, compile_blocks

SIDE_PX = 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_svd(tmp_path_factory.mktemp("models") / "tiny-svd")


@pytest.fixture(scope="module")
def svd(folder: Path) -> Svd:
    return load(folder, plan=ON_CPU, device="cpu")


def picture(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)


def request(**changes: Any) -> ClipRequest:
    return dataclasses.replace(ClipRequest(picture(), steps=2, motion=127, seed=5), **changes)


def animated(svd: Svd, asked: ClipRequest, check: Callable[[], None] = lambda: None) -> NDArray[np.uint8]:
    return svd.animate(asked, check=check, on_step=lambda *_: None)


def test_a_clip_moves_and_is_not_its_picture(svd: Svd) -> None:
    clip = animated(svd, request())
    assert clip.shape == (FRAMES, SIDE_PX, SIDE_PX, 3)
    assert clip.dtype == np.uint8
    steps = np.abs(np.diff(clip.astype(int), axis=0)).mean(axis=(1, 2, 3))
    assert (steps > 1).all()
    assert np.abs(clip[0].astype(int) - picture()).mean() > 10
    assert clip.std() > 5


def test_seed_picture_and_motion_decide_the_clip(svd: Svd) -> None:
    first = animated(svd, request())
    assert np.array_equal(first, animated(svd, request()))
    for changes in ({"seed": 6}, {"picture": picture(1)}, {"motion": 20}, {"steps": 3}):
        assert not np.array_equal(first, animated(svd, request(**changes))), changes


def test_the_clip_is_that_of_the_stock_pipeline_call(svd: Svd) -> None:
    """Attending to one token the short way and checking between blocks change no picture."""
    import torch
    from PIL import Image

    stock = svd_pipeline()
    stock.set_progress_bar_config(disable=True)
    with quiet_libraries():
        frames = stock(
            Image.fromarray(picture()), height=SIDE_PX, width=SIDE_PX, num_frames=FRAMES, num_inference_steps=2,
            motion_bucket_id=127, decode_chunk_size=ON_CPU.decode_chunk, output_type="np",
            generator=torch.Generator("cpu").manual_seed(5),
        ).frames[0]  # fmt: skip
    ours = animated(svd, request()).astype(int)
    assert np.abs(ours - np.round(frames * 255)).max() <= 1


def test_attending_to_one_token_is_exact_and_longer_contexts_go_the_long_way() -> None:
    import torch

    unet = svd_pipeline().unet.eval()
    short = svd_pipeline().unet.eval()
    assert attend_to_one_token(short) == 8
    sample, ids = torch.randn(1, FRAMES, 8, 8, 8, generator=torch.Generator().manual_seed(1)), torch.ones(1, 3)
    for tokens in (1, 2):
        context = torch.randn(1, tokens, 32, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            long = unet(sample, 0.5, encoder_hidden_states=context, added_time_ids=ids).sample
            quick = short(sample, 0.5, encoder_hidden_states=context, added_time_ids=ids).sample
        assert torch.allclose(long, quick, atol=1e-6)
        assert long.std() > 0.01


def test_a_cancel_in_mid_step_ends_the_clip_at_the_next_block(svd: Svd) -> None:
    calls = 0

    def cancel_in_the_second_step() -> None:
        nonlocal calls
        calls += 1
        if calls == 30:
            raise TaskCancelled

    steps: list[int] = []
    with pytest.raises(TaskCancelled):
        svd.animate(
            request(steps=50), check=cancel_in_the_second_step, on_step=lambda step, *_: steps.append(step)
        )  # fmt: skip
    assert calls == 30
    assert len(steps) < 10
    assert animated(svd, request()).shape[0] == FRAMES  # nothing is left hooked


def test_a_cancel_from_outside_is_obeyed_within_a_second(svd: Svd) -> None:
    import threading

    cancelled = threading.Event()

    def check() -> None:
        if cancelled.is_set():
            raise TaskCancelled

    asked_at: list[float] = []

    def on_step(step: int, *_: float) -> None:
        if step == 2:
            asked_at.append(time.monotonic())
            cancelled.set()

    with pytest.raises(TaskCancelled):
        svd.animate(request(steps=100), check=check, on_step=on_step)
    assert time.monotonic() - asked_at[0] < 1.0


@pytest.mark.parametrize(
    ("damage", "code"), [("cut", "weights_corrupt"), ("pickle", "weights_pickled"), ("lacking", "weights_corrupt")]
)
def test_damaged_weights_are_refused(folder: Path, tmp_path: Path, damage: str, code: str) -> None:
    from safetensors.torch import load_file, save_file

    damaged = Path(shutil.copytree(folder, tmp_path / "damaged"))
    weights = damaged / "unet" / "diffusion_pytorch_model.safetensors"
    match damage:
        case "cut":
            weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
        case "pickle":
            weights.rename(weights.with_suffix(".bin"))
        case _:
            tensors = load_file(weights)
            del tensors["conv_in.weight"]
            save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(TaskError) as error:
        load(damaged, plan=ON_CPU, device="cpu")
    assert error.value.failure.code == code


def test_weights_that_give_no_numbers_are_told_from_a_clip(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["conv_out.weight"] = tensors["conv_out.weight"] * float("nan")
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(TaskError) as error:
        animated(load(broken, plan=ON_CPU, device="cpu"), request())
    assert error.value.failure.code == "diffusion_failed"


@pytest.mark.slow
def test_compiled_blocks_give_the_same_clip_and_can_still_be_cancelled(folder: Path, svd: Svd) -> None:
    """With the compiler that only captures graphs: building kernels takes minutes on a CPU and changes no hook."""
    compiled = load(folder, plan=ON_CPU, device="cpu")
    assert compile_blocks(compiled.pipe.unet, compiler="eager") == 16
    with quiet_libraries():
        clip = animated(compiled, request())
    assert np.abs(clip.astype(int) - animated(svd, request())).max() <= 1
    calls = iter(range(20))

    def check() -> None:
        if next(calls, None) is None:
            raise TaskCancelled

    with pytest.raises(TaskCancelled):
        animated(compiled, request(), check)


def test_the_frugal_plan_gives_the_same_clip(folder: Path, svd: Svd) -> None:
    from worker.video.memory import ON_GPU

    frugal = dataclasses.replace(ON_GPU[-1], offload=False, decode_chunk=ON_CPU.decode_chunk)
    pieces = animated(load(folder, plan=frugal, device="cpu"), request())
    assert np.abs(pieces.astype(int) - animated(svd, request())).max() <= 1


@pytest.fixture(autouse=True, scope="module")
def _nothing_stays_loaded() -> Any:
    yield
    release()
