"""Learns the filter that makes a base voice sound like a target to the speaker encoder. It knows no files.

The encoder's gradient reaches the gains through power, mel bands and three LSTM layers. Everything that does not change
is computed once: a step filters a few crops of a ready spectrogram. The long-term spectrum pulls too, so that gains
do not only please the encoder that judges them.
Source: FEASIBILITY-ML.md section 3 (measured: similarity to a held-out part 0.63 -> 0.76).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.voice.bands import BANDS, MAX_GAIN_DB, spread
from worker.voice.encoder import CROP_FRAMES, RATE_HZ, WINDOW, SpeakerEncoder, mel_bands, power_spectrogram

_LEARNING_RATE = 1.0  # dB a step
_SIZE_COST, _ROUGHNESS_COST = 2e-4, 2e-4  # of squared dB
_SPECTRUM_COST = 2e-3  # of the squared dB by which the long-term spectra differ
_CROPS = 6
_BETAS, _EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class FilterState:
    """Where a training is: all that is needed to go on exactly as if it had never stopped.

    Attributes:
        gains_db, mean, square: the gains and Adam's two moments, each of 24 bands.
    """

    step: int
    gains_db: tuple[float, ...]
    mean: tuple[float, ...]
    square: tuple[float, ...]


@dataclass(frozen=True)
class FilterStep:
    """What one step found."""

    state: FilterState
    loss: float
    similarity: float


def untrained() -> FilterState:
    """Return the state before the first step: the filter that changes nothing."""
    zeros = (0.0,) * BANDS
    return FilterState(0, zeros, zeros, zeros)


def train_filter(
    encoder: SpeakerEncoder,
    *,
    base: NDArray[np.float32],
    target: NDArray[np.float32],
    spectrum_db: NDArray[np.float64],
    start: FilterState,
    steps: int,
    seed: int,
    report: Callable[[FilterStep], None],
) -> FilterState:
    """Train to `steps` and return the last state.

    Args:
        base: what the base voice says, float32 [T] at 16 kHz, at least 1.6 s.
        target: the speaker's unit vector float32 [256].
        spectrum_db: the speaker's long-term spectrum less that of the base, float64 [24].
        start: `untrained`, or where an earlier training stopped.
        seed: the same seed gives the same gains, whether stopped in between or not.
        report: called after every step; may raise to stop.
    """
    import torch

    device = encoder.device
    power = torch.from_numpy(power_spectrogram(base)).to(device)
    mels = torch.from_numpy(mel_bands().T.copy()).to(device)
    shares = torch.from_numpy(spread(np.fft.rfftfreq(WINDOW, 1 / RATE_HZ))).to(device)
    aim = torch.from_numpy(target.astype(np.float32)).to(device)
    wanted = torch.from_numpy((spectrum_db - spectrum_db.mean()).astype(np.float32)).to(device)
    average = power.mean(dim=0)
    whole = average.sum()
    gains, mean, square = (
        torch.tensor(values, dtype=torch.float32, device=device)
        for values in (start.gains_db, start.mean, start.square)
    )
    state, threads = start, torch.get_num_threads()
    torch.set_num_threads(1)  # such small steps are as fast on one core, and far faster than two where others work too
    try:
        for step in range(start.step, steps):
            starts = np.random.default_rng([seed, step]).integers(0, max(1, len(power) - CROP_FRAMES + 1), _CROPS)
            crops = torch.stack([power[at : at + CROP_FRAMES] for at in starts.tolist()])
            gains.requires_grad_(True)
            factors = 10.0 ** ((gains @ shares) / 10.0)
            level = whole / (average * factors).sum()  # the encoder hears all speech at one level
            embedded = encoder.embed_crops((crops * (factors * level)) @ mels).mean(dim=0)
            similarity = torch.dot(embedded, aim) / embedded.norm()
            cost = _SIZE_COST * gains.square().mean() + _ROUGHNESS_COST * gains.diff().square().mean()
            cost = cost + _SPECTRUM_COST * (gains - gains.mean() - wanted).square().mean()
            loss = 1.0 - similarity + cost
            (gradient,) = torch.autograd.grad(loss, gains)
            with torch.no_grad():
                mean = _BETAS[0] * mean + (1 - _BETAS[0]) * gradient
                square = _BETAS[1] * square + (1 - _BETAS[1]) * gradient.square()
                size = mean / (1 - _BETAS[0] ** (step + 1))
                width = (square / (1 - _BETAS[1] ** (step + 1))).sqrt() + _EPSILON
                gains = (gains.detach() - _LEARNING_RATE * size / width).clamp(-MAX_GAIN_DB, MAX_GAIN_DB)
            state = FilterState(step + 1, *(tuple(values.tolist()) for values in (gains, mean, square)))
            report(FilterStep(state, loss.item(), similarity.item()))
    finally:
        torch.set_num_threads(threads)
    return state
