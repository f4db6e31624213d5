"""The image backend `sd` on tiny random models: what changes a picture, what must not, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.single_files import single_file
from tests.tiny_checker import safety_checker
from tests.tiny_models import tiny_sd, tiny_sdxl
from worker.context import TaskCancelled, TaskContext, TaskError
from worker.images import diffusion
from worker.images.diffusion import chosen_model, generate
from worker.images.latents import fitted_map, small_jpeg, to_rgb
from worker.images.loading import WORKING_GIB, pipeline, quiet_libraries, resident_gib
from worker.images.schedulers import COMFYUI
from worker.models.resident import release, residents

SD, XL = "tiny-sd", "tiny-xl"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    with quiet_libraries():
        tiny_sd(folder / SD)
        tiny_sdxl(folder / XL)
    return folder


@pytest.fixture(scope="module")
def loras(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return LoRA port values: SD in both layouts, and one of XL."""
    import torch
    from diffusers import UNet2DConditionModel
    from peft import LoraConfig, get_peft_model_state_dict

    from worker.lora.files import write_diffusers, write_kohya

    folder = tmp_path_factory.mktemp("loras")
    values: dict[str, dict[str, Any]] = {}
    with quiet_libraries(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        for name, build, family in (("sd", tiny_sd, "sd15"), ("xl", tiny_sdxl, "sdxl")):
            unet = UNet2DConditionModel.from_pretrained(build(folder / f"base-{name}") / "unet", local_files_only=True)
            unet.add_adapter(
                LoraConfig(
                    r=4, lora_alpha=4, init_lora_weights=False, target_modules=["to_q", "to_k", "to_v", "to_out.0"]
                )
            )
            adapter = {key: value * 8 for key, value in get_peft_model_state_dict(unet).items()}
            paths = {"": folder / f"{name}.safetensors", "-kohya": folder / f"{name}-kohya.safetensors"}
            write_diffusers(paths[""], adapter, {})
            write_kohya(paths["-kohya"], adapter, {}, family=family, rank=4)
            for kind, path in paths.items():
                values[name + kind] = {"kind": "lora", "name": path.name, "path": str(path), "media": {}}
    return values


@pytest.fixture(scope="module", autouse=True)
def nothing_stays_loaded() -> Iterator[None]:
    yield
    release()


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, shelf: Path) -> None:
    for name in ("REELGRAPH_COMFYUI", "REELGRAPH_IMAGE_POLICY", "REELGRAPH_MODEL_SDXL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REELGRAPH_MODELS", str(shelf))
    monkeypatch.setenv("REELGRAPH_MODEL_SD15", SD)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def ctx(tmp_path: Path) -> TaskContext:
    told: list[dict[str, Any]] = []
    made = TaskContext("job", "node", 1, tmp_path, told.append, seed=11)
    made.told = told  # type: ignore[attr-defined]
    return made


def drawn(ctx: TaskContext, prompt: str = "a cat", *, model: str | None = SD, **how: Any) -> np.ndarray:
    return generate(ctx, prompt, model=model, **{"steps": 3, "seed": 4, **how})[0]


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("model", [SD, XL])
def test_prompt_seed_negative_prompt_and_guidance_each_change_the_picture(ctx: TaskContext, model: str) -> None:
    first = drawn(ctx, model=model)
    assert first.shape == (64, 64, 3)
    assert first.std() > 10
    assert np.array_equal(first, drawn(ctx, model=model))
    for changed in (
        {"prompt": "a dog on a hill"},
        {"seed": 5},
        {"negative_prompt": "blurry"},
        {"guidance_scale": 2.0},
        {"steps": 5},
    ):
        assert not np.array_equal(first, drawn(ctx, model=model, **changed)), changed


@pytest.mark.parametrize("scheduler", sorted(COMFYUI))
def test_every_scheduler_draws_and_leaves_the_models_own_in_place(ctx: TaskContext, scheduler: Any) -> None:
    own = drawn(ctx)
    assert drawn(ctx, scheduler=scheduler).std() > 10
    assert np.array_equal(own, drawn(ctx))


