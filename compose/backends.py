"""The backends that need something of the user's, told by themselves: what each lacks on this machine, if anything."""

from __future__ import annotations

from importlib import import_module

# Name -> module and function; each returns None, or what is missing and where to get it.
_BACKENDS = {
    "text_to_image by diffusion": "worker.images.diffusion:available",
    "text_to_image by ComfyUI": "worker.images.comfyui:available",
    "train_lora": "worker.tasks.train_lora:available",
    "train_voice": "worker.voice.availability:available",
    "render_video by video diffusion": "worker.video.svd:available",
    "render_video by SadTalker": "worker.sadtalker:available",
    "apply_lipsync by Wav2Lip": "worker.lips.wav2lip:available",
    "upscale_video by ESRGAN": "worker.upscale.esrgan:available",
}
# Of those that are asked about a device: any one, and not against all reason.
_FOR_A_DEVICE = {"worker.video.svd:available"}


def lacking_backends() -> dict[str, str | None]:
    """Return backend -> what it lacks, or None when it can run here."""
    return {name: _reason(place) for name, place in _BACKENDS.items()}


def _reason(place: str) -> str | None:
    module, _, function = place.partition(":")
    try:
        available = getattr(import_module(module), function)
    except ImportError as error:
        return f"a package is missing ({error}): run `make models`"
    try:
        return available(None, forced=False) if place in _FOR_A_DEVICE else available()
    except (OSError, ImportError) as error:
        return f"it cannot tell: {error}"
