"""Speech as Wav2Lip hears it: log-mel spectrograms, one window per picture. Pure.

Source: the audio front end the published checkpoints were trained with (16 kHz, window 800, hop 200, 80 mels from 55 to
7600 Hz, pre-emphasis 0.97, -100 dB floor, 20 dB reference, scaled to +-4); mel bands after Slaney's Auditory Toolbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
WINDOW, HOP = 800, 200
MELS, STEPS = 80, 16  # a window of 16 steps lasts 0.2 s
STEPS_PER_S = RATE_HZ / HOP
BAND_HZ = (55.0, 7600.0)
PREEMPHASIS = 0.97
FLOOR_DB, REFERENCE_DB, REACH = -100.0, 20.0, 4.0


def mel_spectrogram(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32 [80, 1 + T // 200] in [-4, 4] for mono samples float32 [T] at 16 kHz."""
    emphasised = np.append(samples[:1], samples[1:] - PREEMPHASIS * samples[:-1])
    padded = np.pad(emphasised, WINDOW // 2, mode="reflect" if len(samples) > WINDOW // 2 else "constant")
    pieces = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    bands = np.stack([mel_bands() @ np.abs(np.fft.rfft(piece * hann)) for piece in pieces], axis=1)
    level_db = 20 * np.log10(np.maximum(10 ** (FLOOR_DB / 20), bands)) - REFERENCE_DB
    scaled = 2 * REACH * (level_db - FLOOR_DB) / -FLOOR_DB - REACH
    return np.clip(scaled, -REACH, REACH).astype(np.float32)


def mel_windows(mel: NDArray[np.float32], times_s: Sequence[float]) -> NDArray[np.float32]:
    """Return float32 [N, 1, 80, 16]: what is heard from each time on; after the sound's end, the last window of it."""
    if mel.shape[1] < STEPS:
        mel = np.pad(mel, ((0, 0), (0, STEPS - mel.shape[1])), constant_values=-REACH)
    last = mel.shape[1] - STEPS
    starts = [min(last, max(0, int(time_s * STEPS_PER_S + 1e-6))) for time_s in times_s]
    return np.stack([mel[None, :, start : start + STEPS] for start in starts])


@cache
def mel_bands() -> NDArray[np.float64]:
    """Return float64 [80, 401]: triangles of equal area, evenly spaced on the Slaney mel scale."""
    low, high = (_mel(hz) for hz in BAND_HZ)
    edges_hz = np.array([_hz(mel) for mel in np.linspace(low, high, MELS + 2)])
    bins_hz = np.arange(WINDOW // 2 + 1) * RATE_HZ / WINDOW
    rising = (bins_hz - edges_hz[:-2, None]) / np.diff(edges_hz)[:-1, None]
    falling = (edges_hz[2:, None] - bins_hz) / np.diff(edges_hz)[1:, None]
    area = 2 / (edges_hz[2:] - edges_hz[:-2])
    return np.maximum(0, np.minimum(rising, falling)) * area[:, None]


_LINEAR_HZ_PER_MEL = 200 / 3  # below 1 kHz
_LOG_FROM_HZ, _LOG_STEP = 1000.0, np.log(6.4) / 27


def _mel(hz: float) -> float:
    if hz < _LOG_FROM_HZ:
        return hz / _LINEAR_HZ_PER_MEL
    return float(_LOG_FROM_HZ / _LINEAR_HZ_PER_MEL + np.log(hz / _LOG_FROM_HZ) / _LOG_STEP)


def _hz(mel: float) -> float:
    corner = _LOG_FROM_HZ / _LINEAR_HZ_PER_MEL
    return mel * _LINEAR_HZ_PER_MEL if mel < corner else float(_LOG_FROM_HZ * np.exp(_LOG_STEP * (mel - corner)))