def test_a_batch_continues_the_seeds_and_any_size_is_cut_exactly(ctx: TaskContext) -> None:
    batch = generate(ctx, "a cat", model=SD, steps=2, seed=4, count=3, width=70, height=50)
    assert [picture.shape for picture in batch] == [(50, 70, 3)] * 3
    assert apart(batch[2], generate(ctx, "a cat", model=SD, steps=2, seed=6, width=70, height=50)[0]) == 0


@pytest.mark.parametrize(("model", "lora"), [(SD, "sd"), (SD, "sd-kohya"), (XL, "xl"), (XL, "xl-kohya")])
def test_a_lora_changes_the_picture_by_its_scale_and_leaves_no_trace(
    ctx: TaskContext, loras: dict[str, Any], model: str, lora: str
) -> None:
    base = drawn(ctx, model=model)
    full = drawn(ctx, model=model, lora=loras[lora])
    half = drawn(ctx, model=model, lora=loras[lora], lora_scale=0.5)
    assert apart(base, full) > 1
    assert 0 < apart(base, half) < 2 * apart(base, full)
    assert np.array_equal(drawn(ctx, model=model, lora=loras[lora], lora_scale=0.0), base)
    assert np.array_equal(drawn(ctx, model=model), base)


def test_both_layouts_of_a_lora_draw_the_same_picture(ctx: TaskContext, loras: dict[str, Any]) -> None:
    assert apart(drawn(ctx, lora=loras["sd"]), drawn(ctx, lora=loras["sd-kohya"])) < 0.5


@pytest.mark.parametrize(("model", "lora"), [(SD, "xl"), (XL, "sd"), (XL, "sd-kohya")])
def test_a_lora_of_another_base_is_refused_and_the_base_still_draws(
    ctx: TaskContext, loras: dict[str, Any], model: str, lora: str
) -> None:
    base = drawn(ctx, model=model)
    with pytest.raises(TaskError) as raised:
        drawn(ctx, model=model, lora=loras[lora])
    assert raised.value.failure.code == "lora_wrong_base"
    assert np.array_equal(drawn(ctx, model=model), base)


def test_what_is_no_lora_is_refused(ctx: TaskContext, loras: dict[str, Any], tmp_path: Path) -> None:
    import pickle

    import torch
    from safetensors.torch import save_file

    strange, pickled = tmp_path / "strange.safetensors", tmp_path / "evil.safetensors"
    save_file({"nothing.lora_A.weight": torch.zeros(2, 2), "nothing.lora_B.weight": torch.zeros(2, 2)}, strange)
    pickled.write_bytes(pickle.dumps({"a": 1}))
    for value, codes in (
        ({"path": str(strange)}, {"lora_unreadable"}),
        ({"path": str(pickled)}, {"weights_pickled", "weights_corrupt"}),
        ({"path": str(tmp_path / "gone")}, {"lora_missing"}),
        ({"path": loras["sd"]["path"], "media": {"family": "sdxl"}}, {"lora_wrong_base"}),
    ):
        with pytest.raises(TaskError) as raised:
            drawn(ctx, lora=value)
        assert raised.value.failure.code in codes


def test_without_a_model_id_the_base_of_the_lora_is_used() -> None:
    assert chosen_model(None, {"media": {"family": "sdxl", "base": "gone"}}).id == XL
    assert chosen_model(None, {"media": {"family": "sd15", "base": SD}}).id == SD
    with pytest.raises(TaskError, match="no usable model"):
        chosen_model("nothing")


@pytest.mark.parametrize("model", [SD, XL])
def test_a_reference_pulls_the_picture_towards_itself(ctx: TaskContext, tmp_path: Path, model: str) -> None:
    from PIL import Image

    paths = []
    for number, colour in enumerate(((255, 40, 0), (0, 60, 255))):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (80, 40), colour).save(paths[-1])
    near = [drawn(ctx, model=model, reference=path, strength=0.3) for path in paths]
    far = [drawn(ctx, model=model, reference=path, strength=1.0) for path in paths]
    assert near[0].shape == (64, 64, 3)
    assert apart(near[0], near[1]) > apart(far[0], far[1])
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(TaskError, match="not a readable image"):
        drawn(ctx, reference=tmp_path / "text.png")


