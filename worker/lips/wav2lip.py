"""Backend `wav2lip`: the user's checkpoint draws the lower face of every picture. Knows no task, no sound file."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from worker.av.audio import Samples, resampled
from worker.av.video import Frame
from worker.context import TaskError
from worker.lips.crop import face_box, network_face, put_back
from worker.lips.mel import RATE_HZ, mel_spectrogram, mel_windows
from worker.lips.network import ENTRIES, SIZE_GIB, wav2lip
from worker.lips.track import Track

if TYPE_CHECKING:
    from torch import nn

    from worker.models.catalogue import Model

FAMILY = "wav2lip"
BATCH = {"cpu": 8, "cuda": 64}


def available() -> str | None:
    """Return why this backend cannot run here, or None when it can."""
    from worker.models.catalogue import lacking

    if importlib.util.find_spec("torch") is None:
        return "Wav2Lip needs the package torch: install the extra `models` (make models)"
    return lacking(FAMILY, purpose="move the lips of a face in a video")


def chosen() -> Model:
    """Return the checkpoint to use.

    Raises:
        TaskError: `model_missing`.
    """
    from worker.models.catalogue import choose

    return choose(FAMILY)


@contextmanager
def generator(model: Model, *, device: str) -> Iterator[nn.Module]:
    """Lend the network with the checkpoint's weights; it stays loaded for the next task.

    Raises:
        TaskError: `weights_pickled`, `weights_corrupt` or `weights_mismatch`.
    """
    from worker.models.resident import resident

    key = f"{model.id}:{model.sha256}"
    with resident(key, lambda: load(model.path, device=device), size_gib=SIZE_GIB, device=device) as network:
        yield network


def load(path: Path, *, device: str = "cpu") -> nn.Module:
    """Build the network and fill it from a safetensors file; a checkpoint saved from several GPUs is read too.

    Raises:
        TaskError: `weights_pickled`, `weights_corrupt` or `weights_mismatch`.
    """
    from worker.models.weights import read_weights

    tensors = {name.removeprefix("module."): tensor for name, tensor in read_weights(path, device="cpu").items()}
    network = wav2lip()
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise TaskError(
            "weights_mismatch", f"{path.name} is not a Wav2Lip generator", got=f"{len(tensors)} entries",
            allowed=f"the {ENTRIES} entries of Wav2Lip (not the discriminator or SyncNet)", detail=str(error),
        ) from error  # fmt: skip
    return network.to(device)


def speaking(
    pictures: Iterator[Frame],
    track: Track,
    samples: Samples,
    rate_hz: int,
    *,
    fps: int,
    network: nn.Module,
    device: str,
) -> Iterator[Frame]:
    """Yield the pictures with the face saying the sound; a picture without a face is yielded as it is.

    Args:
        pictures: uint8 [H, W, 3] RGB, one for each row of `track`.
        samples: float32 [T] mono.
    """
    mel = mel_spectrogram(resampled(samples, rate_hz, to_hz=RATE_HZ))
    size = BATCH[device.partition(":")[0]]
    first = 0
    while batch := list(islice(pictures, size)):
        numbers = range(first, first + len(batch))
        windows = mel_windows(mel, [number / fps for number in numbers])
        height, width = batch[0].shape[:2]
        boxes = {
            place: box
            for place, number in enumerate(numbers)
            if track.seen[number] and (box := face_box(track.points[number], width=width, height=height)) is not None
        }
        if boxes:
            faces = np.stack([network_face(batch[place], box) for place, box in boxes.items()])
            made = _run(network, windows[list(boxes)], faces, device)
            for (place, box), face in zip(boxes.items(), made, strict=True):
                put_back(batch[place], box, track.points[first + place], face)
        yield from batch
        first += len(batch)


def _run(network: Any, windows: NDArray[np.float32], faces: NDArray[np.float32], device: str) -> NDArray[np.float32]:
    """Return float32 [B, 3, 96, 96] BGR in [0, 1]; half precision on a GPU."""
    import torch

    kind = device.partition(":")[0]
    with torch.inference_mode(), torch.autocast(kind, torch.float16, enabled=kind == "cuda"):
        made = network(torch.from_numpy(windows).to(device), torch.from_numpy(faces).to(device))
    return made.float().cpu().numpy()
