"""`train_lora` on a GPU: full-size architectures with random weights, against the plain twin of `bench/lora.py`.

Every test prints device, driver and seed; it skips where there is no CUDA device.
"""

from __future__ import annotations

import gc
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.lora_runs import Run, drawn
from tests.tiny_models import tiny_sd
from worker.lora.files import CARD_NAME, DIFFUSERS_NAME

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1800)]
DEVICE = "cuda:0"
GIB = 2**30
WARM_START_S = 2.0
SPEED_UP = 1.5
BRIEF: dict[str, Any] = {"steps": 20, "learning_rate": 1e-2, "rank": 8, "batch": 4, "loss": "mse", "early_stop": False}


@pytest.fixture(autouse=True)
def machine() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    print(f"device {torch.cuda.get_device_name(DEVICE)}, driver {driver}, torch {torch.__version__}, seed 7")


def on_gpu(run: Run) -> Run:
    run.context.device = DEVICE
    return run


def let_go() -> int:
    """Let everything idle go and return the bytes that are still allocated."""
    import torch

    from worker.models.resident import release

    release()
    gc.collect()
    torch.cuda.empty_cache()
    return int(torch.cuda.memory_allocated(DEVICE))


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_sd(tmp_path / "models" / "sd")
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path / "models"))


@pytest.mark.usefixtures("tiny")
def test_the_gpu_learns_what_the_cpu_learns(tmp_path: Path) -> None:
    refs = drawn(tmp_path / "pictures", 3)
    slow = Run(tmp_path / "cpu").of(refs, **BRIEF, base="sd").lora["media"]
    fast = on_gpu(Run(tmp_path / "gpu")).of(refs, **BRIEF, base="sd").lora["media"]
    assert fast["loss_before"] == pytest.approx(slow["loss_before"], rel=0.02)  # bfloat16 against float32
    assert fast["loss_after"] == pytest.approx(slow["loss_after"], rel=0.02)
    assert fast["loss_after"] < fast["loss_before"]


@pytest.mark.usefixtures("tiny")
def test_a_resumed_training_is_near_the_uninterrupted_one(tmp_path: Path) -> None:
    refs = drawn(tmp_path / "pictures", 3)
    whole = on_gpu(Run(tmp_path / "whole")).of(refs, **{**BRIEF, "steps": 28}, base="sd")
    kept = Path(whole.told("checkpoint")[0]["path"])
    resumed = on_gpu(Run(tmp_path / "resumed", checkpoint=kept)).of(refs, **{**BRIEF, "steps": 28}, base="sd")
    ours, theirs = (load_file(run.file(DIFFUSERS_NAME)) for run in (resumed, whole))
    apart = max(float(np.abs(ours[name] - theirs[name]).max()) for name in theirs)
    print(f"largest difference of a weight: {apart:.2e}")
    assert apart < 0.05 * max(float(np.abs(weight).max()) for weight in theirs.values())


@pytest.mark.usefixtures("tiny")
def test_20_times_out_of_memory_leaves_the_process_healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from worker.lora.training import Training

    refs = drawn(tmp_path / "pictures", 2)
    on_gpu(Run(tmp_path / "before")).of(refs, **BRIEF, base="sd")
    held = let_go()
    with monkeypatch.context() as patch:
        backward = Training._backward

        def greedy(self: Training, number: int) -> Any:
            backward(self, number)
            return torch.empty(2**44, dtype=torch.uint8, device=DEVICE)  # 16 TiB: a real refusal by the device

        patch.setattr(Training, "_backward", greedy)
        for attempt in range(20):
            with pytest.raises(torch.OutOfMemoryError):
                on_gpu(Run(tmp_path / f"oom{attempt}")).of(refs, **BRIEF, base="sd")
    assert let_go() <= held + 2**20
    after = on_gpu(Run(tmp_path / "after")).of(refs, **BRIEF, base="sd").lora["media"]
    assert after["loss_after"] < after["loss_before"]


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_full_size_base_trains_from_its_folder_and_the_next_job_starts_warm(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from bench.full_size import random_base, write_folder

    base = random_base(family, dtype=torch.bfloat16, device=DEVICE, scratch=tmp_path)
    write_folder(base, tmp_path / "models" / family)
    del base
    let_go()
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path / "models"))
    refs = drawn(tmp_path / "pictures", 4, size=(1100, 1024))
    torch.cuda.reset_peak_memory_stats(DEVICE)
    first = on_gpu(Run(tmp_path / "first")).of(refs, base=family, steps=10, early_stop=False)
    card = json.loads(first.file(CARD_NAME).read_text())
    peak_gib = torch.cuda.max_memory_allocated(DEVICE) / GIB
    pace = [tick["metrics"]["steps_per_s"] for tick in first.told("progress") if tick.get("metrics")]
    print(f"{family}: peak {peak_gib:.2f} GiB, {max(pace):.2f} steps/s, checkpointing {card['gradient_checkpointing']}")
    second = on_gpu(Run(tmp_path / "second"))
    began = time.time()
    second.of(refs, base=family, steps=2, early_stop=False)
    ready = next(tick["ts"] for tick in second.told("progress") if tick["stage"] == "checking the pictures")
    print(f"{family}: warm start {ready - began:.2f} s")
    assert ready - began <= WARM_START_S
    let_go()


@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "checkpointed"])
@pytest.mark.parametrize("model", ["random-sd15", "random-sdxl"])
def test_steps_are_faster_than_the_plain_twins_in_no_more_memory(model: str, checkpointing: bool) -> None:
    from bench.lora import compare

    let_go()
    words = ["--device", DEVICE, "--model", model, "--steps", "20", *(["--checkpointing"] if checkpointing else [])]
    measured = compare(words)
    print(json.dumps(measured, indent=2))
    ours, twin = measured["ours"], measured["twin"]
    assert ours["peak_gib"] <= 1.01 * twin["peak_gib"]
    assert ours["steps_per_s"] >= SPEED_UP * twin["steps_per_s"]
