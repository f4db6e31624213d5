"""LoRA training speed: ours against a plain twin, `python -m bench.lora [--device cuda:0 --model random-sd15]`.

The twin is the loop of diffusers' `train_text_to_image_lora(_sdxl).py`, written plainly: every step encodes pictures
and captions again, with all models on the device. Both sides get the same base, pictures, batch, rank, precision,
optimizer and checkpointing, and run in processes of their own, so that their peak memory is theirs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from worker.lora.base import Base, load_base, precision
from worker.lora.encoding import conditions, encode
from worker.lora.noise import noise_of
from worker.lora.pictures import Picture
from worker.lora.settings import LoraParams, Settings, settings_for
from worker.lora.training import CLIP_NORM, TARGETS, training_on

PICTURES = 12
SIDES = ("ours", "twin")
MODELS = "tiny, random-sd15, random-sdxl, or a diffusers folder (its name must contain `xl` for SDXL)"


def compare(words: list[str]) -> dict[str, dict[str, Any]]:
    """Measure both sides with these command-line words and return side -> figures."""
    measured = {}
    for side in SIDES:
        ended = subprocess.run(
            [sys.executable, "-m", "bench.lora", "--side", side, *words], capture_output=True, text=True, check=False,
            env={**os.environ, "HF_HUB_OFFLINE": "1"}, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        if ended.returncode != 0:
            raise RuntimeError(f"{side} failed: {ended.stderr[-3000:]}")
        measured[side] = json.loads(ended.stdout.splitlines()[-1])
    return measured


def measure(side: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Train `asked.steps` steps after a warm-up and return steps/s and peak memory."""
    import torch

    device, on_gpu = asked.device, asked.device != "cpu"
    with tempfile.TemporaryDirectory() as scratch:
        base = _base(asked.model, device=device, scratch=Path(scratch))
        params = LoraParams(
            batch=asked.batch, rank=asked.rank, loss="mse", resolution_px=asked.resolution, steps=10_000
        )  # fmt: skip
        settings = settings_for(
            params, pictures=PICTURES, seed=1, native_px=base.native_px, multiple_px=base.multiple_px
        )
        pictures = _pictures(settings.resolution_px)
        began = time.perf_counter() if on_gpu else time.process_time()
        run = {"ours": _ours, "twin": _twin}[side]
        figures = run(base, pictures, settings, device, asked.checkpointing, lambda step: _timed(step, asked, on_gpu))
    ended = time.perf_counter() if on_gpu else time.process_time()
    ready_s = ended - began - figures["train_s"]
    memory = (
        torch.cuda.max_memory_allocated(device) if on_gpu else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )
    return {
        "side": side, "steps_per_s": round(asked.steps / figures["steps_s"], 3), "prepare_s": round(ready_s, 2),
        "peak_gib": round(memory / 2**30, 3), "memory_is": "allocated on the GPU" if on_gpu else "resident size",
        "seconds_are": "wall" if on_gpu else "CPU time",
        "loss": round(figures["loss"], 4), "resolution_px": settings.resolution_px, "batch": settings.batch,
        "rank": settings.rank, "checkpointing": asked.checkpointing, "model": asked.model,
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu", "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }  # fmt: skip


def _timed(step: Callable[[int], Any], asked: argparse.Namespace, on_gpu: bool) -> dict[str, float]:
    """Run the warm-up and then the measured steps; wait for the device at both ends."""
    import torch

    def now_s() -> float:
        if not on_gpu:
            return time.process_time()  # of all threads: other processes on the machine do not count
        torch.cuda.synchronize()
        return time.perf_counter()

    began = now_s()
    for number in range(asked.warmup):
        step(number)
    warm = now_s()
    loss = None
    for number in range(asked.warmup, asked.warmup + asked.steps):
        loss = step(number)
    ended = now_s()
    return {"steps_s": ended - warm, "train_s": ended - began, "loss": float(loss) if loss is not None else 0.0}


def _ours(
    base: Base, pictures: list[Picture], settings: Settings, device: str, checkpointing: bool, timed: Any
) -> dict[str, float]:
    encoded = encode(base, pictures, device=device, tick=lambda done: None)
    with training_on(base, encoded, settings, device=device, checkpointing=checkpointing) as training:
        return timed(training.step)


