"""Whole renders through the task with models of the user: tiny video diffusion, lips, and a SadTalker checkout."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests import fake_sadtalker
from tests.tiny_lip_models import random_wav2lip
from tests.tiny_video_models import tiny_svd
from worker.av.check import check_video, probe
from worker.av.video import read_frames
from worker.context import TaskContext, TaskError
from worker.models.resident import release
from worker.tasks.render_video import RenderVideoParams, render_video

SCRIPT = {
    "stage": "A black hole in space.",
    "narrative": "A black hole hides in space. Nothing escapes it, not even light.",
    "title": "Black holes",
}


@pytest.fixture(autouse=True)
def _nothing_stays_loaded() -> Iterator[None]:
    yield
    release()


def rendered(
    folder: Path, *, inputs: dict[str, Any] | None = None, **params: Any
) -> tuple[dict[str, Any], TaskContext, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    work = folder / "work"
    work.mkdir()
    ctx = TaskContext("job", "render", 1, work, events.append, seed=7, provenance={"job_id": "job"})
    asked = RenderVideoParams(duration_seconds=5, resolution="320x240", fps=12, **params)
    video = render_video(ctx, asked, {"script": SCRIPT, **(inputs or {})})["video"]
    shares = [event["progress"] for event in events if event["type"] == "progress"]
    assert shares == sorted(shares)
    facts = check_video(Path(video["path"]), duration_s=5, audible=True)
    assert (facts.width_px, facts.height_px, facts.frames) == (320, 240, 60)
    assert facts.duration_s == pytest.approx(5, abs=0.03)
    return video, ctx, events


def test_video_diffusion_renders_a_checked_video_of_the_exact_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_svd(tmp_path / "models" / "tiny-svd")
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("REELGRAPH_SVD_BACKEND", "svd")
    video, ctx, events = rendered(tmp_path, steps=2)
    assert video["backend"] == "svd"
    assert list(video["media"]["models"]) == ["tiny-svd"]
    assert re.fullmatch("[0-9a-f]{64}", video["media"]["models"]["tiny-svd"])
    roles = {ref.name: ref.role for ref in ctx.saved}
    assert roles["scene-001.png"] == roles["scene-001.mp4"] == roles["narration.wav"] == "part"
    assert roles["video.mp4"] == "output"
    stages = list(dict.fromkeys(event["stage"] for event in events if event["type"] == "progress"))
    assert stages == ["speech", "scenes", "loading the video model", "animation", "pictures", "mux", "done"]
    assert any("s_per_step" in event.get("metrics", {}) for event in events)


def test_the_voice_of_a_profile_is_read_before_anything_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "voice.json").write_text('{"base": "piper:joe"}')
    profile = {"id": "p", "voice": {"path": str(tmp_path / "voice.json")}, "lora": None}
    with pytest.raises(TaskError) as error:
        rendered(tmp_path, inputs={"profile": profile})
    assert error.value.failure.code == "voice_profile_invalid"


@pytest.mark.slow
def test_an_installed_wav2lip_moves_the_lips_of_a_face_in_the_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skimage import data

    from worker.video import diffusion

    tiny_svd(tmp_path / "models" / "tiny-svd")
    random_wav2lip(tmp_path / "models")
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("REELGRAPH_SVD_BACKEND", "svd")
    # Random weights keep no face: the clip is the picture, sliding a little, so that there is one to move.
    monkeypatch.setattr(
        diffusion.Svd, "animate", lambda self, asked, **_: np.stack([np.roll(asked.picture, at, 1) for at in range(4)])
    )
    monkeypatch.setattr(diffusion.Svd, "size", lambda self, *_: (320, 256))
    portrait = tmp_path / "portrait.png"
    cv2.imwrite(str(portrait), cv2.cvtColor(data.astronaut()[:300, 60:400], cv2.COLOR_RGB2BGR))
    video, ctx, _ = rendered(tmp_path, inputs={"images": [{"path": str(portrait)}]}, subtitles="none")
    assert video["media"]["lips"] == "random-lips"
    assert set(video["media"]["models"]) == {"tiny-svd", "random-lips"}
    film = [frame for _, frame in read_frames(ctx.workdir / "film.mp4")]
    spoken = [frame for _, frame in read_frames(Path(video["path"]))]
    changed = np.abs(np.stack(film).astype(int) - np.stack(spoken)).mean(axis=(0, 3))
    assert changed.max() > 15  # the mouth
    assert changed[:40].max() < 8  # above the face


@pytest.mark.slow
def test_a_sadtalker_checkout_renders_the_portrait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = tmp_path / "SadTalker"
    (checkout / "checkpoints").mkdir(parents=True)
    shutil.copy(str(fake_sadtalker.__file__), checkout / "inference.py")
    for name in ("SadTalker_V0.0.2_256.safetensors", "mapping_00109-model.pth.tar"):
        (checkout / "checkpoints" / name).write_bytes(b"weights")
    monkeypatch.setenv("REELGRAPH_SADTALKER", str(checkout))
    monkeypatch.setenv("REELGRAPH_SADTALKER_PYTHON", sys.executable)
    video, ctx, events = rendered(tmp_path, variant="sadtalker")
    assert video["backend"] == "sadtalker"
    kept = next(ref for ref in ctx.saved if ref.name == "sadtalker.mp4")
    assert kept.role == "part"
    assert probe(Path(str(kept.path))).fps == 25
    assert "sadtalker" in {event.get("stage") for event in events}
