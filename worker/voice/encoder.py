"""How alike two voices are: the packaged speaker encoder, with gradients through it. It knows no files of users.

Source: L. Wan et al., "Generalized end-to-end loss for speaker verification", ICASSP 2018, as trained by the package
Resemblyzer 0.1.4 (Apache-2.0). Only its weights are used: three LSTM layers of 256 and a linear layer over power mel
spectrograms of 40 bands, windows of 25 ms every 10 ms at 16 kHz.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from schemas.states import FailureKind
from worker.context import TaskError

if TYPE_CHECKING:
    from torch import Tensor

RATE_HZ = 16_000
SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
"""Of `pretrained.pt` in Resemblyzer 0.1.4."""
WINDOW, HOP, MELS = 400, 160, 40
CROP_FRAMES = 160
"""Length of what the encoder was trained on: 1.6 s."""
_STEP_FRAMES = 77  # 1.3 crops a second of speech, as the package does
_LEVEL = 10 ** (
    -30 / 20
)  # RMS that the package brings quiet speech to; here all speech, so that loudness tells nothing


def weights_file() -> Path | None:
    """Return the encoder's weights in the installed package, without importing it; None where it is missing."""
    from importlib.util import find_spec

    spec = find_spec("resemblyzer")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = Path(folders[0]) / "pretrained.pt" if folders else None
    return path if path and path.is_file() else None


@cache
def mel_bands() -> NDArray[np.float32]:
    """Return the mel filters float32 [40, 201] from 0 to 8 kHz, each of unit area (Slaney's scale, as librosa's)."""
    edges = _hz(np.linspace(0.0, _mel(RATE_HZ / 2), MELS + 2))
    bins = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)
    rising = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    return (np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def _mel(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15.0 + 27.0 * np.log(hz / 1000.0) / np.log(6.4)


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15.0, mel * 200 / 3, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))


def power_spectrogram(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32 [N, 201] of float32 [T] mono samples at 16 kHz, brought to -30 dBFS."""
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    scaled = samples * (_LEVEL / level) if level > 0 else samples
    padded = np.pad(scaled, WINDOW // 2)
    padded = np.pad(padded, (0, max(0, WINDOW + (CROP_FRAMES - 1) * HOP - len(padded))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    shape = np.hanning(WINDOW + 1)[:-1]
    return (np.abs(np.fft.rfft(frames * shape, axis=1)) ** 2).astype(np.float32)


class SpeakerEncoder:
    """The loaded encoder; its weights never change."""

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        import torch

        state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
        self.device = device
        self._lstm = torch.nn.LSTM(MELS, 256, 3, batch_first=True)
        self._linear = torch.nn.Linear(256, 256)
        self._lstm.load_state_dict({k.removeprefix("lstm."): v for k, v in state.items() if k.startswith("lstm.")})
        self._linear.load_state_dict(
            {k.removeprefix("linear."): v for k, v in state.items() if k.startswith("linear.")}
        )
        for part in (self._lstm, self._linear):
            part.requires_grad_(False).to(device)

    def embed_crops(self, mels: Tensor) -> Tensor:
        """Return unit vectors [B, 256] of mel spectrograms [B, frames, 40]; differentiable."""
        _, (hidden, _) = self._lstm(mels)
        raw = self._linear(hidden[-1]).relu()
        return raw / raw.norm(dim=1, keepdim=True).clamp_min(1e-8)

    def embed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the voice's unit vector float32 [256], all entries >= 0, from speech float32 [T] at 16 kHz."""
        import torch

        mels = power_spectrogram(samples) @ mel_bands().T
        starts = crop_starts(len(mels))
        with torch.inference_mode():
            crops = torch.from_numpy(np.stack([mels[start : start + CROP_FRAMES] for start in starts]))
            mean: Any = self.embed_crops(crops.to(self.device)).mean(dim=0).cpu().numpy()
        return mean / np.linalg.norm(mean)


def crop_starts(frames: int) -> list[int]:
    """Return where the crops of a spectrogram begin, so that they cover it."""
    last = max(0, frames - CROP_FRAMES)
    return sorted({*range(0, last + 1, _STEP_FRAMES), last})


@cache
def encoder(device: str = "cpu") -> SpeakerEncoder:
    """Return the packaged encoder, loaded once in this process.

    Raises:
        TaskError: `speaker_encoder_missing`, when it is not installed, or is not the one that figures are known for.
    """
    from hashlib import sha256

    path = weights_file()
    found = sha256(path.read_bytes()).hexdigest() if path else None
    if path is None or found != SHA256:
        raise TaskError(
            "speaker_encoder_missing", "the speaker encoder is missing or of another version",
            kind=FailureKind.DEPENDENCY, got=found, allowed=SHA256, hint="run `make models`",
        )  # fmt: skip
    return SpeakerEncoder(path, device=device)


def similarity(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the cosine of two voices' vectors: about 0.85 for one speaker twice, 0.5 to 0.7 for two."""
    return float(np.dot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)))
