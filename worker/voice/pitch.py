"""How high a voice speaks: its fundamental frequency over time. Pure.

Source: P. Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
sampled sound", IFA Proceedings 17, 1993: windowed autocorrelation over that of the window, then the cheapest path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOWEST_HZ, HIGHEST_HZ = 60.0, 450.0
HOP_S = 0.01
_WINDOW_S = 0.05  # three periods of the lowest pitch
_CANDIDATES = 4
_VOICED = 0.45  # of 1: how periodic a voiced frame is at least
_SILENCE = 0.03  # of the loudest frame's peak
_OCTAVE_COST, _JUMP_COST, _VOICING_COST = 0.015, 0.35, 0.14
_FRAMES_AT_ONCE = 2000


@dataclass(frozen=True)
class Pitch:
    """Fundamental frequency in Hz every `HOP_S` seconds, float64 [N]; 0 where nothing is voiced."""

    hz: NDArray[np.float64]

    @property
    def voiced_ratio(self) -> float:
        return float(np.mean(self.hz > 0)) if len(self.hz) else 0.0

    @property
    def median_hz(self) -> float:
        """Its median in Hz; 0 where nothing is voiced."""
        voiced = self.hz[self.hz > 0]
        return float(np.median(voiced)) if len(voiced) else 0.0

    @property
    def spread_semitones(self) -> float:
        """How lively it is: half the distance from its 16th to its 84th percentile, in semitones."""
        voiced = self.hz[self.hz > 0]
        if len(voiced) < 2:
            return 0.0
        low, high = np.percentile(12.0 * np.log2(voiced), [15.9, 84.1])
        return float(high - low) / 2.0

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the pitch at these times in Hz, 0 where nothing is voiced."""
        index = np.clip(np.rint(times_s / HOP_S).astype(int), 0, max(0, len(self.hz) - 1))
        return self.hz[index] if len(self.hz) else np.zeros(len(times_s))


def pitch(samples: NDArray[np.float32], rate_hz: int) -> Pitch:
    """Return the pitch of float32 [T] mono samples; frame n is centred on n * `HOP_S` seconds."""
    window, hop = round(_WINDOW_S * rate_hz), round(HOP_S * rate_hz)
    if len(samples) < window:
        return Pitch(np.zeros(0))
    padded = np.pad(samples, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    loudest = float(np.max(np.abs(samples))) or 1.0
    pieces = [
        _candidates(frames[start : start + _FRAMES_AT_ONCE], rate_hz, loudest)
        for start in range(0, len(frames), _FRAMES_AT_ONCE)
    ]
    hz = np.concatenate([piece[0] for piece in pieces])
    strength = np.concatenate([piece[1] for piece in pieces])
    return Pitch(_path(hz, strength))


def _candidates(
    frames: NDArray[np.float32], rate_hz: int, loudest: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pitches in Hz and their strengths, both float64 [N, 1 + candidates]; the first is `unvoiced`, 0 Hz."""
    window = frames.shape[1]
    shape = np.hanning(window)
    size = 1 << (2 * window - 1).bit_length()
    own = np.fft.irfft(np.abs(np.fft.rfft(shape, size)) ** 2)[: window // 2]
    still = frames - frames.mean(axis=1, keepdims=True)
    likeness = np.fft.irfft(np.abs(np.fft.rfft(still * shape, size, axis=1)) ** 2, axis=1)[:, : window // 2]
    likeness = likeness / np.maximum(likeness[:, :1], 1e-12) / (own / own[0])
    shortest, longest = int(rate_hz / HIGHEST_HZ), min(int(rate_hz / LOWEST_HZ), window // 2 - 2)
    left, middle, right = (likeness[:, shortest + step : longest + step] for step in (-1, 0, 1))
    is_peak = (middle > left) & (middle >= right) & (middle > 0)
    bend = np.minimum(left - 2 * middle + right, -1e-9)
    offset = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    lag = np.arange(shortest, longest) + offset
    height = np.minimum(middle - 0.25 * (left - right) * offset, 1.0)  # of the parabola through three samples
    strength = np.where(is_peak, height - _OCTAVE_COST * np.log2(LOWEST_HZ * lag / rate_hz), -9.0)
    best = np.argpartition(-strength, _CANDIDATES, axis=1)[:, :_CANDIDATES]
    hz = np.where(np.take_along_axis(is_peak, best, 1), rate_hz / np.take_along_axis(lag, best, 1), 0.0)
    strength = np.take_along_axis(strength, best, 1)
    quiet = np.abs(still).max(axis=1) / loudest
    unvoiced = _VOICED + np.maximum(0.0, 2.0 - quiet / _SILENCE * (1.0 + _VOICED))
    zeros = np.zeros((len(frames), 1))
    return np.hstack([zeros, hz]), np.hstack([unvoiced[:, None], strength])


def _path(hz: NDArray[np.float64], strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pitch of each frame along the path of most strength with few jumps."""
    voiced = hz > 0
    octaves = np.log2(np.where(voiced, hz, 1.0))
    total = strength[0]
    came: list[NDArray[np.intp]] = []
    for index in range(1, len(hz)):
        both = voiced[index - 1][:, None] & voiced[index][None, :]
        one = voiced[index - 1][:, None] ^ voiced[index][None, :]
        jump = np.abs(octaves[index - 1][:, None] - octaves[index][None, :])
        paths = total[:, None] - np.where(both, _JUMP_COST * jump, 0.0) - np.where(one, _VOICING_COST, 0.0)
        came.append(paths.argmax(axis=0))
        total = paths.max(axis=0) + strength[index]
    at = int(total.argmax())
    chosen = [at]
    for step in reversed(came):
        at = int(step[at])
        chosen.append(at)
    return hz[np.arange(len(hz)), chosen[::-1]]
