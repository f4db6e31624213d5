"""A pickled checkpoint becomes safetensors, and nothing in it is ever run."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import worker.unpickle_weights as child
from worker.context import TaskError
from worker.convert_weights import bubblewrap_works, convert, main
from worker.models.catalogue import choose
from worker.models.header import read_header
from worker.models.weights import read_weights

pytestmark = pytest.mark.slow  # every conversion is a child that imports torch


class Touch:
    """A pickle that makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def checkpoint(path: Path, *, as_zip: bool = True) -> Path:
    """Save a small file with Wav2Lip's names as its authors' training script would: from several GPUs, with extras."""
    import torch

    weights = {
        "module.face_encoder_blocks.0.0.conv_block.0.weight": torch.arange(6.0).reshape(2, 3),
        "module.face_decoder_blocks.0.0.conv_block.0.weight": torch.ones(2, 2).t(),
        "module.audio_encoder.0.conv_block.1.num_batches_tracked": torch.tensor(7),
    }
    kept = {"state_dict": weights, "optimizer": {"state": {}, "param_groups": [{"lr": 1e-4}]}, "global_step": 9}
    torch.save(kept, path, _use_new_zipfile_serialization=as_zip)
    return path


def refusal(source: Path, tmp_path: Path, **how: Any) -> str:
    with pytest.raises(TaskError) as error:
        convert(source, tmp_path / "out" / "lips.safetensors", family="wav2lip", **how)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    return error.value.failure.code


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_checkpoint_becomes_a_model_of_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_zip: bool
) -> None:
    source, target = checkpoint(tmp_path / "a.pth", as_zip=as_zip), tmp_path / "models" / "lips.safetensors"
    assert main([str(source), str(target), "--family", "wav2lip", "--licence", "my own"]) == 0
    assert "unpickled in" in capsys.readouterr().out
    tensors = read_weights(target)
    assert set(tensors) == {
        "face_encoder_blocks.0.0.conv_block.0.weight",
        "face_decoder_blocks.0.0.conv_block.0.weight",
        "audio_encoder.0.conv_block.1.num_batches_tracked",
    }
    assert tensors["face_encoder_blocks.0.0.conv_block.0.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    monkeypatch.setenv("REELGRAPH_MODELS", str(target.parent))
    model = choose("wav2lip")
    assert (model.id, model.licence) == ("lips", "my own")
    assert model.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    assert "a.pth" in model.revision


@pytest.mark.parametrize("where", ["inside", "protocol 4"])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, where: str) -> None:
    import torch

    touched, source = tmp_path / "touched", tmp_path / "evil.pth"
    if where == "protocol 4":
        source.write_bytes(pickle.dumps({"state_dict": Touch(touched)}, protocol=4))
    else:
        torch.save({"state_dict": Touch(touched)}, source, pickle_protocol=2)
    assert refusal(source, tmp_path) == "weights_pickled"
    assert not touched.exists()


def test_what_is_hidden_in_the_archive_is_not_run_either(tmp_path: Path) -> None:
    """The zip's own pickle is replaced: its names and tensors stay as they were."""
    source, touched = checkpoint(tmp_path / "a.pth"), tmp_path / "touched"
    evil = tmp_path / "evil.pth"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(evil, "w") as new:
        for name in old.namelist():
            body = pickle.dumps(Touch(touched), protocol=2) if name.endswith("data.pkl") else old.read(name)
            new.writestr(name, body)
    assert refusal(evil, tmp_path) == "weights_pickled"
    assert not touched.exists()


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.pth"
    source.write_bytes(b"PK\x03\x04" + bytes(100))
    assert refusal(source, tmp_path) == "weights_corrupt"


def test_weights_of_another_family_are_refused(tmp_path: Path) -> None:
    import torch

    source = tmp_path / "a.pth"
    torch.save({"conv.weight": torch.zeros(3)}, source)
    assert refusal(source, tmp_path) == "weights_mismatch"


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "lips.safetensors"
    target.write_bytes(b"mine")
    with pytest.raises(TaskError) as error:
        convert(checkpoint(tmp_path / "a.pth"), target, family="wav2lip")
    assert error.value.failure.code == "output_taken"
    assert target.read_bytes() == b"mine"


def test_without_bubblewrap_the_strict_way_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal(checkpoint(tmp_path / "a.pth"), tmp_path, sandbox="bubblewrap") == "sandbox_missing"


@pytest.mark.skipif(not bubblewrap_works(), reason="bubblewrap does not work here")
def test_inside_bubblewrap_there_is_no_network_and_no_other_file(tmp_path: Path) -> None:
    done = convert(
        checkpoint(tmp_path / "a.pth"), tmp_path / "out" / "lips.safetensors", family="wav2lip", sandbox="bubblewrap"
    )
    assert done.sandbox == "bubblewrap"
    assert read_header(done.weights).tensors


def test_the_command_says_what_was_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.pth"), str(tmp_path / "out.safetensors"), "--family", "wav2lip"]) == 1
    assert "weights_missing" in capsys.readouterr().err


def test_the_reader_runs_nothing_even_if_torch_let_it(tmp_path: Path) -> None:
    """The hook of the child stops what gets past the reader: here the reader is asked to trust the file."""
    import torch

    touched, source, script = tmp_path / "touched", tmp_path / "evil.pth", tmp_path / "trusting.py"
    torch.save({"state_dict": Touch(touched)}, source)
    trusting = Path(child.__file__).read_text()
    assert 'map_location="cpu", weights_only=True' in trusting
    script.write_text(trusting.replace('map_location="cpu", weights_only=True', "weights_only=False"))
    argv = [sys.executable, str(script), str(source), str(tmp_path / "out")]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == child.REFUSED, ended.stderr
    assert "os.system" in ended.stderr
    assert not touched.exists()
