"""What we ask of a SadTalker checkout and what we do with its answers, against a stand-in with its command line."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from schemas.script import Script
from schemas.states import FailureKind
from tests import fake_sadtalker
from worker import sadtalker
from worker.context import TaskCancelled, TaskContext, TaskError
from worker.speech.timing import Speech
from worker.video.backends import chosen, name_of
from worker.video.shot import Shot

RATE_HZ = 16_000
Checkout = Callable[..., Path]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """Return a function that makes the stand-in's checkout, in a mode, and configures it."""

    def make(mode: str = "") -> Path:
        folder = tmp_path / "SadTalker"
        (folder / "checkpoints").mkdir(parents=True)
        shutil.copy(str(fake_sadtalker.__file__), folder / "inference.py")
        for name in ("SadTalker_V0.0.2_256.safetensors", "mapping_00109-model.pth.tar"):
            (folder / "checkpoints" / name).write_bytes(b"weights")
        if mode:
            (folder / "mode.txt").write_text(mode)
        monkeypatch.setenv("REELGRAPH_SADTALKER", str(folder))
        monkeypatch.setenv("REELGRAPH_SADTALKER_PYTHON", sys.executable)
        return folder

    return make


def attempt(tmp_path: Path) -> tuple[TaskContext, list[float]]:
    work = tmp_path / "work"
    work.mkdir()
    return TaskContext("job", "render", 1, work, lambda tick: None, seed=7), []


def shot(**changes: Any) -> Shot:
    """Ask for two seconds at 10 fps: one loud, one silent, the narration ending before the video."""
    time_s = np.arange(RATE_HZ * 3 // 2) / RATE_HZ
    samples = (0.5 * np.sin(2 * np.pi * 220 * time_s) * (time_s < 1)).astype(np.float32)
    facts: dict[str, Any] = {
        "script": Script(stage="A portrait.", narrative="Hello."), "speech": Speech(samples, RATE_HZ, (), (), "test"),
        "images": [], "lora": None, "width": 320, "height": 240, "fps": 10, "duration_s": 2.0, "seed": 1, "style": "",
        "title": "", "motion": 127, "steps": 25,
    }  # fmt: skip
    return Shot(**(facts | changes))


def drawn(tmp_path: Path) -> tuple[list[Any], TaskContext, list[float]]:
    ctx, told = attempt(tmp_path)
    drawing = sadtalker.draw(ctx, shot(), lambda done, **said: told.append(done))
    return list(drawing.frames), ctx, told


def test_its_video_becomes_our_frames_at_our_rate_and_size(tmp_path: Path, checkout: Checkout) -> None:
    checkout()
    frames, ctx, told = drawn(tmp_path)
    assert len(frames) == 20
    assert all(frame.shape == (240, 320, 3) and frame.dtype == np.uint8 for frame in frames)
    loud, silent = np.stack(frames[2:8]).astype(float), np.stack(frames[13:18]).astype(float)
    assert np.abs(loud.mean(axis=0) - silent.mean(axis=0)).max() > 60  # the mouth of the loud second is open
    assert told == sorted(told)
    assert len(set(told)) >= 8
    assert told[-1] == 1.0
    assert [(ref.name, ref.role) for ref in ctx.saved] == [("sadtalker.mp4", "part")]


def test_the_backend_is_its_own_only_when_a_whole_checkout_is_configured(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REELGRAPH_SADTALKER", raising=False)
    assert name_of("sadtalker") == "viseme_warp"
    folder = checkout()
    assert name_of("sadtalker") == "sadtalker"
    monkeypatch.setenv("REELGRAPH_SADTALKER_BACKEND", "viseme_warp")
    assert chosen("sadtalker").name == "viseme_warp"
    monkeypatch.setenv("REELGRAPH_SADTALKER_BACKEND", "auto")
    (folder / "checkpoints" / "mapping_00109-model.pth.tar").unlink()
    assert name_of("sadtalker") == "viseme_warp"
    assert "mapping_00109" in str(sadtalker.available())


@pytest.mark.parametrize(
    ("mode", "code", "kind", "told"),
    [
        ("crash", "sadtalker_failed", FailureKind.BUG, "can not detect the landmark"),
        ("memory", "sadtalker_failed", FailureKind.CAPACITY, "CUDA out of memory"),
        ("nothing", "sadtalker_no_video", FailureKind.BUG, "3DMM Extraction for source image"),
        ("short", "sadtalker_too_short", FailureKind.BUG, "The generated video is named"),
    ],
)
def test_its_failures_say_what_it_wrote(
    tmp_path: Path, checkout: Checkout, mode: str, code: str, kind: FailureKind, told: str
) -> None:
    checkout(mode)
    with pytest.raises(TaskError) as error:
        drawn(tmp_path)
    failure = error.value.failure
    assert (failure.code, failure.kind) == (code, kind)
    assert told in str(failure.detail)


def test_a_cancel_ends_it_with_all_it_started(tmp_path: Path, checkout: Checkout) -> None:
    folder = checkout("hang")
    ctx, _ = attempt(tmp_path)
    tool = folder / "tool.pid"

    def cancel_when_it_hangs() -> None:
        while not (tool.is_file() and tool.read_text()):
            time.sleep(0.02)
        ctx.cancelled.set()

    threading.Thread(target=cancel_when_it_hangs, daemon=True).start()
    with pytest.raises(TaskCancelled):
        sadtalker.draw(ctx, shot(), lambda done, **said: None)
    ends_at = time.monotonic() + 2
    while not _is_dead(int(tool.read_text())) and time.monotonic() < ends_at:
        time.sleep(0.01)  # killed, and the kernel is taking it down
    assert _is_dead(int(tool.read_text()))
    assert not [one for one in psutil.Process(os.getpid()).children(recursive=True) if _is_ours(one, folder)]


def test_one_that_takes_too_long_is_ended(tmp_path: Path, checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout("hang")
    monkeypatch.setenv("REELGRAPH_SADTALKER_TIMEOUT_S", "1.5")
    with pytest.raises(TaskError) as error:
        drawn(tmp_path)
    assert (error.value.failure.code, error.value.failure.kind) == ("sadtalker_timeout", FailureKind.TIMEOUT)


def test_progress_bars_are_read_and_other_lines_are_not() -> None:
    assert sadtalker.progress_of("Face Renderer::  50%|#####     | 10/20 [00:05<00:05]") == pytest.approx(0.475)
    assert sadtalker.progress_of("seamlessClone:: 100%|##########| 9/9") == 1.0
    assert sadtalker.progress_of("The generated video is named: x.mp4") is None
    assert sadtalker.progress_of("downloading: 3%|#| ") is None


def _is_dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _is_ours(process: psutil.Process, folder: Path) -> bool:
    try:
        return str(folder) in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
