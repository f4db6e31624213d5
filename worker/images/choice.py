"""Which image backend runs here and now: the setting `REELGRAPH_IMAGE_BACKEND` and what this machine has."""

from __future__ import annotations

import os
from collections.abc import Callable

SETTING = "REELGRAPH_IMAGE_BACKEND"
ORDER = ("comfyui", "sd", "composer")
"""What `auto` takes: a server that is configured and answers, else an installed model, else the drawn parts."""


EDITION = "1"  # of the composer: raise it when its pictures change


def reasons() -> dict[str, Callable[[], str | None]]:
    """Return backend -> what says None when it can run here, else why not."""
    from worker.images import comfyui, composer, diffusion

    return {"comfyui": comfyui.available, "sd": diffusion.available, "composer": composer.available}


def chosen(*, device: str | None = None) -> str:
    """Return the name of the backend that runs; a backend named by the setting is returned even if it cannot.

    Args:
        device: `cpu` or `cuda:N` of the attempt; None asks for the machine in general.
    """
    told = os.environ.get(SETTING, "").strip() or "auto"
    if told != "auto":
        return told
    for name in ORDER[:-1]:
        if reasons()[name]() is None and not (name == "sd" and device == "cpu" and not _fits_cpu()):
            return name
    return ORDER[-1]


def lacking() -> str | None:
    """Return None when the chosen backend can run, else what a person can do about it."""
    name = chosen()
    if name not in ORDER:
        return f"{SETTING}={name} is unknown: use auto, {', '.join(ORDER)}"
    reason = reasons()[name]()
    return None if reason is None else f"{name}: {reason}"


def models() -> dict[str, str]:
    """Return what the chosen backend draws with: model id -> sha256, or the name and edition of what stands in for one.

    All models that a param or a LoRA may choose count, so that none can change unseen. A ComfyUI server tells no
    digest: its address and checkpoint stand for the model.
    """
    name = chosen()
    if name == "sd":
        from worker.images.loading import FAMILIES
        from worker.models.catalogue import catalogue

        return {model.id: model.fingerprint for model in catalogue() if model.family in FAMILIES}
    if name == "comfyui":
        from worker.images.comfyui import Server

        server = Server.of_settings()
        return {f"comfyui:{server.checkpoint() if server else ''}": server.url if server else ""}
    return {"composer": EDITION}


def _fits_cpu() -> bool:
    from worker.images.diffusion import fits_cpu

    return fits_cpu()
