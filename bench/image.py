"""How long a picture takes on this machine with each image backend that can run here.

python -m bench.image [--size 768x512] [--steps 20] [--count 10] [--device cpu] [--backends composer,sd]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from worker.context import TaskContext
from worker.images.choice import ORDER, reasons

PROMPTS = (
    "a cat sleeping on a sofa in a cosy living room",
    "an astronaut riding a horse on mars",
    "a black hole with an accretion disk",
    "a sailing ship on a stormy sea at night",
    "a red apple and a glass of milk on a kitchen table",
    "a medieval castle under a full moon with a dragon",
    "three penguins on the ice",
    "a neural network, glowing nodes, cyberpunk",
    "a bicycle in front of the eiffel tower at sunset",
    "a fox and two owls in a forest at dawn",
)
TARGETS = {"composer": "<= 0.5 s at 768x512 on 2 cores"}
Draw = Callable[[TaskContext, str, int], Any]


def drawer(backend: str, *, width: int, height: int, steps: int) -> Draw:
    """Return what draws one picture of a prompt with a seed."""
    if backend == "composer":
        from worker.images.composer import compose

        return lambda _ctx, prompt, seed: compose(prompt, width=width, height=height, seed=seed)
    if backend == "sd":
        from worker.images.diffusion import generate

        return lambda ctx, prompt, seed: generate(ctx, prompt, width=width, height=height, steps=steps, seed=seed)
    from worker.images.comfyui import draw

    return lambda ctx, prompt, seed: draw(
        ctx, prompt, negative_prompt="", width=width, height=height, steps=steps, guidance_scale=7.0,
        scheduler="default", seed=seed, count=1, lora=None, lora_scale=1.0, model=None,
    )  # fmt: skip


def main() -> None:
    """Draw with every backend and print seconds a picture: the first one with loading, then the warm ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="768x512")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--count", type=int, default=len(PROMPTS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--backends", default=",".join(ORDER))
    given = parser.parse_args()
    width, height = (int(side) for side in given.size.split("x"))
    table = Table(title=f"{given.size}, {given.steps} steps, {given.device}")
    for column in ("backend", "first (s)", "median (s)", "slowest (s)", "CPU (s)", "target"):
        table.add_column(column)
    for backend in given.backends.split(","):
        reason = reasons()[backend]()
        if reason is not None:
            table.add_row(backend, f"not here: {reason}")
            continue
        draw, seconds = drawer(backend, width=width, height=height, steps=given.steps), []
        with tempfile.TemporaryDirectory() as folder:
            ctx = TaskContext("bench", "image", 1, Path(folder), lambda _: None, device=given.device, seed=1)
            cpu_s = -time.process_time()
            for number in range(given.count + 1):
                began = time.perf_counter()
                draw(ctx, PROMPTS[number % len(PROMPTS)], number + 1)
                seconds.append(time.perf_counter() - began)
        cpu_s = (cpu_s + time.process_time()) / len(seconds)
        first, *warm = seconds
        figures = [f"{one:.2f}" for one in (first, statistics.median(warm), max(warm), cpu_s)]
        table.add_row(backend, *figures, TARGETS.get(backend, ""))
    Console().print(table)


if __name__ == "__main__":
    main()
