"""Stable Video Diffusion against the stock pipeline call, random weights of full size: memory and speed, no pictures.

python -m bench.svd [--device cuda:0] [--frames 25] [--width 1024] [--height 576] [--steps 25] [--tiny]

Rows: the stock `StableVideoDiffusionPipeline` call; ours as it starts; ours after compiling its blocks. All in one
process, one seed, float16 on a GPU. On a CPU only `--tiny` ends in reasonable time.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.tiny_video_models import svd_pipeline
from worker.images.loading import quiet_libraries
from worker.models.resident import GIB
from worker.video.diffusion import NOISE_AUGMENTATION, ClipRequest, Svd
from worker.video.memory import ON_CPU, ON_GPU, MemoryPlan
from worker.video.quicker import attend_to_one_token, compile_blocks
from worker.video.stretch import NATURAL_FPS

SEED = 7
TARGET = 1.3  # ours over stock, issue 4
WARM_STEPS = 2


@dataclass(frozen=True)
class Workload:
    """What is drawn: `frames` pictures of `width` x `height` px in `steps` steps."""

    width: int
    height: int
    frames: int
    steps: int
    decode_chunk: int


@dataclass(frozen=True)
class Run:
    """One timed clip. `step_s` is the median of its denoising steps; `peak_gib` is None on a CPU."""

    name: str
    clip_s: float
    step_s: float
    peak_gib: float | None


def device_name(device: str) -> str:
    """Return what the figures were measured on, with driver and library versions."""
    import torch

    if device == "cpu":
        return f"CPU {platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    facts = torch.cuda.get_device_properties(device)
    return f"{facts.name}, {facts.total_memory / GIB:.0f} GiB, CUDA {torch.version.cuda}, torch {torch.__version__}"


def pipeline(*, tiny: bool, device: str, frames: int) -> Any:
    """Return a pipeline with random weights on the device."""
    import torch

    with quiet_libraries():
        pipe = svd_pipeline(seed=SEED, full=not tiny)
        pipe.unet.register_to_config(num_frames=frames)
        pipe.set_progress_bar_config(disable=True)
        return pipe.to(device, torch.float32 if device == "cpu" else torch.float16)


def stock(pipe: Any, work: Workload, *, device: str) -> Run:
    """Time the library's own call."""
    import torch
    from PIL import Image

    steps: list[float] = []
    before = 0.0

    def stepped(_pipe: Any, _number: int, _timestep: Any, held: dict[str, Any]) -> dict[str, Any]:
        nonlocal before
        _wait(device)
        now = time.monotonic()
        steps.append(now - before)
        before = now
        return held

    def clip(count: int) -> None:
        nonlocal before
        before = time.monotonic()
        with quiet_libraries():
            pipe(
                Image.fromarray(_picture(work)), height=work.height, width=work.width, num_frames=work.frames,
                num_inference_steps=count, noise_aug_strength=NOISE_AUGMENTATION, fps=NATURAL_FPS,
                decode_chunk_size=work.decode_chunk, generator=torch.Generator("cpu").manual_seed(SEED),
                callback_on_step_end=stepped, output_type="np",
            )  # fmt: skip

    return _timed("stock pipeline call", clip, steps, work, device)


def ours(pipe: Any, work: Workload, *, device: str, name: str, plan: MemoryPlan) -> Run:
    """Time our call on a pipeline that is prepared already."""
    svd = Svd(pipe, plan, device, compiled=True)  # so that it compiles nothing by itself while it is timed
    steps: list[float] = []

    def clip(count: int) -> None:
        asked = ClipRequest(_picture(work), steps=count, motion=127, seed=SEED)
        svd.animate(asked, check=lambda: None, on_step=lambda _step, _steps, step_s: steps.append(step_s))

    return _timed(name, clip, steps, work, device)


def measure(work: Workload, *, device: str, tiny: bool) -> list[Run]:
    """Return the runs of one pipeline: stock, ours, ours compiled (on a GPU only)."""
    pipe = pipeline(tiny=tiny, device=device, frames=work.frames)
    runs = [stock(pipe, work, device=device)]
    plan = ON_CPU if device == "cpu" else ON_GPU[0]
    attend_to_one_token(pipe.unet)
    runs.append(ours(pipe, work, device=device, name="ours", plan=plan))
    if device != "cpu":
        compile_blocks(pipe.unet)
        runs.append(ours(pipe, work, device=device, name="ours, blocks compiled", plan=plan))
    return runs


def table(runs: list[Run], work: Workload, *, device: str) -> Table:
    """Return the figures as a table, the ratio to the first row in the last column."""
    title = (
        f"SVD, {work.frames} frames {work.width}x{work.height}, {work.steps} steps, seed {SEED}\n{device_name(device)}"
    )
    shown = Table("run", "clip s", "step s", "peak GiB", f"stock / run (goal {TARGET})", title=title)
    for run in runs:
        peak = "-" if run.peak_gib is None else f"{run.peak_gib:.1f}"
        shown.add_row(run.name, f"{run.clip_s:.2f}", f"{run.step_s:.3f}", peak, f"{runs[0].clip_s / run.clip_s:.2f}")
    return shown


def _timed(name: str, clip: Callable[[int], None], steps: list[float], work: Workload, device: str) -> Run:
    import torch

    clip(WARM_STEPS)
    steps.clear()
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
    _wait(device)
    began = time.monotonic()
    clip(work.steps)
    _wait(device)
    clip_s = time.monotonic() - began
    peak = None if device == "cpu" else torch.cuda.max_memory_allocated(device) / GIB
    return Run(name, clip_s, float(np.median(steps[1:] or steps)), peak)


def _wait(device: str) -> None:
    if device != "cpu":
        import torch

        torch.cuda.synchronize(device)


def _picture(work: Workload) -> Any:
    return np.random.default_rng(SEED).integers(0, 255, (work.height, work.width, 3), dtype=np.uint8)


def main() -> None:
    """Parse the command line, measure, print."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--frames", type=int)
    parser.add_argument("--width", type=int)
    parser.add_argument("--height", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--tiny", action="store_true", help="a tiny network: for a look at the bench itself on a CPU")
    given = parser.parse_args()
    default = (64, 64, 8, 10) if given.tiny else (1024, 576, 25, 25)
    width, height, frames, steps = (
        told or usual
        for told, usual in zip((given.width, given.height, given.frames, given.steps), default, strict=True)
    )
    work = Workload(width, height, frames, steps, decode_chunk=8)
    Console(width=140).print(table(measure(work, device=given.device, tiny=given.tiny), work, device=given.device))


if __name__ == "__main__":
    main()
