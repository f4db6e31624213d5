"""What is found in the model folders: families, choice, digests, licences, and why something is refused."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.model_files import (
    COMPACT_ESRGAN,
    ESRGAN,
    INPAINTING,
    LORA,
    OLD_ESRGAN,
    SADTALKER,
    SD2,
    SD15,
    SDXL,
    SVD,
    WAV2LIP,
    diffusers_folder,
    weights_file,
)  # fmt: skip
from worker.context import TaskError
from worker.models import digest
from worker.models.catalogue import Model, Refused, catalogue, choose, folders, lacking, survey


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.startswith("REELGRAPH_MODEL"):
            monkeypatch.delenv(name)
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("REELGRAPH_MODELS", str(folder))
    return folder


def refusal(id: str) -> TaskError:
    (found,) = [one for one in survey() if isinstance(one, Refused) and one.id == id]
    return found.error


@pytest.mark.parametrize(
    ("tensors", "family"),
    [
        (SD15, "sd15"), (SDXL, "sdxl"), (SVD, "svd"), (WAV2LIP, "wav2lip"), (ESRGAN, "esrgan"),
        (OLD_ESRGAN, "esrgan"), (COMPACT_ESRGAN, "esrgan"), (SADTALKER, "sadtalker"),
        ({f"module.{name}": shape for name, shape in WAV2LIP.items()}, "wav2lip"),
    ],
)  # fmt: skip
def test_a_single_file_tells_its_family(models: Path, tensors: Mapping[str, tuple[int, ...]], family: str) -> None:
    weights_file(models / "one.safetensors", tensors)
    weights_file(models / "two" / "any name.safetensors", tensors)
    assert [(one.id, one.family) for one in catalogue()] == [("one", family), ("two", family)]
    assert choose(family).path == models / "one.safetensors"
    assert choose(family, id="two").path == models / "two" / "any name.safetensors"


@pytest.mark.parametrize("tensors", [SD2, INPAINTING, LORA, {"x": (2,)}])
def test_weights_of_no_known_family_are_refused_with_the_families_there_are(
    models: Path, tensors: Mapping[str, tuple[int, ...]]
) -> None:
    weights_file(models / "one.safetensors", tensors)
    assert catalogue() == ()
    failure = refusal("one").failure
    assert failure.code == "model_family"
    assert "sdxl" in failure.allowed
    assert "model.json" in (failure.hint or "")


@pytest.mark.parametrize(
    ("pipeline", "family"),
    [
        ("StableDiffusionPipeline", "sd15"),
        ("StableDiffusionXLPipeline", "sdxl"),
        ("StableVideoDiffusionPipeline", "svd"),
    ],
)
def test_a_diffusers_folder_tells_its_family(models: Path, pipeline: str, family: str) -> None:
    folder = diffusers_folder(models / "base", pipeline)
    (found,) = catalogue()
    assert (found.id, found.family, found.path, found.revision) == ("base", family, folder, "local")


def test_a_pipeline_without_a_backend_and_stable_diffusion_2_are_refused(models: Path) -> None:
    diffusers_folder(models / "flux", "FluxPipeline")
    (diffusers_folder(models / "two") / "unet" / "config.json").write_text(json.dumps({"cross_attention_dim": 1024}))
    assert catalogue() == ()
    assert (refusal("flux").failure.code, refusal("flux").failure.got) == ("model_family", "FluxPipeline")
    assert refusal("two").failure.code == "model_family"


def test_a_voice_and_chatterbox_are_told_by_their_file_names(models: Path) -> None:
    (models / "amy").mkdir()
    (models / "amy" / "en.onnx").write_bytes(b"\x08\x08onnx")
    (models / "amy" / "en.onnx.json").write_text("{}")
    for name in ("t3_cfg", "s3gen", "ve"):
        weights_file(models / "clone" / f"{name}.safetensors", {"x": (2,)})
    (models / "clone" / "tokenizer.json").write_text("{}")
    assert [(one.id, one.family) for one in catalogue()] == [("amy", "piper"), ("clone", "chatterbox")]
    assert choose("piper").path == models / "amy" / "en.onnx"
    assert choose("chatterbox").path == models / "clone"


def test_a_card_says_family_licence_and_revision(models: Path) -> None:
    weights_file(models / "mine" / "a.safetensors", {"x": (2,)})
    card = {"family": "esrgan", "licence": "BSD-3-Clause", "revision": "v3"}
    (models / "mine" / "model.json").write_text(json.dumps(card))
    found = choose("esrgan")
    assert (found.licence, found.revision, found.size_bytes) == (
        "BSD-3-Clause", "v3", (models / "mine" / "a.safetensors").stat().st_size,
    )  # fmt: skip
    weights_file(models / "single.safetensors", SD15)
    (models / "single.json").write_text(json.dumps({"licence": "CC0"}))
    assert choose("sd15").licence == "CC0"


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ({"family": "sdxl"}, "model_card"),  # the weights say sd15
        ({"family": "gpt"}, "model_card"),
        ({"licence": 7}, "model_card"),
        (["sd15"], "model_card"),
    ],
)
def test_a_card_that_cannot_be_is_refused(models: Path, card: object, code: str) -> None:
    weights_file(models / "mine" / "a.safetensors", SD15)
    (models / "mine" / "model.json").write_text(json.dumps(card))
    assert catalogue() == ()
    assert refusal("mine").failure.code == code


def test_the_licence_is_also_found_in_the_readme_and_in_the_file(models: Path) -> None:
    folder = diffusers_folder(models / "base")
    (folder / "README.md").write_text("---\nlicense: creativeml-openrail-m\n---\n# Base")
    weights_file(models / "single.safetensors", SD15, **{"modelspec.license": "openrail++"})
    assert [one.licence for one in catalogue()] == ["creativeml-openrail-m", "openrail++"]


def test_the_digest_of_a_file_is_its_sha256_and_of_a_folder_that_of_its_sorted_files(models: Path) -> None:
    path = weights_file(models / "single.safetensors", SD15)
    assert choose("sd15").sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    folder = diffusers_folder(models / "base", "StableDiffusionXLPipeline")
    names = ("model_index.json", "scheduler/scheduler_config.json", "unet/config.json",
             "unet/diffusion_pytorch_model.safetensors")  # fmt: skip
    lines = [f"{name} {hashlib.sha256((folder / name).read_bytes()).hexdigest()}\n" for name in names]
    before = choose("sdxl").sha256
    assert before == hashlib.sha256("".join(lines).encode()).hexdigest()
    (folder / "unet" / "config.json").write_text("{}")
    assert choose("sdxl").sha256 != before


def test_a_digest_is_computed_once_and_again_only_after_a_change(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = weights_file(models / "single.safetensors", SD15)
    model = choose("sd15")
    assert model.fingerprint.startswith("unread:")
    first = model.sha256
    assert model.fingerprint == first

    def never(*_: object) -> None:
        raise AssertionError("it was read again")

    with monkeypatch.context() as patch:
        patch.setattr(digest, "_known", {})  # as in another process: the file beside it knows
        patch.setattr(hashlib, "file_digest", never)
        assert digest.digest_of_file(path) == first
    weights_file(path, SD15, fill=1.0)
    os.utime(path, ns=(1, 1))
    assert choose("sd15").sha256 == hashlib.sha256(path.read_bytes()).hexdigest() != first


def test_a_damaged_digest_file_is_ignored(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = weights_file(models / "single.safetensors", SD15)
    for text in ("[", '{"single.safetensors": 7}', '{"single.safetensors": [1, "x", 2]}', "[]"):
        (models / digest.KEPT).write_text(text)
        monkeypatch.setattr(digest, "_known", {})
        assert digest.digest_of_file(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_that_are_not_what_their_card_pins_are_refused_at_use(models: Path) -> None:
    path = weights_file(models / "mine" / "a.safetensors", SD15)
    digest_now = hashlib.sha256(path.read_bytes()).hexdigest()
    (models / "mine" / "model.json").write_text(json.dumps({"sha256": digest_now}))
    assert choose("sd15").sha256 == digest_now
    weights_file(path, SD15, fill=2.0)
    with pytest.raises(TaskError, match="not what its card pins"):
        _ = choose("sd15").sha256


def test_an_unchanged_model_is_not_read_again_and_a_changed_one_is(models: Path) -> None:
    weights_file(models / "a.safetensors", SD15)
    first = catalogue()
    assert catalogue()[0] is first[0]
    weights_file(models / "a.safetensors", SDXL)
    assert catalogue()[0].family == "sdxl"
    (models / "a.safetensors").unlink()
    assert catalogue() == ()


def test_the_first_by_id_is_chosen_unless_a_setting_names_another(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b", "a"):
        weights_file(models / f"{name}.safetensors", SD15)
    weights_file(models / "xl.safetensors", SDXL)
    assert choose("sd15", "sdxl").id == "a"
    monkeypatch.setenv("REELGRAPH_MODEL_SD15", "b")
    assert choose("sd15").id == "b"
    elsewhere = weights_file(tmp_path / "elsewhere" / "own.safetensors", SDXL)
    monkeypatch.setenv("REELGRAPH_MODEL_SDXL", str(elsewhere))
    assert (choose("sdxl").id, choose("sdxl").path) == ("own", elsewhere)
    monkeypatch.setenv("REELGRAPH_MODEL_SD15", "none")
    with pytest.raises(TaskError) as caught:
        choose("sd15")
    assert (caught.value.failure.code, caught.value.failure.allowed) == ("model_unknown", ["a", "b"])


def test_an_unknown_id_and_one_of_another_family_are_refused_with_what_there_is(models: Path) -> None:
    weights_file(models / "a.safetensors", SD15)
    weights_file(models / "xl.safetensors", SDXL)
    for id in ("none", "xl", "../a", ""):
        with pytest.raises(TaskError) as caught:
            choose("sd15", id=id)
        assert (caught.value.failure.code, caught.value.failure.allowed) == ("model_unknown", ["a"])


def test_what_is_lacking_is_told_with_size_licence_and_place(models: Path) -> None:
    told = lacking("sd15", "sdxl", purpose="text_to_image") or ""
    for part in ("text_to_image", "4.3 GB", "6.9 GB", "CreativeML OpenRAIL-M", str(models)):
        assert part in told
    with pytest.raises(TaskError) as caught:
        choose("sd15")
    assert caught.value.failure.code == "model_missing"
    assert "4.3 GB" in (caught.value.failure.hint or "")
    weights_file(models / "a.safetensors", SDXL)
    assert lacking("sd15", "sdxl", purpose="text_to_image") is None
    assert lacking("sd15", purpose="text_to_image") is not None


def test_what_lacks_because_it_was_refused_is_told_so(models: Path) -> None:
    (models / "sd.ckpt").write_bytes(b"\x80\x02}")
    assert "refused: sd.ckpt" in (lacking("sd15", purpose="text_to_image") or "")


def test_a_name_that_cannot_be_an_id_a_link_and_a_stray_file_are_refused(models: Path, tmp_path: Path) -> None:
    weights_file(models / "my model.safetensors", SD15)
    outside = weights_file(tmp_path / "outside" / "a.safetensors", SD15)
    (models / "linked.safetensors").symlink_to(outside)
    (models / "folder").symlink_to(outside.parent)
    (models / "movie.mp4").write_bytes(b"0000ftyp")
    (models / "empty").mkdir()
    (models / "notes.txt").write_text("not a model")
    codes = {one.id: one.error.failure.code for one in survey() if isinstance(one, Refused)}
    assert codes == {
        "my model": "model_name", "linked": "weights_unsafe", "folder": "weights_unsafe",
        "movie.mp4": "weights_unsafe", "empty": "weights_missing",
    }  # fmt: skip


def test_what_is_refused_hides_no_usable_model_of_the_same_id(models: Path) -> None:
    (models / "a").mkdir()
    weights_file(models / "a.safetensors", SD15)
    assert choose("sd15", id="a").path == models / "a.safetensors"
    assert refusal("a").failure.code == "weights_missing"


def test_the_first_folder_wins_where_two_hold_the_same_id(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights_file(models / "a.safetensors", SD15)
    weights_file(tmp_path / "more" / "a.safetensors", SDXL)
    monkeypatch.setenv(
        "REELGRAPH_MODELS", os.pathsep.join([str(models), str(tmp_path / "none"), str(tmp_path / "more")])
    )
    assert len(folders()) == 3
    assert [one.family for one in catalogue()] == ["sd15"]
    assert refusal("a").failure.code == "model_hidden"


def test_two_hundred_models_are_looked_at_again_within_a_moment(models: Path) -> None:
    import time

    for number in range(200):
        weights_file(models / f"m{number:03d}.safetensors", SD15)
    assert len(catalogue()) == 200
    began = time.perf_counter()
    assert all(isinstance(one, Model) for one in survey())
    assert time.perf_counter() - began < 0.5
