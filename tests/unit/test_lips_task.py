"""The task `apply_lipsync`, run as the worker runs it, with both backends, on a small film made here."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.filmed import FPS, HEIGHT, RATE_HZ, WIDTH, babble, face_picture, film, plain_picture, sound
from tests.tiny_lip_models import LIP_ID, random_wav2lip
from worker.av.audio import read_audio
from worker.av.check import probe
from worker.av.provenance import probe_metadata
from worker.av.video import read_frames
from worker.context import TaskCancelled, TaskContext, TaskError
from worker.lips.track import follow_face
from worker.talking_head.face import FaceReader
from worker.talking_head.metric import av_correlation, mouth_opening
from worker.tasks.apply_lipsync import ApplyLipsyncParams, apply_lipsync

COUNT = 30


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    random_wav2lip(folder)
    return folder


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from worker.models.resident import release

    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path / "none"))
    yield
    release()


@pytest.fixture
def ctx(tmp_path: Path) -> TaskContext:
    (tmp_path / "work").mkdir()
    return TaskContext(job_id="j", node_id="lips", attempt=1, workdir=tmp_path / "work", emit=lambda event: None,
                       provenance={"plan_digest": "sha256:ab"})  # fmt: skip


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Any]:
    video = film(tmp_path / "in.mp4", [face_picture(number) for number in range(COUNT)])
    return {"video": video, "audio": sound(tmp_path / "in.wav", babble(COUNT / FPS))}


def pictures(path: str | Path) -> np.ndarray:
    return np.stack([frame for _, frame in read_frames(Path(path))])


def changed_outside_and_inside(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Return the mean change of pixels beyond the lower face, and around the lips."""
    track, _ = follow_face(before, FaceReader())
    outside, inside = [], []
    for points, one, other in zip(track.points, before.astype(int), after.astype(int), strict=True):
        difference = np.abs(one - other).mean(axis=2)
        low, high = points[:, :2].min(0).astype(int), points[:, :2].max(0).astype(int)
        top, tall = int(points[6, 1]), int(high[1] - low[1])  # the bridge of the nose
        lips = points[[61, 291, 0, 17], :2].astype(int)
        inside.append(difference[lips[:, 1].min() : lips[:, 1].max(), lips[:, 0].min() : lips[:, 0].max()].mean())
        difference[top : high[1] + tall // 2, max(0, low[0] - tall // 3) : high[0] + tall // 3] = 0
        outside.append(difference.mean())
    return float(np.mean(outside)), float(np.mean(inside))


@pytest.mark.parametrize("backend", ["wav2lip", "viseme_warp"])
def test_only_the_lower_face_changes_and_the_sound_fits_exactly(
    ctx: TaskContext, inputs: dict[str, Any], models: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    if backend == "wav2lip":
        monkeypatch.setenv("REELGRAPH_MODELS", str(models))
    out = apply_lipsync(ctx, ApplyLipsyncParams(), inputs)["video"]
    assert out["backend"] == out["media"]["backend"] == backend
    facts = probe(Path(out["path"]))
    assert (facts.frames, facts.fps, facts.width_px, facts.height_px) == (COUNT, FPS, WIDTH, HEIGHT)
    samples, rate_hz = read_audio(Path(out["path"]))
    assert abs(len(samples) / rate_hz - COUNT / FPS) <= 1024 / rate_hz
    assert probe_metadata(Path(out["path"]))["plan_digest"] == "sha256:ab"
    before, after = pictures(inputs["video"]["path"]), pictures(out["path"])
    outside, inside = changed_outside_and_inside(before, after)
    assert outside < 1.5
    assert inside > 6
    if backend == "wav2lip":
        assert set(out["media"]["models"]) == {LIP_ID}


def test_the_warped_mouth_follows_the_sound(ctx: TaskContext, tmp_path: Path) -> None:
    count = 75
    video = film(tmp_path / "in.mp4", [face_picture(number) for number in range(count)])
    samples = babble(count / FPS, seed=3)
    out = apply_lipsync(ctx, ApplyLipsyncParams(), {"video": video, "audio": sound(tmp_path / "in.wav", samples)})
    opening = mouth_opening(pictures(out["video"]["path"]), FaceReader())
    found = av_correlation(opening, samples, RATE_HZ, fps=FPS)
    assert found.value > 0.8
    assert found.lag_frames == 0
    before = mouth_opening(pictures(video["path"]), FaceReader())
    assert av_correlation(before, samples, RATE_HZ, fps=FPS).value < found.value - 0.3
    other = av_correlation(opening, babble(count / FPS, seed=9), RATE_HZ, fps=FPS)
    assert other.value < found.value - 0.3


def test_pictures_without_the_face_stay_and_a_longer_sound_is_heard_whole(ctx: TaskContext, tmp_path: Path) -> None:
    shown = [plain_picture(number) if number < 10 else face_picture(number) for number in range(20)]
    inputs = {"video": film(tmp_path / "in.mp4", shown), "audio": sound(tmp_path / "in.wav", babble(1.0))}
    out = apply_lipsync(ctx, ApplyLipsyncParams(), inputs)["video"]
    assert out["media"]["frames"] == 25
    assert out["media"]["frames_without_face"] == 10
    after = pictures(out["path"])
    assert np.abs(after[:10].astype(int) - np.stack(shown[:10])).mean() < 2


def code(run: Any) -> str:
    with pytest.raises(TaskError) as error:
        run()
    return error.value.failure.code


def test_a_video_without_a_face_is_refused(ctx: TaskContext, inputs: dict[str, Any], tmp_path: Path) -> None:
    video = film(tmp_path / "plain.mp4", [plain_picture(number) for number in range(12)])
    assert code(lambda: apply_lipsync(ctx, ApplyLipsyncParams(), {**inputs, "video": video})) == "no_face"


def test_a_tiny_face_is_refused(ctx: TaskContext, inputs: dict[str, Any], tmp_path: Path) -> None:
    import cv2

    small = []
    for number in range(4):
        picture = plain_picture(number)
        picture[60:140, 60:156] = cv2.resize(face_picture(number), (96, 80), interpolation=cv2.INTER_AREA)
        small.append(picture)
    video = film(tmp_path / "small.mp4", small)
    assert code(lambda: apply_lipsync(ctx, ApplyLipsyncParams(), {**inputs, "video": video})) == "face_too_small"


def test_silence_is_refused(ctx: TaskContext, inputs: dict[str, Any], tmp_path: Path) -> None:
    audio = sound(tmp_path / "silent.wav", np.zeros(RATE_HZ, np.float32))
    assert code(lambda: apply_lipsync(ctx, ApplyLipsyncParams(), {**inputs, "audio": audio})) == "silent_audio"


def test_wav2lip_without_weights_says_what_to_do(ctx: TaskContext, inputs: dict[str, Any]) -> None:
    with pytest.raises(TaskError) as error:
        apply_lipsync(ctx, ApplyLipsyncParams(backend="wav2lip"), inputs)
    assert error.value.failure.code == "model_missing"
    assert "Wav2Lip" in error.value.failure.message


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from worker.lips.wav2lip import load

    half = {name: torch.zeros(2) for name in ("face_encoder_blocks.0.w", "face_decoder_blocks.0.w")}
    save_file(half, tmp_path / "half.safetensors")
    assert code(lambda: load(tmp_path / "half.safetensors")) == "weights_mismatch"
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 64)
    assert code(lambda: load(tmp_path / "broken.safetensors")) == "weights_corrupt"
    torch.save(half, tmp_path / "pickled.safetensors")
    assert code(lambda: load(tmp_path / "pickled.safetensors")) == "weights_pickled"


def test_a_cancelled_job_stops(ctx: TaskContext, inputs: dict[str, Any]) -> None:
    seen: list[dict[str, Any]] = []

    def hear(event: dict[str, Any]) -> None:
        seen.append(event)
        if event.get("stage") == "lips":
            ctx.cancelled.set()

    ctx.emit, ctx.cancelled = hear, threading.Event()
    with pytest.raises(TaskCancelled):
        apply_lipsync(ctx, ApplyLipsyncParams(), inputs)
    assert sum(event.get("stage") == "lips" for event in seen) == 1
    assert not (ctx.workdir / "pictures.mp4").exists()
