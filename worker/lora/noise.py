"""The noise of diffusion training: what is added, what the network shall predict, how steps are weighted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.context import TaskError
from worker.lora.settings import Loss

if TYPE_CHECKING:
    from torch import Generator, Tensor

_BETAS = (
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr",
)  # fmt: skip
_PREDICTED = ("epsilon", "v_prediction")
MIN_SNR_GAMMA = 5.0  # Source: Hang et al. 2023, "Efficient Diffusion Training via Min-SNR Weighting Strategy"


@dataclass(frozen=True)
class Noise:
    """The forward process of a base model.

    Attributes:
        kept: float32 [T] in 0..1, the share of the picture's variance left at each timestep (`alphas_cumprod`).
        predicts: `epsilon` (the noise) or `v_prediction`.
    """

    kept: Tensor
    predicts: str

    @property
    def timesteps(self) -> int:
        return len(self.kept)

    def to(self, device: str) -> Noise:
        return Noise(self.kept.to(device), self.predicts)

    def add(self, latents: Tensor, noise: Tensor, at: Tensor) -> Tensor:
        """Return the noisy latents at the timesteps `at`, int64 [B]."""
        signal, spread = self._parts(at)
        return signal * latents + spread * noise

    def target(self, latents: Tensor, noise: Tensor, at: Tensor) -> Tensor:
        """Return what the network shall say about the noisy latents."""
        if self.predicts == "epsilon":
            return noise
        signal, spread = self._parts(at)
        return signal * noise - spread * latents

    def weights(self, at: Tensor, *, loss: Loss) -> Tensor | None:
        """Return the weight of each sample, float32 [B], or None when all weigh the same."""
        if loss == "mse":
            return None
        kept = self.kept[at]
        ratio = (kept / (1 - kept)).clamp(min=1e-8)
        capped = ratio.clamp(max=MIN_SNR_GAMMA)
        return capped / ratio if self.predicts == "epsilon" else capped / (ratio + 1)

    def denoise(self, latents: Tensor, said: Tensor, *, at: int, then: int) -> Tensor:
        """Return the latents one DDIM step (eta 0) later; `then` below 0 is the clean picture.

        Source: Song et al. 2020, "Denoising Diffusion Implicit Models", equation 12.
        """
        kept = self.kept[at]
        after = self.kept[then] if then >= 0 else self.kept.new_ones(())
        if self.predicts == "epsilon":
            clean, noise = (latents - (1 - kept).sqrt() * said) / kept.sqrt(), said
        else:
            clean = kept.sqrt() * latents - (1 - kept).sqrt() * said
            noise = kept.sqrt() * said + (1 - kept).sqrt() * latents
        return after.sqrt() * clean + (1 - after).sqrt() * noise

    def _parts(self, at: Tensor) -> tuple[Tensor, Tensor]:
        kept = self.kept[at].view(-1, 1, 1, 1)
        return kept.sqrt(), (1 - kept).sqrt()


def noise_of(scheduler_config: Mapping[str, Any]) -> Noise:
    """Return the forward process that a diffusers scheduler config describes.

    Raises:
        TaskError: `base_not_trainable`: it predicts something else than `epsilon` or `v_prediction`.
    """
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    known = {name: scheduler_config[name] for name in _BETAS if scheduler_config.get(name) is not None}
    predicts = str(scheduler_config.get("prediction_type", "epsilon"))
    if predicts not in _PREDICTED:
        raise TaskError("base_not_trainable", "the base model's scheduler predicts what cannot be trained here",
                        path="/params/base", got=predicts, allowed=list(_PREDICTED),
                        hint="choose another base model")  # fmt: skip
    return Noise(kept=DDPMScheduler(**known).alphas_cumprod.float(), predicts=predicts)


def generator(seed: int, purpose: str, number: int = 0) -> Generator:
    """Return the random numbers of one step: they depend on these three alone, so a resumed run draws the same ones.

    They are drawn on the CPU, so that a seed means the same on every device.
    """
    import torch

    digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
