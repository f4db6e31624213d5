"""The task `train_lora`: the user's pictures as a LoRA adapter on a Stable Diffusion base model."""

from __future__ import annotations

from pathlib import Path

from schemas.capability import Resources
from worker.context import TaskContext
from worker.images.loading import libraries_lacking
from worker.lora.settings import FAMILIES, MOST_BYTES_ON_CPU, LoraParams
from worker.models.catalogue import catalogue, choose, lacking
from worker.registry import Backend, Inputs, Outputs, task

_GPU_DEVICE = Path("/dev/nvidiactl")


def available() -> str | None:
    """Return why no adapter can be trained here, or None."""
    reason = libraries_lacking() or lacking(*FAMILIES, purpose="train_lora")
    if reason is not None or _GPU_DEVICE.exists():
        return reason
    if any(model.family in FAMILIES and model.size_bytes <= MOST_BYTES_ON_CPU for model in catalogue()):
        return None
    return f"training on {choose(*FAMILIES).id!r} needs an NVIDIA GPU: run a worker on a machine that has one"


def models() -> dict[str, str]:
    """Return the digest of every base model that a run may name."""
    return {model.id: model.fingerprint for model in catalogue() if model.family in FAMILIES}


@task(
    "train_lora",
    version="1",
    available=available,
    variants={"default": Backend("diffusers + peft", available)},
    resources=Resources(memory_gib=6.0, disk_gib=1.0),
    queue="gpu",
    idle_timeout_s=300.0,
    cacheable=True,
    models=models,
)
def train_lora(ctx: TaskContext, params: LoraParams, inputs: Inputs) -> Outputs:
    """Train an adapter on the pictures; a killed training goes on from its last checkpoint."""
    from worker.lora.run import train

    return {"lora": train(ctx, params, inputs.get("images") or []), "profile": inputs.get("profile")}
