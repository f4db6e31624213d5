"""`train_lora` on tiny random models: it learns, it can be resumed bit for bit, and its files work elsewhere."""

from __future__ import annotations

import base64
import gc
import hashlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file

from tests.lora_runs import PROVENANCE, Run, drawn, ref_of
from tests.tiny_models import tiny_sd, tiny_sdxl
from worker.context import TaskCancelled, TaskError
from worker.lora.files import CARD_NAME, DIFFUSERS_NAME, KOHYA_NAME
from worker.lora.training import Training
from worker.tasks import train_lora as task_module

ROOT = Path(__file__).parents[2]
LEARNS: dict[str, Any] = {
    "steps": 40, "learning_rate": 1e-2, "rank": 8, "batch": 4, "loss": "mse", "early_stop": False,
}  # fmt: skip
BRIEF = {**LEARNS, "steps": 4, "batch": 2}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_sd(folder / "sd")
    tiny_sdxl(folder / "sdxl")
    return folder


@pytest.fixture(autouse=True)
def one_thread(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import torch

    monkeypatch.setenv("REELGRAPH_MODELS", str(models))
    monkeypatch.setattr("worker.lora.validation.STEPS", 3)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def trained(request: pytest.FixtureRequest, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REELGRAPH_MODELS", str(models))
        patch.setattr("worker.lora.validation.STEPS", 4)
        return Run(folder / "work").of(drawn(folder, 5), base=request.param, **LEARNS)


def picture_of(pipe: Any) -> NDArray[np.uint8]:
    import torch

    from worker.images.loading import quiet_libraries

    with quiet_libraries():
        made = pipe(
            "a photo of ohwx", height=64, width=64, num_inference_steps=4, guidance_scale=5.0,
            generator=torch.Generator().manual_seed(1),
        )  # fmt: skip
    return np.asarray(made.images[0]).astype(np.int16)


def pipeline(models: Path, base: str) -> Any:
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    from worker.images.loading import quiet_libraries

    kind = StableDiffusionPipeline if base == "sd" else StableDiffusionXLPipeline
    with quiet_libraries():
        pipe = kind.from_pretrained(models / base, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_training_lowers_the_fixed_noise_loss(trained: Run) -> None:
    media = trained.lora["media"]
    assert media["loss_after"] < 0.985 * media["loss_before"]
    losses = [loss for _, loss in json.loads(trained.file(CARD_NAME).read_text())["losses"]["fixed_noise"]]
    assert len(losses) == 11
    assert losses[-1] < np.mean(losses[1:4]) < losses[0]


def test_both_files_change_the_pictures_of_a_pipeline_in_the_same_way_and_can_be_taken_off(
    trained: Run, models: Path
) -> None:
    pipe = pipeline(models, trained.lora["media"]["base"])
    plain = picture_of(pipe)
    shown = {}
    for name in (DIFFUSERS_NAME, KOHYA_NAME):
        path = trained.file(name)
        pipe.load_lora_weights(str(path.parent), weight_name=name, local_files_only=True)
        shown[name] = picture_of(pipe)
        pipe.unload_lora_weights()
    assert np.array_equal(shown[DIFFUSERS_NAME], shown[KOHYA_NAME])
    assert np.abs(shown[DIFFUSERS_NAME] - plain).mean() > 1.0
    assert np.array_equal(picture_of(pipe), plain)


def test_the_headers_tell_where_the_files_come_from(trained: Run, models: Path) -> None:
    from worker.models.catalogue import choose

    for name in (DIFFUSERS_NAME, KOHYA_NAME):
        with safe_open(trained.file(name), framework="numpy") as file:
            header = file.metadata()
        assert PROVENANCE.items() <= header.items()
        facts = json.loads(header["reelgraph_lora"])
        assert facts["base_sha256"] == choose("sd15", "sdxl", id=facts["base"]).sha256
        assert (facts["rank"], facts["trigger"], len(facts["pictures"])) == (8, "ohwx", 5)
    assert header["ss_network_dim"] == header["ss_network_alpha"] == "8"


def test_the_model_card_names_base_pictures_settings_losses_and_the_files_digests(trained: Run, tmp_path: Path) -> None:
    card = json.loads(trained.file(CARD_NAME).read_text())
    assert {"id", "sha256", "licence", "family"} <= card["base"].keys()
    assert card["settings"]["steps"] == card["steps_done"] == 40
    assert card["files"] == {
        name: hashlib.sha256(trained.file(name).read_bytes()).hexdigest() for name in (DIFFUSERS_NAME, KOHYA_NAME)
    }
    digests = [hashlib.sha256(Path(ref["path"]).read_bytes()).hexdigest() for ref in drawn(tmp_path, 5)]
    assert [picture["sha256"] for picture in card["pictures"]] == digests
    assert card["pictures"][0]["caption"] == "a photo of ohwx"


def test_progress_carries_the_loss_and_previews_are_jpegs_of_one_prompt(trained: Run) -> None:
    ticks = trained.told("progress")
    fractions = [tick["progress"] for tick in ticks]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    metrics = [tick["metrics"] for tick in ticks if tick.get("metrics")]
    assert len(metrics) >= 10
    assert all(one["loss"] > 0 and one["evaluation_loss"] > 0 and one["steps_per_s"] > 0 for one in metrics)
    shown = [base64.b64decode(message["preview"].partition(",")[2]) for message in trained.told("preview")]
    assert len(shown) == 6  # before, four on the way, after
    first, last = (np.asarray(Image.open(io.BytesIO(data))).astype(int) for data in (shown[0], shown[-1]))
    assert first.shape == (64, 64, 3)
    assert np.abs(first - last).mean() > 1.0
    with Image.open(trained.file("validation.jpg")) as sheet:
        assert sheet.size == (128, 64)


def test_the_port_value_is_what_the_renderers_read(trained: Run) -> None:
    assert trained.outputs["profile"] == {"id": "p", "name": "P"}
    assert trained.lora["name"] == DIFFUSERS_NAME
    assert trained.lora["media"]["format"] == "diffusers"
    assert {ref.name: ref.role for ref in trained.context.saved} == {
        DIFFUSERS_NAME: "output", KOHYA_NAME: "part", CARD_NAME: "part", "validation.jpg": "thumbnail",
    }  # fmt: skip


@pytest.mark.parametrize("loss", ["mse", "min_snr"])
def test_a_resumed_training_gives_the_same_weights_bit_for_bit(loss: str, tmp_path: Path) -> None:
    refs = drawn(tmp_path / "pictures", 3)
    params = {**LEARNS, "base": "sd", "steps": 28, "batch": 2, "loss": loss}
    whole = Run(tmp_path / "whole").of(refs, **params)
    killed = Run(tmp_path / "killed", cancel_at=24)
    with pytest.raises(TaskCancelled):
        killed.of(refs, **params)
    (kept,) = killed.told("checkpoint")
    assert (kept["step"], Path(kept["path"]).suffix) == (20, ".safetensors")
    resumed = Run(tmp_path / "resumed", checkpoint=Path(kept["path"])).of(refs, **params)
    assert [message["message"] for message in resumed.told("log")] == ["training goes on from a checkpoint"]
    assert min(tick["step"] for tick in resumed.told("progress") if tick.get("metrics")) > 20
    ours, theirs = (load_file(run.file(DIFFUSERS_NAME)) for run in (resumed, whole))
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    cards = [json.loads(run.file(CARD_NAME).read_text())["losses"] for run in (resumed, whole)]
    assert cards[0] == cards[1]


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_set_aside(tmp_path: Path) -> None:
    refs = drawn(tmp_path / "pictures", 2)
    first = Run(tmp_path / "first").of(refs, **{**BRIEF, "base": "sd", "steps": 22, "batch": 1})
    kept = Path(first.told("checkpoint")[0]["path"])
    (tmp_path / "cut.safetensors").write_bytes(kept.read_bytes()[:1000])
    for path, why in ((kept, "of other settings"), (tmp_path / "cut.safetensors", "cannot be read")):
        run = Run(tmp_path / path.stem, checkpoint=path).of(refs, **BRIEF, base="sd")
        (line,) = run.told("log")
        assert line["message"] == "training starts over: the checkpoint does not fit"
        assert why in line["facts"]["reason"]


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    refs = drawn(tmp_path / "pictures", 2)
    first, again, other = (
        load_file(Run(tmp_path / name).of(refs, **BRIEF, base="sd", seed=seed).file(DIFFUSERS_NAME))
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not all(np.array_equal(first[name], other[name]) for name in first)


def test_one_picture_is_enough(tmp_path: Path) -> None:
    run = Run(tmp_path / "work").of(drawn(tmp_path, 1), **{**LEARNS, "steps": 20}, base="sd")
    assert run.lora["media"]["loss_after"] < run.lora["media"]["loss_before"]


def test_300_pictures_are_all_used(tmp_path: Path) -> None:
    run = Run(tmp_path / "work").of(drawn(tmp_path, 300), **{**BRIEF, "steps": 1}, base="sd")
    card = json.loads(run.file(CARD_NAME).read_text())
    assert len({picture["sha256"] for picture in card["pictures"]}) > 200
    assert len(card["pictures"]) == 300


def test_every_round_visits_every_picture_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    chosen = Training._chosen

    def spy(self: Training, number: int) -> Any:
        seen.extend((index := chosen(self, number)).tolist())
        return index

    monkeypatch.setattr(Training, "_chosen", spy)
    Run(tmp_path / "work").of(drawn(tmp_path, 5), **{**BRIEF, "steps": 5}, base="sd")
    assert sorted(seen[:5]) == sorted(seen[5:]) == [0, 1, 2, 3, 4]


def test_a_cancel_in_mid_training_ends_within_a_second_and_frees_what_it_held(tmp_path: Path) -> None:
    run = Run(tmp_path / "work")
    cancelled_at: list[float] = []
    emit = run.context.emit

    def watching(message: dict[str, Any]) -> None:
        emit(message)
        if message.get("step", 0) >= 3 and message.get("metrics") and not cancelled_at:
            cancelled_at.append(time.monotonic())
            run.context.cancelled.set()

    run.context.emit = watching
    with pytest.raises(TaskCancelled):
        run.of(drawn(tmp_path, 3), **{**LEARNS, "steps": 5000}, base="sd")
    assert time.monotonic() - cancelled_at[0] < 1.0
    gc.collect()
    assert not [one for one in gc.get_objects() if type(one) is Training]
    after = Run(tmp_path / "after").of(drawn(tmp_path, 3), **BRIEF, base="sd")
    names = [name for name, _ in after_base(after).named_parameters()]
    assert not [name for name in names if "lora" in name]
    assert not any(weight.requires_grad for weight in after_base(after).parameters())


def after_base(run: Run) -> Any:
    """Return the network of the base model that is kept for the next training."""
    from worker.models import resident

    loaded = next(one for (key, _), one in resident._loaded.items() if key.startswith(run.lora["media"]["base"] + ":"))
    return loaded.value.unet


def test_a_step_that_runs_out_of_memory_goes_on_with_checkpointing_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    refs = drawn(tmp_path / "pictures", 2)
    calm = Run(tmp_path / "calm").of(refs, **BRIEF, base="sd")
    backward, failed = Training._backward, []

    def tight(self: Training, number: int) -> Any:
        loss = backward(self, number)
        if not self.checkpointing:
            failed.append(number)
            raise torch.OutOfMemoryError("CUDA out of memory (injected)")
        return loss

    monkeypatch.setattr(Training, "_backward", tight)
    run = Run(tmp_path / "tight").of(refs, **BRIEF, base="sd")
    assert failed == [0]
    assert json.loads(run.file(CARD_NAME).read_text())["gradient_checkpointing"] is True
    ours, theirs = (load_file(one.file(DIFFUSERS_NAME)) for one in (run, calm))
    assert all(np.allclose(ours[name], theirs[name], atol=1e-6) for name in theirs)


def test_a_training_that_no_longer_learns_stops_early(tmp_path: Path) -> None:
    params = {**LEARNS, "steps": 200, "batch": 1, "learning_rate": 1e-9, "early_stop": True, "preset": "quick"}
    run = Run(tmp_path / "work").of(drawn(tmp_path, 2), **params, base="sd")
    assert run.lora["media"]["steps"] == 80  # the first look after a third of the steps
    assert "stopped early" in run.told("log")[0]["message"]


def test_a_loss_that_is_no_number_ends_the_training_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(Training, "_backward", lambda self, number: torch.tensor(float("nan")))
    with pytest.raises(TaskError, match="the loss is nan after 1 steps") as raised:
        Run(tmp_path / "work").of(drawn(tmp_path, 2), **BRIEF, base="sd")
    assert raised.value.failure.code == "training_diverged"


def test_a_text_named_png_is_refused_before_any_step(tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("hello")
    run = Run(tmp_path / "work")
    with pytest.raises(TaskError, match=r"note\.png: not a readable picture") as raised:
        run.of([*drawn(tmp_path, 1), ref_of(tmp_path / "note.png")], **BRIEF, base="sd")
    assert raised.value.failure.path == "/inputs/images/1"
    assert not [tick for tick in run.told("progress") if tick.get("metrics")]


def test_without_a_base_model_the_task_is_disabled_and_says_what_to_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path))
    assert "Stable Diffusion" in str(task_module.available())
    assert str(tmp_path) in str(task_module.available())


def test_a_base_too_large_for_a_cpu_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.lora.run.MOST_BYTES_ON_CPU", 1000)
    with pytest.raises(TaskError, match="on a CPU would take days") as raised:
        Run(tmp_path / "work").of(drawn(tmp_path, 1), **BRIEF, base="sd")
    assert (raised.value.failure.code, raised.value.failure.kind) == ("needs_gpu", "capacity")


@pytest.mark.slow
def test_it_runs_as_a_task_in_a_child(tmp_path: Path) -> None:
    refs = drawn(tmp_path / "pictures", 2)
    ended = subprocess.run(
        [
            sys.executable, "-m", "worker", "exec", "train_lora", "-", "--out", str(tmp_path / "out"),
            *(word for ref in refs for word in ("--input", f"images={ref['path']}")),
        ],
        cwd=ROOT, input=json.dumps({**BRIEF, "base": "sd", "steps": 1}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    assert outcome["outputs"]["lora"]["media"]["steps"] == 1
    assert load_file(tmp_path / "out" / DIFFUSERS_NAME)
