"""Enlarging pictures: tiles, exact reuse, the packaged networks and the user's weights."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.filmed import face_picture, plain_picture
from tests.tiny_lip_models import random_esrgan
from worker.context import TaskError
from worker.upscale import esrgan, packaged
from worker.upscale.picture import lanczos_sharpened, resized, upscale_image
from worker.upscale.tiles import Enlarger, TiledPictures, tiles


def small_face() -> NDArray[np.uint8]:
    return resized(face_picture(0), width=96, height=80)


def psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    error = np.mean((one.astype(float) - other) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def doubled(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return picture.repeat(2, axis=1).repeat(2, axis=2)


def test_tiles_cover_a_picture_once() -> None:
    covered = np.zeros((70, 45), int)
    for seen, core in tiles(70, 45, tile_px=32, margin_px=6):
        covered[core] += 1
        assert all(
            whole.start <= part.start and part.stop <= whole.stop for part, whole in zip(core, seen, strict=True)
        )
    assert (covered == 1).all()


def test_what_did_not_change_is_not_computed_again() -> None:
    calls: list[tuple[int, ...]] = []

    def counting(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        calls.append(picture.shape)
        return doubled(picture)

    tiled = TiledPictures(Enlarger("counting", counting, 2, tile_px=40, margin_px=4))
    first = plain_picture(0, width=120, height=80)
    assert np.array_equal(tiled.enlarged(first), first.repeat(2, axis=0).repeat(2, axis=1))
    assert len(calls) == 6
    changed = first.copy()
    changed[70, 100] = 255  # one tile, away from its neighbours
    assert np.array_equal(tiled.enlarged(changed), changed.repeat(2, axis=0).repeat(2, axis=1))
    assert (len(calls), tiled.computed, tiled.reused) == (7, 7, 5)
    near = changed.copy()
    near[38, 38] = 0  # inside the margins of four tiles
    tiled.enlarged(near)
    assert len(calls) == 11


@pytest.mark.parametrize("factor", packaged.FACTORS)
def test_the_packaged_network_enlarges_and_resembles(factor: int) -> None:
    picture = small_face()
    large = upscale_image(picture, factor, device="cpu", backend="realesrgan_ncnn")
    assert large.shape == (80 * factor, 96 * factor, 3)
    assert psnr_db(resized(large, width=96, height=80), picture) > 24
    for plain in (
        resized(picture, width=96 * factor, height=80 * factor),
        lanczos_sharpened(picture, width=96 * factor, height=80 * factor),
    ):
        assert psnr_db(large, plain) < 33  # it is not resampling


def test_its_colours_are_not_swapped() -> None:
    red = np.full((24, 24, 3), (200, 40, 20), np.uint8)
    made = upscale_image(red, 2, device="cpu", backend="realesrgan_ncnn").mean(axis=(0, 1))
    assert np.abs(made - (200, 40, 20)).max() < 12


def test_its_tiles_leave_no_seam() -> None:
    """The same picture in one piece and in nine: the joints differ no more than coding noise would."""
    picture, whole = small_face(), packaged.enlarger(2)
    one = TiledPictures(whole).enlarged(picture).astype(int)
    nine = TiledPictures(Enlarger("nine", whole.network, 2, tile_px=32, margin_px=whole.margin_px)).enlarged(picture)
    difference = np.abs(one - nine)
    assert difference.mean() < 0.5
    assert np.percentile(difference, 99.5) <= 6


def test_a_broken_factor_is_resampled_to_the_exact_size() -> None:
    large = upscale_image(small_face(), 1.5, device="cpu", backend="realesrgan_ncnn")
    assert large.shape == (120, 144, 3)
    assert psnr_db(resized(large, width=96, height=80), small_face()) > 24


@pytest.mark.parametrize("scale", [1.0, 0.5, 4.5])
def test_a_scale_out_of_reach_is_refused(scale: float) -> None:
    with pytest.raises(TaskError) as error:
        upscale_image(small_face(), scale, device="cpu")
    assert error.value.failure.code == "bad_scale"


@pytest.mark.parametrize("scale", [2, 4])
def test_the_users_weights_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: int) -> None:
    random_esrgan(tmp_path, scale=scale)
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path))
    picture = small_face()
    assert esrgan.available() is None
    large = upscale_image(picture, scale, device="cpu")
    assert large.shape == (80 * scale, 96 * scale, 3)
    assert psnr_db(resized(large, width=96, height=80), picture) > 18
    random_esrgan(tmp_path, scale=scale, seed=5)
    assert psnr_db(upscale_image(picture, scale, device="cpu"), large) < 40  # other weights, another picture


def test_the_stand_in_for_torchvision_does_not_stay(tmp_path: Path) -> None:
    for _ in range(2):
        esrgan.loaded(random_esrgan(tmp_path), name="x", device="cpu")
    if importlib.util.find_spec("torchvision") is None:
        assert not [name for name in sys.modules if name.startswith("torchvision")]


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    path = tmp_path / "x.safetensors"
    save_file({"lstm.weight": torch.zeros(4, 4)}, path)
    for content, code in (
        (None, "weights_mismatch"),
        (b"\xff" * 80, "weights_corrupt"),
        (b"\x80\x02}.", "weights_pickled"),
    ):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(TaskError) as error:
            esrgan.loaded(path, name="x", device="cpu")
        assert error.value.failure.code == code
