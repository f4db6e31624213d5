"""`text_to_image` as a task: its params, its choice of a backend, what it saves and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from schemas.contracts.table import contracts
from worker.context import TaskContext, TaskError
from worker.images import choice
from worker.registry import discover
from worker.tasks.text_to_image import TextToImageParams, text_to_image

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def plain_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("REELGRAPH_COMFYUI", "REELGRAPH_IMAGE_BACKEND", "REELGRAPH_IMAGE_POLICY", "REELGRAPH_MODEL_SD15",
                 "REELGRAPH_MODEL_SDXL"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path / "no-models"))


@pytest.fixture
def ctx(tmp_path: Path) -> TaskContext:
    told: list[dict[str, Any]] = []
    made = TaskContext("job", "node", 1, tmp_path, told.append, seed=11)
    made.told = told  # type: ignore[attr-defined]
    return made


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened)


def refusal(ctx: TaskContext, params: dict[str, Any] | None = None, **inputs: Any) -> Any:
    with pytest.raises(TaskError) as raised:
        text_to_image(ctx, TextToImageParams(**(params or {})), {"prompt": "a cat", **inputs})
    return raised.value.failure


def test_the_contract_and_the_task_agree_on_every_param() -> None:
    promised = contracts()["text_to_image"].params["properties"]
    ours = TextToImageParams.model_json_schema()["properties"]
    assert promised.keys() == ours.keys()
    for name, schema in promised.items():
        real = ours[name]
        number = next((option for option in real.get("anyOf", []) if option.get("type") != "null"), real)
        for bound in ("minimum", "maximum", "multipleOf", "maxLength", "enum"):
            if bound in schema:
                assert number.get(bound) == schema[bound], (name, bound)


@pytest.mark.parametrize(
    "params",
    [
        {"width": 100, "height": 64}, {"width": 64}, {"width": 4096, "height": 64}, {"steps": 0}, {"count": 17},
        {"scheduler": "magic"}, {"resolution": "720p", "width": 64, "height": 64}, {"resolution": "huge"},
        {"unknown": 1}, {"seed": -1}, {"lora_scale": 3},
    ],
)  # fmt: skip
def test_impossible_params_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TextToImageParams(**params)


def test_a_plain_machine_offers_the_composer(monkeypatch: pytest.MonkeyPatch) -> None:
    task = discover().get("text_to_image")
    assert (task.capability().enabled, task.capability().backends) == (True, {"default": "composer"})
    monkeypatch.setenv("REELGRAPH_IMAGE_BACKEND", "sd")
    assert task.capability().enabled is False
    assert "sd: " in str(task.capability().reason)
    monkeypatch.setenv("REELGRAPH_IMAGE_BACKEND", "comfyui")
    assert "REELGRAPH_COMFYUI" in str(task.capability().reason)
    monkeypatch.setenv("REELGRAPH_IMAGE_BACKEND", "dalle")
    assert "composer" in str(task.capability().reason)


@pytest.mark.parametrize(
    ("here", "expected"),
    [({"comfyui", "sd"}, "comfyui"), ({"sd"}, "sd"), (set(), "composer")],
)
def test_auto_prefers_a_server_then_a_model_then_the_composer(
    monkeypatch: pytest.MonkeyPatch, here: set[str], expected: str
) -> None:
    found = {name: (lambda name=name: None if name in here else "not here") for name in choice.ORDER}
    monkeypatch.setattr(choice, "reasons", lambda: found)
    assert choice.chosen() == expected


def test_a_model_too_large_for_this_cpu_is_not_chosen_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        choice, "reasons", lambda: {name: lambda: None for name in choice.ORDER} | {"comfyui": lambda: "no"}
    )
    monkeypatch.setattr(choice, "_fits_cpu", lambda: False)
    assert (choice.chosen(device="cpu"), choice.chosen(device="cuda:0")) == ("composer", "sd")


def test_a_batch_is_one_output_and_parts_with_following_seeds(ctx: TaskContext) -> None:
    outputs = text_to_image(ctx, TextToImageParams(count=3, width=96, height=64, seed=5), {"prompt": "a cat in a room"})
    assert outputs["image"]["backend"] == outputs["image"]["media"]["backend"] == "composer"
    assert [(saved.name, saved.role, saved.media["seed"]) for saved in ctx.saved] == [
        ("image.png", "output", 5), ("image-2.png", "part", 6), ("image-3.png", "part", 7),
    ]  # fmt: skip
    pictures = [pixels(str(saved.path)) for saved in ctx.saved]
    assert pictures[0].shape == (64, 96, 3)
    assert len({picture.tobytes() for picture in pictures}) == 3


def test_the_log_says_that_it_is_no_diffusion_model(ctx: TaskContext) -> None:
    text_to_image(ctx, TextToImageParams(width=96, height=64), {"prompt": "two cats"})
    lines = [told for told in ctx.told if told["type"] == "log"]  # type: ignore[attr-defined]
    assert "not by a diffusion model" in lines[0]["message"]
    assert lines[0]["facts"]["things"] == "2 cat"


@pytest.mark.parametrize("port", ["lora", "reference"])
def test_the_composer_refuses_what_would_have_no_effect(ctx: TaskContext, port: str) -> None:
    found = refusal(ctx, **{port: {"kind": port, "path": "/nowhere"}})
    assert found.code == f"{port}_unsupported"
    assert "install a Stable Diffusion model" in found.hint


def test_an_empty_prompt_a_model_it_lacks_and_too_large_a_picture_have_codes(ctx: TaskContext) -> None:
    assert refusal(ctx, prompt="  ").code == "empty_prompt"
    assert refusal(ctx, {"model": "sdxl"}).code == "model_unknown"
    assert refusal(ctx, {"resolution": "8K"}).code == "image_too_large"


def test_a_resolution_is_rounded_to_what_models_draw(ctx: TaskContext) -> None:
    text_to_image(ctx, TextToImageParams(resolution="250x150"), {"prompt": "a cat"})
    assert (ctx.saved[0].media["width_px"], ctx.saved[0].media["height_px"]) == (248, 152)


def test_a_backend_that_the_policy_cannot_watch_is_not_offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from worker.images import policy

    assert policy.policy_lacking() is None
    monkeypatch.setenv("REELGRAPH_IMAGE_POLICY", "off")
    assert policy.policy_lacking() is None
    monkeypatch.setenv("REELGRAPH_IMAGE_POLICY", str(tmp_path / "missing"))
    assert "REELGRAPH_IMAGE_POLICY" in str(policy.policy_lacking())
    with pytest.raises(TaskError, match="no safety checker"):
        policy.refuse_unfit([np.zeros((8, 8, 3), np.uint8)], device="cpu")


def test_it_runs_from_the_command_line(tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.json"
    prompt.write_text('"a rocket in space"')
    ended = subprocess.run(
        [sys.executable, "-m", "worker", "exec", "text_to_image", "-", "--input", f"prompt={prompt}", "--out", str(tmp_path / "out")],
        cwd=ROOT, input='{"width": 256, "height": 160}', capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    image = json.loads(ended.stdout)["outputs"]["image"]
    with Image.open(image["path"]) as opened:
        assert (image["backend"], opened.size) == ("composer", (256, 160))
