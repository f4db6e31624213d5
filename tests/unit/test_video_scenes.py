"""The backend `svd` over a whole narration with a tiny model, and which backend a worker chooses."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from schemas.script import Script
from schemas.states import FailureKind
from tests.tiny_models import tiny_sd
from tests.tiny_video_models import tiny_svd
from worker.av.check import probe
from worker.av.video import read_frames
from worker.context import TaskCancelled, TaskContext, TaskError
from worker.models.resident import release
from worker.registry import REGISTRY, discover
from worker.speech.timing import Speech, Word
from worker.tasks.render_video import trained
from worker.video import diffusion, svd
from worker.video.backends import chosen, models, name_of
from worker.video.memory import ON_GPU
from worker.video.pictures import prompt_of
from worker.video.shot import Drawing, Shot

ROOT = Path(__file__).parents[2]
TEXT = (
    "A black hole hides far away in deep space. Nothing at all escapes it, not even light. "
    "A telescope sees the glow of its hot gas."
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_svd(folder / "tiny-svd")
    return folder


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("REELGRAPH_SVD_BACKEND", "REELGRAPH_SADTALKER", "REELGRAPH_WORKER_DEVICES", "REELGRAPH_IMAGE_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path / "none"))
    yield
    release()


@pytest.fixture
def with_model(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REELGRAPH_MODELS", str(installed))
    return installed


def shot(**changes: Any) -> Shot:
    spoken = TEXT.split()
    words = tuple(Word(word, 9 * at / len(spoken), 9 * (at + 1) / len(spoken)) for at, word in enumerate(spoken))
    facts: dict[str, Any] = {
        "script": Script(stage="A black hole.", narrative=TEXT, title="Black holes"), "images": [], "lora": None,
        "speech": Speech(np.zeros(9 * 8000, np.float32), 8000, words, (), "test"), "width": 160, "height": 96,
        "fps": 8, "duration_s": 9.5, "seed": 3, "style": "", "title": "Black holes", "motion": 127, "steps": 2,
    }  # fmt: skip
    return Shot(**(facts | changes))


def draw(tmp_path: Path, asked: Shot, events: list[dict[str, Any]] | None = None) -> tuple[Drawing, TaskContext]:
    work = tmp_path / "work"
    work.mkdir()
    ctx = TaskContext("job", "render", 1, work, (events if events is not None else []).append, seed=7)
    told: list[float] = []
    drawing = svd.draw(ctx, asked, lambda done, **said: told.append(done))
    assert told == sorted(told)
    assert told[-1] <= 1
    return drawing, ctx


def test_every_scene_becomes_a_kept_still_and_a_kept_clip_and_the_film_has_the_exact_length(
    tmp_path: Path, with_model: Path
) -> None:
    drawing, ctx = draw(tmp_path, shot())
    frames = list(drawing.frames)
    assert len(frames) == 76
    assert all(frame.shape == (96, 160, 3) for frame in frames)
    still = [float(np.abs(one.astype(int) - other).mean()) for one, other in itertools.pairwise(frames)]
    assert sum(change < 0.05 for change in still) == 0
    names = [(ref.name, ref.kind, ref.role) for ref in ctx.saved]
    count = len(names) // 2
    assert count >= 2
    assert names[:count] == [(f"scene-{at:03d}.png", "image", "part") for at in range(1, count + 1)]
    assert names[count:] == [(f"scene-{at:03d}.mp4", "video", "part") for at in range(1, count + 1)]
    assert list(drawing.facts["models"]) == ["tiny-svd"]
    assert drawing.facts["pictures"] == "storyboard"
    stills, clips = ctx.saved[:count], ctx.saved[count:]
    for still_ref, clip_ref in zip(stills, clips, strict=True):
        clip = [picture for _, picture in read_frames(Path(str(clip_ref.path)))]
        picture = cv2.resize(cv2.cvtColor(cv2.imread(str(still_ref.path)), cv2.COLOR_BGR2RGB), (64, 64))
        assert len(clip) == 4
        assert np.abs(clip[0].astype(int) - clip[-1]).mean() > 1
        assert np.abs(clip[0].astype(int) - picture).mean() > 5
    assert probe(Path(str(clips[0].path))).fps == 7


def test_the_users_pictures_are_the_scenes_in_order(tmp_path: Path, with_model: Path) -> None:
    paths = []
    for name, colour in (("red", (20, 20, 220)), ("blue", (220, 20, 20))):
        picture = np.full((96, 160, 3), colour, np.uint8)
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
        paths.append(tmp_path / f"{name}.png")
    drawing, ctx = draw(tmp_path, shot(images=paths))
    stills = [cv2.imread(str(ref.path)) for ref in ctx.saved if ref.kind == "image"]
    assert stills[0][..., 2].mean() > 150 > 60 > stills[0][..., 0].mean()
    assert stills[1][..., 0].mean() > 150 > 60 > stills[1][..., 2].mean()
    assert drawing.facts["pictures"] == "user"


def test_a_picture_that_cannot_be_read_is_refused(tmp_path: Path, with_model: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(TaskError) as error:
        draw(tmp_path, shot(images=[tmp_path / "bad.png"]))
    assert error.value.failure.code == "undecodable"


def test_an_installed_image_model_paints_the_scenes(
    tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    models_folder = tmp_path / "models"
    shutil.copytree(installed / "tiny-svd", models_folder / "tiny-svd")
    tiny_sd(models_folder / "tiny-sd")
    monkeypatch.setenv("REELGRAPH_MODELS", str(models_folder))
    events: list[dict[str, Any]] = []
    drawing, ctx = draw(tmp_path, shot(), events)
    assert drawing.facts["pictures"] == "sd:tiny-sd"
    assert set(drawing.facts["models"]) == {"tiny-sd", "tiny-svd"}
    assert {ref.media["backend"] for ref in ctx.saved if ref.kind == "image"} == {"sd:tiny-sd"}
    assert not [event for event in events if event["type"] == "progress"]  # only our own bar moves


def test_the_prompt_of_a_scene_starts_with_the_word_of_the_lora_and_fits() -> None:
    scene: Any = SimpleNamespace(text="A very long sentence " * 30)
    asked = shot(lora={"media": {"trigger": "sks cat"}}, style="watercolour")
    assert prompt_of(asked, scene).startswith("sks cat, A very long")
    assert len(prompt_of(asked, scene).split()) <= 45


def test_a_lora_that_can_do_nothing_is_said(tmp_path: Path, with_model: Path) -> None:
    events: list[dict[str, Any]] = []
    draw(tmp_path, shot(lora={"path": "x.safetensors", "media": {}}), events)
    assert any("LoRA changes nothing" in str(event.get("message")) for event in events)


def test_a_cancel_while_a_clip_is_denoised_ends_the_render(tmp_path: Path, with_model: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    ctx = TaskContext("job", "render", 1, work, lambda event: None, seed=7)
    seen: list[int] = []

    def tell(done: float, *, stage: str, step: int | None = None, **said: Any) -> None:
        if stage == "animation":
            seen.append(int(step or 0))
            ctx.cancelled.set()

    with pytest.raises(TaskCancelled):
        svd.draw(ctx, shot(steps=90), tell)
    assert seen == [1]


def test_when_memory_runs_out_the_next_smaller_plan_goes_on_where_it_was(
    tmp_path: Path, with_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    tried: list[tuple[str, int]] = []

    @contextmanager
    def loaded(model: Any, *, device: str, plan: Any) -> Iterator[Any]:
        def animate(asked: Any, **_: Any) -> Any:
            tried.append((plan.name, asked.seed))
            if plan.name != "frugal" and len(tried) != 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return np.random.default_rng(asked.seed).integers(0, 255, (4, 64, 64, 3), dtype=np.uint8)

        yield SimpleNamespace(size=lambda *_: (64, 64), animate=animate)

    monkeypatch.setattr(diffusion, "loaded", loaded)
    monkeypatch.setattr(diffusion, "first_plan", lambda device: ON_GPU[0])
    drawing, _ = draw(tmp_path, shot())
    assert [plan for plan, _ in tried[:4]] == ["resident", "resident", "offload", "frugal"]
    assert [seed for _, seed in tried[:4]] == [3, 4, 4, 4]  # the first clip is not made again
    assert drawing.facts["memory_plan"] == "frugal"
    assert len(list(drawing.frames)) == 76


def test_memory_that_never_suffices_is_a_capacity_failure(
    tmp_path: Path, with_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def animate(self: Any, asked: Any, **_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(diffusion.Svd, "animate", animate)
    with pytest.raises(TaskError) as error:
        draw(tmp_path, shot())
    assert (error.value.failure.code, error.value.failure.kind) == ("gpu_out_of_memory", FailureKind.CAPACITY)


def test_without_a_model_the_storyboard_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    assert name_of("svd") == "storyboard"
    assert models() == {}
    monkeypatch.setenv("REELGRAPH_SVD_BACKEND", "svd")
    with pytest.raises(TaskError) as error:
        chosen("svd")
    assert error.value.failure.code == "backend_unavailable"
    assert "model_index.json" in str(error.value) or "GB" in str(error.value)
    monkeypatch.setenv("REELGRAPH_SVD_BACKEND", "magic")
    with pytest.raises(TaskError, match="names no backend"):
        chosen("svd")


def test_a_model_draws_where_the_worker_has_a_gpu_or_it_is_asked_for_by_name(
    with_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert name_of("svd") == "storyboard"
    monkeypatch.setenv("REELGRAPH_WORKER_DEVICES", "cpu,cuda:0")
    assert name_of("svd") == "svd"
    assert list(models()) == ["tiny-svd"]
    assert chosen("svd", device="cuda:0").name == "svd"
    assert chosen("svd", device="cpu").name == "storyboard"
    monkeypatch.setenv("REELGRAPH_SVD_BACKEND", "storyboard")
    assert name_of("svd") == "storyboard"
    monkeypatch.setenv("REELGRAPH_SVD_BACKEND", "svd")
    monkeypatch.setenv("REELGRAPH_WORKER_DEVICES", "cpu")
    assert chosen("svd", device="cpu").name == "svd"
    discover()
    assert (REGISTRY.get("render_video").capability().backends or {})["svd"] == "svd"


def test_a_given_voice_or_lora_goes_before_the_profiles() -> None:
    profile = {"id": "p", "voice": {"path": "b"}, "lora": None}
    assert trained({"voice": {"path": "a"}, "profile": profile}, "voice") == {"path": "a"}
    assert trained({"profile": profile}, "voice") == {"path": "b"}
    assert trained({"profile": profile}, "lora") is None
    assert trained({}, "voice") is None


def test_describing_the_task_without_a_model_loads_no_model_library(tmp_path: Path) -> None:
    code = (
        "import sys; from worker.registry import discover;"
        "print(discover().get('render_video').capability().backends['svd'], 'torch' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        env={"REELGRAPH_MODELS": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert told.stdout.split() == ["storyboard", "False"]