def _twin(
    base: Base, pictures: list[Picture], settings: Settings, device: str, checkpointing: bool, timed: Any
) -> dict[str, float]:
    import torch
    from peft import LoraConfig

    dtype = precision(device)
    vae_dtype = torch.float32 if base.family == "sdxl" else dtype  # as the stock scripts have it
    noise_process = noise_of(base.scheduler_config).to(device)
    unet, vae = base.unet.to(device), base.vae.to(device, vae_dtype)
    encoders = [encoder.to(device) for encoder in base.text_encoders]
    unet.add_adapter(
        LoraConfig(
            r=settings.rank, lora_alpha=settings.rank, init_lora_weights="gaussian", target_modules=list(TARGETS)
        )
    )
    weights = [weight for weight in unet.parameters() if weight.requires_grad]
    for weight in weights:
        weight.data = weight.data.float()
    if checkpointing:
        unet.enable_gradient_checkpointing()
    unet.train()
    optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=1e-2)
    pixels = torch.stack([torch.from_numpy(one.pixels.copy()).permute(2, 0, 1) for one in pictures])
    captions = [one.caption for one in pictures]
    side = float(settings.resolution_px)

    def step(number: int) -> Any:
        chosen = torch.randint(0, len(pictures), (settings.batch,))
        shown = (pixels[chosen].float() / 127.5 - 1).to(device, vae_dtype)
        with torch.no_grad():
            latents = vae.encode(shown).latent_dist.sample() * vae.config.scaling_factor
            words = _words(base, encoders, [captions[index] for index in chosen], device)
        noise = torch.randn_like(latents, dtype=torch.float32)
        at = torch.randint(0, noise_process.timesteps, (settings.batch,), device=device)
        noisy = noise_process.add(latents.float(), noise, at)
        sizes = torch.tensor([[side, side, 0, 0, side, side]] * settings.batch, device=device)
        with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
            said = unet(noisy, at, **conditions(words, sizes), return_dict=False)[0]
        loss = torch.nn.functional.mse_loss(said.float(), noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, CLIP_NORM)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return timed(step)


def _words(base: Base, encoders: list[Any], texts: list[str], device: str) -> Any:
    import torch

    from worker.lora.encoding import Words

    states, pooled = [], None
    for tokenizer, encoder in zip(base.tokenizers, encoders, strict=True):
        ids = tokenizer(texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        said = encoder(ids.to(device), output_hidden_states=True)
        states.append(said.hidden_states[-2] if base.family == "sdxl" else said.last_hidden_state)
        pooled = said[0] if base.family == "sdxl" else None
    return Words(torch.cat(states, dim=-1), pooled)


def _base(model: str, *, device: str, scratch: Path) -> Base:
    if model.startswith("random-"):
        from bench.full_size import random_base

        made = random_base(model.removeprefix("random-"), dtype=precision(device), device=device, scratch=scratch)
        for part in (made.unet, made.vae, *made.text_encoders):  # both sides start as after a load: on the CPU
            part.to("cpu")
        if device != "cpu":
            import torch

            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        return made
    if model == "tiny":
        from tests.tiny_models import tiny_sd

        return load_base(tiny_sd(scratch / "tiny"), family="sd15", dtype=precision(device))
    return load_base(
        Path(model), family="sdxl" if "xl" in Path(model).name.lower() else "sd15", dtype=precision(device)
    )


def _pictures(side_px: int) -> list[Picture]:
    draws = np.random.default_rng(0)
    return [
        Picture(
            name=f"{index}.png", pixels=draws.integers(0, 256, (side_px, side_px, 3), dtype=np.uint8),
            size_px=(side_px, side_px), crop_px=(0, 0), sha256="", caption=f"a photo of ohwx number {index}",
        )
        for index in range(PICTURES)
    ]  # fmt: skip


def main() -> None:
    """Print a table of both sides, or the figures of one as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", default="tiny", help=MODELS)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--resolution", type=int, default=None, help="px; default: the model's own")
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--side", choices=SIDES, default=None, help="measure one side and print JSON")
    asked = parser.parse_args()
    if asked.side:
        print(json.dumps(measure(asked.side, asked)))
        return
    measured = compare(sys.argv[1:])
    for side, figures in measured.items():
        print(f"{side:<5} {figures['steps_per_s']:8.3f} steps/s  {figures['peak_gib']:7.3f} GiB peak  "
              f"{figures['prepare_s']:6.2f} s to prepare")  # fmt: skip
    ours, twin = (measured[side] for side in SIDES)
    print(f"ratio {ours['steps_per_s'] / twin['steps_per_s']:.2f} x steps/s, "
          f"{ours['peak_gib'] / twin['peak_gib']:.2f} x memory")  # fmt: skip
    print(json.dumps(ours, sort_keys=True))


if __name__ == "__main__":
    main()