def test_steps_reach_the_card_with_small_previews_at_most_twice_a_second(
    ctx: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker.images import latents

    drawn(ctx, steps=6)
    steps = [told["step"] for told in ctx.told if told["type"] == "progress" and "step" in told]  # type: ignore[attr-defined]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert 1 <= sum(told["type"] == "preview" for told in ctx.told) <= 3  # type: ignore[attr-defined]
    monkeypatch.setattr(latents, "EVERY_S", 0.0)
    ctx.told.clear()  # type: ignore[attr-defined]
    drawn(ctx, steps=6)
    previews = [told["preview"] for told in ctx.told if told["type"] == "preview"]  # type: ignore[attr-defined]
    assert len(set(previews)) == 6
    assert all(len(preview) < 66_000 for preview in previews)


class LinearAutoencoder:
    """An autoencoder whose four channels mix the mean colour of 8 x 8 pixels, as real ones nearly do."""

    device, dtype = "cpu", None
    config = SimpleNamespace(scaling_factor=0.5)
    mix = np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32)

    def encode(self, pixels: Any) -> Any:
        import torch

        mean = torch.nn.functional.avg_pool2d(pixels, 8)
        mixed = torch.einsum("kc,bchw->bkhw", torch.from_numpy(self.mix), mean) + 0.3
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=mixed))


def test_a_preview_shows_the_colours_that_the_latents_stand_for() -> None:
    import torch

    vae = LinearAutoencoder()
    colours = np.random.default_rng(5).uniform(0.1, 0.9, (6, 10, 3)).astype(np.float32)
    pixels = torch.from_numpy(np.kron(colours, np.ones((8, 8, 1), np.float32))).permute(2, 0, 1)[None] * 2 - 1
    latents = vae.encode(pixels).latent_dist.mean[0] * vae.config.scaling_factor
    shown = to_rgb(latents, fitted_map(vae))
    assert np.abs(shown.astype(int) - colours * 255).max() < 4


def test_a_preview_of_any_picture_is_small() -> None:
    assert len(small_jpeg(np.random.default_rng(0).integers(0, 255, (900, 1600, 3), dtype=np.uint8))) <= 48_000


def test_a_cancel_ends_within_a_step_and_takes_the_lora_off(ctx: TaskContext, loras: dict[str, Any]) -> None:
    base, steps = drawn(ctx), 0
    hear = ctx.emit

    def at_the_second(message: dict[str, Any]) -> None:
        nonlocal steps
        hear(message)
        if "step" in message:
            steps += 1
            if steps == 2:
                ctx.cancelled.set()

    ctx.emit = at_the_second
    with pytest.raises(TaskCancelled):
        drawn(ctx, steps=50, lora=loras["sd"])
    assert steps == 2
    ctx.cancelled.clear()
    ctx.emit = hear
    assert np.array_equal(drawn(ctx), base)


def test_the_model_stays_loaded_between_two_tasks(ctx: TaskContext, monkeypatch: pytest.MonkeyPatch) -> None:
    from worker.images import loading

    release()
    drawn(ctx)
    assert residents() == [SD]
    monkeypatch.setattr(loading, "_load", lambda *_: pytest.fail("it was loaded again"))
    assert drawn(ctx, prompt="a dog").std() > 10


