"""Hostile and damaged weights: what is refused, by which code, and that nothing of it ever ran."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model_files import SD15, diffusers_folder, pickled, raw_file, weights_file
from worker.context import TaskError
from worker.models.header import MAX_FILE_BYTES, MAX_HEADER_BYTES, read_header
from worker.models.weights import read_weights, refuse_unsafe, variant_of


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(TaskError) as caught:
        call()
    assert caught.value.failure.message
    return caught.value.failure.code


def test_good_weights_come_back_as_they_were_stored(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    stored = {"a": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.array([1, -2], np.int64)}
    save_file(stored, tmp_path / "a.safetensors", metadata={"title": "A"})
    loaded = read_weights(tmp_path / "a.safetensors")
    assert {name: (str(tensor.dtype), tensor.tolist()) for name, tensor in loaded.items()} == {
        "a": ("torch.float16", [[0, 1, 2], [3, 4, 5]]),
        "b": ("torch.int64", [1, -2]),
    }
    header = read_header(tmp_path / "a.safetensors")
    assert (header.tensors["a"].shape, header.metadata) == ((2, 3), {"title": "A"})


@pytest.mark.parametrize("name", ["model.safetensors", "model.ckpt", "model.pt", "pytorch_model.bin"])
@pytest.mark.parametrize("wrapped", ["pickle", "zip"])
def test_a_pickle_is_refused_under_any_name_and_never_runs(tmp_path: Path, name: str, wrapped: str) -> None:
    payload = pickled(tmp_path / "ran")
    if wrapped == "zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("archive/data.pkl", payload)
        payload = packed.getvalue()
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / name).write_bytes(payload)
    assert code_of(lambda: refuse_unsafe(folder)) == "weights_pickled"
    assert code_of(lambda: read_weights(folder / name)) == "weights_pickled"
    assert not (tmp_path / "ran").exists()


def test_a_real_torch_checkpoint_is_refused(tmp_path: Path) -> None:
    import torch

    torch.save({"weight": torch.zeros(3)}, tmp_path / "new.safetensors")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "old.safetensors", _use_new_zipfile_serialization=False)
    for name in ("new", "old"):
        assert code_of(lambda name=name: read_weights(tmp_path / f"{name}.safetensors")) == "weights_pickled"


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (b"not json", b""),
        (b"[1, 2]", b""),
        (b"{" + b'"a":' * 5000, b""),
        ({"a": ENTRY}, b"1234567"),  # cut off
        ({"a": ENTRY}, b"123456789"),  # something behind it
        ({"a": ENTRY, "b": ENTRY}, b"12345678"),  # overlapping
        ({"a": ENTRY | {"data_offsets": [1, 9]}}, b"123456789"),  # a gap
        ({"a": ENTRY | {"data_offsets": [8, 0]}}, b"12345678"),
        ({"a": ENTRY | {"data_offsets": [-8, 0]}}, b""),
        ({"a": ENTRY | {"data_offsets": [0, 2**63]}}, b"12345678"),
        ({"a": ENTRY | {"data_offsets": [0]}}, b"12345678"),
        ({"a": ENTRY | {"shape": [2**62, 2**62]}}, b"12345678"),
        ({"a": ENTRY | {"shape": [-2]}}, b"12345678"),
        ({"a": ENTRY | {"shape": [2.0]}}, b"12345678"),
        ({"a": ENTRY | {"shape": [True, 2]}}, b"12345678"),
        ({"a": ENTRY | {"shape": [1] * 17 + [2]}}, b"12345678"),
        ({"a": ENTRY | {"dtype": "OBJECT"}}, b"12345678"),
        ({"a": ENTRY | {"dtype": ["F32"]}}, b"12345678"),
        ({"a": "F32"}, b"12345678"),
        ({"a": ENTRY, "__metadata__": {"x": 1}}, b"12345678"),
        ({"a": ENTRY, "__metadata__": "x"}, b"12345678"),
    ],
)
def test_a_damaged_header_is_refused(tmp_path: Path, header: object, data: bytes) -> None:
    path = raw_file(tmp_path / "a.safetensors", header, data=data)
    assert code_of(lambda: read_weights(path)) == "weights_corrupt"


def test_a_header_that_promises_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for length in (0, 9, MAX_HEADER_BYTES + 1, 2**63, 2**64 - 1):
        path.write_bytes(struct.pack("<Q", length) + b"{}")
        assert code_of(lambda: read_header(path)) == "weights_corrupt"
    for start in (b"", b"1234567"):
        path.write_bytes(start)
        assert code_of(lambda: read_header(path)) == "weights_corrupt"


def test_an_absurdly_big_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"{}")
    os.truncate(path, MAX_FILE_BYTES + 1)  # sparse
    assert code_of(lambda: read_header(path)) == "weights_unsafe"


@given(noise=st.binary(max_size=300), cut=st.integers(0, 200), flip=st.integers(0, 10_000))
def test_random_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, cut: int, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("noise")
    good = weights_file(folder / "good.safetensors", SD15).read_bytes()
    flipped = bytearray(good)
    flipped[flip % len(good)] ^= 1 + flip % 255
    for damaged in (noise, good[: len(good) - 1 - cut], bytes(flipped), good[:8] + noise + good[8:]):
        (folder / "a.safetensors").write_bytes(damaged)
        codes = {"none"}
        try:
            read_header(folder / "a.safetensors")
        except TaskError as error:
            codes = {error.failure.code}
        assert codes <= {"none", "weights_corrupt", "weights_pickled"}


def test_a_link_a_pipe_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    real = weights_file(tmp_path / "real.safetensors", SD15)
    (tmp_path / "link.safetensors").symlink_to(real)
    os.mkfifo(tmp_path / "pipe.safetensors")
    assert code_of(lambda: read_weights(tmp_path / "link.safetensors")) == "weights_unsafe"
    assert code_of(lambda: read_weights(tmp_path / "pipe.safetensors")) == "weights_unsafe"
    assert code_of(lambda: read_weights(tmp_path / "none.safetensors")) == "weights_missing"
    assert code_of(lambda: refuse_unsafe(tmp_path / "none")) == "weights_missing"


def test_a_whole_diffusers_folder_is_accepted(tmp_path: Path) -> None:
    folder = diffusers_folder(tmp_path / "sd")
    refuse_unsafe(folder)
    (folder / ".cache").mkdir()
    (folder / ".cache" / "hub.py").write_text("")  # hidden files are never loaded
    refuse_unsafe(folder)


def _add_code(folder: Path) -> None:
    (folder / "unet" / "my_unet.py").write_text("print('hello')")


def _add_library(folder: Path) -> None:
    (folder / "scheduler" / "fast.so").write_bytes(b"\x7fELF")


def _add_pickle_twin(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"any")


def _add_link_out(folder: Path) -> None:
    (folder.parent / "secret.json").write_text("{}")
    (folder / "unet" / "extra.json").symlink_to(folder.parent / "secret.json")


def _add_folder_link(folder: Path) -> None:
    (folder / "vae").symlink_to("/etc")


def _ask_for_remote_code(folder: Path) -> None:
    (folder / "unet" / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "x--y.Z"}}))


def _ask_for_own_library(folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"unet": ["my_unet", "UNet"]}))


def _lose_weights(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()


def _lose_part(folder: Path) -> None:
    (folder / "scheduler" / "scheduler_config.json").unlink()
    (folder / "scheduler").rmdir()


def _lose_shard(folder: Path) -> None:
    shards = {"weight_map": {"a": "diffusion_pytorch_model.safetensors", "b": "part-2.safetensors"}}
    (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(shards))


def _escape_by_shard(folder: Path) -> None:
    (folder / "unet" / "x.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../../x.safetensors"}}))


def _break_index(folder: Path) -> None:
    (folder / "model_index.json").write_text("[")


def _cut_weights(folder: Path) -> None:
    os.truncate(folder / "unet" / "diffusion_pytorch_model.safetensors", 60)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_add_code, "weights_unsafe"),
        (_add_library, "weights_unsafe"),
        (_add_pickle_twin, "weights_pickled"),
        (_add_link_out, "weights_unsafe"),
        (_add_folder_link, "weights_unsafe"),
        (_ask_for_remote_code, "weights_unsafe"),
        (_ask_for_own_library, "weights_unsafe"),
        (_lose_weights, "weights_missing"),
        (_lose_part, "weights_missing"),
        (_lose_shard, "weights_missing"),
        (_escape_by_shard, "weights_missing"),
        (_break_index, "weights_corrupt"),
        (_cut_weights, "weights_corrupt"),
    ],
)
def test_a_spoilt_diffusers_folder_is_refused(tmp_path: Path, spoil: Callable[[Path], None], code: str) -> None:
    folder = diffusers_folder(tmp_path / "sd")
    spoil(folder)
    assert code_of(lambda: refuse_unsafe(folder)) == code


def test_a_folder_with_half_precision_only_needs_its_variant(tmp_path: Path) -> None:
    folder = diffusers_folder(tmp_path / "sd")
    assert variant_of(folder) is None
    whole = folder / "unet" / "diffusion_pytorch_model.safetensors"
    whole.rename(whole.with_name("diffusion_pytorch_model.fp16.safetensors"))
    assert variant_of(folder) == "fp16"
    assert variant_of(folder / "unet") == "fp16"
