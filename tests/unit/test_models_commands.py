"""`reelgraph models`, what `doctor` says of backends, and that what a person set for them reaches the children."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from compose.backends import lacking_backends
from compose.cli import main
from tests.model_files import SD15, weights_file
from worker.child_process import child_environment

WORKER = Path(__file__).parents[2] / "worker"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path))
    weights_file(tmp_path / "base" / "a.safetensors", SD15)
    (tmp_path / "base" / "model.json").write_text(json.dumps({"licence": "CC0", "revision": "v7"}))
    (tmp_path / "old.ckpt").write_bytes(b"\x80\x02}q\x00.")
    return tmp_path


def test_models_lists_what_is_usable_and_why_the_rest_is_not(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"base +sd15 +0\.00 GB +CC0 +v7 +[0-9a-f]{16}", printed)
    assert "refused: old.ckpt" in printed
    assert "convert_weights" in printed


def test_models_as_json_has_the_whole_digest(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json", "--no-digests"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["sha256"] is None
    assert main(["models", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert re.fullmatch("[0-9a-f]{64}", told["models"][0]["sha256"])
    assert [one["code"] for one in told["refused"]] == ["weights_pickled"]


def test_a_model_that_its_card_does_not_pin_is_listed_as_refused(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (models / "base" / "model.json").write_text(json.dumps({"sha256": "0" * 64}))
    assert main(["models", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["models"], told["refused"][0]["code"]) == ([], "weights_changed")


def test_an_empty_folder_points_to_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path / "none"))
    assert main(["models"]) == 0
    assert "reelgraph doctor" in capsys.readouterr().out


def test_every_backend_that_needs_a_model_says_file_size_licence_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path))
    found = lacking_backends()
    for name in ("text_to_image by diffusion", "train_lora", "render_video by video diffusion",
                 "apply_lipsync by Wav2Lip", "upscale_video by ESRGAN"):  # fmt: skip
        reason = found[name] or ""
        assert re.search(r"[0-9.]+ GB, licence \w+", reason), (name, reason)
        assert str(tmp_path) in reason


def test_the_doctor_does_not_need_any_backend(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--json", "--data", str(tmp_path / "data")])
    checks = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["models"]["found"] == "base (sd15, CC0); 1 refused"
    assert set(lacking_backends()) <= set(checks)
    assert not any(checks[name]["needed"] for name in lacking_backends())


def test_every_variable_that_a_backend_reads_reaches_it() -> None:
    """Tasks run in children, which get no other variable of ours."""
    folders = ("images", "lips", "lora", "models", "speech", "storyboard", "talking_head", "upscale", "video", "voice")
    files = [path for folder in folders for path in (WORKER / folder).rglob("*.py")] + [WORKER / "sadtalker.py"]
    told = {name for path in files for name in re.findall(r"\"(REELGRAPH_[A-Z0-9_]+[A-Z0-9])\"", path.read_text())}
    assert len(told) > 5
    passed = child_environment(dict.fromkeys([*told, "REELGRAPH_WORKER_S3_SECRET_KEY"], "x"), threads=1)
    assert told - passed.keys() == set()
    assert "REELGRAPH_WORKER_S3_SECRET_KEY" not in passed