def test_a_picture_of_one_colour_is_a_failure(ctx: TaskContext, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    with pipeline(chosen_model(SD), device="cpu") as pipe:
        monkeypatch.setattr(
            pipe.vae, "decode", lambda latents, **_: (torch.full((len(latents), 3, 64, 64), torch.nan),)
        )
        with pytest.raises(TaskError) as raised:
            drawn(ctx)
    assert raised.value.failure.code == "image_empty"


def test_a_long_prompt_is_said_to_be_cut(ctx: TaskContext) -> None:
    drawn(ctx, prompt="a very long story " * 30)
    assert any("only the first words" in told.get("message", "") for told in ctx.told)  # type: ignore[attr-defined]


def test_the_safety_checker_of_the_user_refuses_what_it_flags(
    ctx: TaskContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for threshold, refused in ((1.0, False), (-1.0, True)):
        folder = safety_checker(tmp_path / f"checker{threshold}", threshold=threshold)
        monkeypatch.setenv("REELGRAPH_IMAGE_POLICY", str(folder))
        assert diffusion.available() is None
        ctx.told.clear()  # type: ignore[attr-defined]
        if refused:
            with pytest.raises(TaskError) as raised:
                drawn(ctx)
            assert raised.value.failure.code == "image_refused"
        else:
            assert drawn(ctx).std() > 10
        assert not any(told["type"] == "preview" for told in ctx.told)  # type: ignore[attr-defined]


def test_a_model_that_no_cpu_may_hold_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert diffusion.available() is None
    monkeypatch.setattr(diffusion, "CPU_BUDGET_GIB", 0.001)
    monkeypatch.setattr(diffusion, "GPU_DEVICES", ())
    assert "needs a GPU" in str(diffusion.available())


@pytest.mark.gpu
@pytest.mark.parametrize("model", [SD, XL])
def test_a_gpu_draws_in_half_precision_what_a_cpu_draws(tmp_path: Path, loras: dict[str, Any], model: str) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    contexts = [TaskContext("job", "node", 1, tmp_path, lambda _: None, device=name) for name in ("cpu", "cuda:0")]
    lora = loras["sd" if model == SD else "xl"]
    for how in ({}, {"lora": lora}):
        there, here = (drawn(ctx, model=model, **how) for ctx in contexts)
        assert apart(there, here) < 6
    with pipeline(chosen_model(model), device="cuda:0") as pipe:
        assert pipe.unet.dtype == torch.float16


def test_a_single_file_draws_what_its_folder_draws(
    ctx: TaskContext, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.numpy import save_file

    from worker.images import loading

    def tiny_configs(_family: str, folder: Path) -> Path:
        return Path(
            shutil.copytree(shelf / SD, folder, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)
        )

    from_folder = drawn(ctx)
    (tmp_path / "own").mkdir()
    single_file(shelf / SD, tmp_path / "own" / "one-file.safetensors")
    (tmp_path / "own" / "one-file.json").write_text('{"family": "sd15"}')
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path / "own"))
    monkeypatch.delenv("REELGRAPH_MODEL_SD15")
    monkeypatch.setattr(loading, "write_configs", tiny_configs)
    assert np.array_equal(drawn(ctx, model="one-file"), from_folder)
    save_file({"model.diffusion_model.x": np.zeros(3, np.float32)}, tmp_path / "own" / "torn.safetensors")
    (tmp_path / "own" / "torn.json").write_text('{"family": "sd15"}')
    with pytest.raises(TaskError, match="cannot be read as a sd15 model"):
        drawn(ctx, model="torn")


def test_what_a_model_holds_follows_the_device_and_how_it_is_stored(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    full = chosen_model(SD)
    halved = tmp_path / "halves" / "halved"
    shutil.copytree(shelf / SD, halved)
    for path in halved.rglob("*.safetensors"):
        save_file({name: value.half() for name, value in load_file(path).items()}, path)
    monkeypatch.setenv("REELGRAPH_MODELS", str(halved.parent))
    half = chosen_model("halved")
    assert half.size_bytes < 0.7 * full.size_bytes
    for device in ("cpu", "cuda:0"):
        assert resident_gib(half, device=device) == pytest.approx(resident_gib(full, device=device), rel=0.1)
    fresh_cpu, gpu = (resident_gib(full, device=device) for device in ("cpu", "cuda:0"))
    assert fresh_cpu - gpu == pytest.approx(gpu - WORKING_GIB, rel=0.1)


def test_the_manifest_names_every_model_that_a_run_may_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    from worker.registry import discover

    monkeypatch.delenv("REELGRAPH_IMAGE_BACKEND", raising=False)
    shown = discover().get("text_to_image").capability()
    assert shown.backends == {"default": "sd"}
    assert shown.models == {id: chosen_model(id).sha256 for id in (SD, XL)}
