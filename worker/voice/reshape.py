"""Moves a voice's pitch and formants and leaves its timing alone: pitch-synchronous overlap-add. Pure.

Source: E. Moulines and F. Charpentier, "Pitch-synchronous waveform processing techniques for text-to-speech synthesis
using diphones", Speech Communication 9, 1990. Each grain spans two periods; stretching a grain moves the formants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.voice.pitch import Pitch, pitch

LOWEST_RATIO, HIGHEST_RATIO = 0.55, 2.0
"""How far a pitch is moved at most; beyond that grains tear."""
_NOISE_PERIOD_S = 0.005  # spacing of grains where nothing is voiced
_SEARCH = 0.25  # of a period: where the next mark may be


@dataclass(frozen=True)
class PitchMap:
    """What becomes of a pitch: moved from one median to another, its liveliness multiplied.

    Attributes:
        from_hz, to_hz: median before and after.
        spread_ratio: of the distances from the median, in semitones.
    """

    from_hz: float
    to_hz: float
    spread_ratio: float = 1.0

    def __call__(self, hz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the new pitch in Hz for a voiced pitch in Hz."""
        moved = self.to_hz * (hz / self.from_hz) ** self.spread_ratio
        return np.clip(moved, LOWEST_RATIO * hz, HIGHEST_RATIO * hz)


def reshaped(
    samples: NDArray[np.float32], rate_hz: int, *, pitch_map: PitchMap, formant_ratio: float = 1.0
) -> NDArray[np.float32]:
    """Return the speech at another pitch, its formants multiplied; as many samples, every sound at its time.

    Args:
        samples: float32 [T] mono.
        formant_ratio: above 1 for a shorter vocal tract.
    """
    track = pitch(samples, rate_hz)
    marks, periods, voiced = _marks(samples, rate_hz, track)
    if len(marks) < 2:
        return samples
    out, weight = np.zeros(len(samples)), np.zeros(len(samples))
    times = _new_marks(marks, periods, voiced, rate_hz, pitch_map)
    nearest = np.searchsorted((marks[1:] + marks[:-1]) / 2, times)
    for at, source in zip(times, nearest, strict=True):
        _add_grain(out, weight, samples, round(at), int(marks[source]), float(periods[source]), formant_ratio)
    return (out / np.maximum(weight, 0.25)).astype(np.float32)


def _add_grain(
    out: NDArray[np.float64],
    weight: NDArray[np.float64],
    samples: NDArray[np.float32],
    at: int,
    source: int,
    period: float,
    formant_ratio: float,
) -> None:
    """Add two periods around `source` to `out` around `at`, squeezed in time by the formant ratio."""
    half = int(period / formant_ratio) if formant_ratio > 1 else int(period)
    half = min(half, at, len(out) - 1 - at)
    if half < 1:
        return
    steps = np.arange(-half, half + 1)
    shape = 0.5 + 0.5 * np.cos(np.pi * steps / (half + 1))
    if formant_ratio == 1.0:
        grain = samples[np.clip(source + steps, 0, len(samples) - 1)]
    else:
        wanted = source + steps * formant_ratio
        below = np.clip(np.floor(wanted).astype(int), 0, len(samples) - 2)
        part = np.clip(wanted - below, 0.0, 1.0)
        grain = samples[below] * (1 - part) + samples[below + 1] * part
    out[at - half : at + half + 1] += grain * shape
    weight[at - half : at + half + 1] += shape


def _new_marks(
    marks: NDArray[np.int64],
    periods: NDArray[np.float64],
    voiced: NDArray[np.bool_],
    rate_hz: int,
    pitch_map: PitchMap,
) -> NDArray[np.float64]:
    """Return where the grains go, in samples: at the new periods where voiced, else where they were."""
    new_periods = np.where(voiced, rate_hz / pitch_map(rate_hz / periods), periods)
    times: list[float] = []
    at, index = float(marks[0]), 0
    while at <= marks[-1]:
        while index + 1 < len(marks) and marks[index + 1] - at < at - marks[index]:
            index += 1
        if voiced[index] and (not times or not voiced[max(0, index - 1)]) and marks[index] > at:
            at = float(marks[index])
        times.append(at)
        at += float(new_periods[index])
    return np.array(times)


def _marks(
    samples: NDArray[np.float32], rate_hz: int, track: Pitch
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the middles of grains, the period at each in samples, and whether it is voiced."""
    polarity = 1.0 if np.mean(samples.astype(np.float64) ** 3) >= 0 else -1.0
    marks: list[int] = []
    periods: list[float] = []
    voiced: list[bool] = []
    noise = _NOISE_PERIOD_S * rate_hz
    at, length = 0.0, len(samples)
    was_voiced = False
    hz = track.at(np.arange(0, length, 1) / rate_hz) if length else np.zeros(0)
    while at < length:
        here = float(hz[int(at)])
        if here <= 0:
            marks.append(int(at))
            periods.append(noise)
            voiced.append(False)
            at += noise
            was_voiced = False
            continue
        period = rate_hz / here
        reach = period * (_SEARCH if was_voiced else 0.5)
        low, high = max(int(at - reach), marks[-1] + 1 if marks else 0), min(int(at + reach) + 1, length)
        if high <= low:
            break
        peak = low + int(np.argmax(polarity * samples[low:high]))
        marks.append(peak)
        periods.append(period)
        voiced.append(True)
        at, was_voiced = peak + period, True
    return np.array(marks, np.int64), np.array(periods), np.array(voiced, bool)
