"""How loud the voice is at each video frame. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPEECH_BAND_HZ = (200.0, 3500.0)  # where vowels live: their first three formants
FLOOR_DB = -60.0


def band_level_db(
    samples: NDArray[np.float32],
    rate_hz: int,
    *,
    frames: int,
    fps: float,
    band_hz: tuple[float, float] = SPEECH_BAND_HZ,
) -> NDArray[np.float32]:
    """Measure the level of a frequency band around each video frame.

    Args:
        samples: float32 [T] in [-1, 1], mono.
        frames: how many video frames; silence is assumed after the end of the audio.

    Returns:
        float32 [frames] in dB re full scale, at least `FLOOR_DB`; a Hann window of two frames is centred on each frame.
    """
    reach = max(1, round(rate_hz / fps))
    padded = np.concatenate([np.zeros(reach, np.float32), samples.astype(np.float32), np.zeros(2 * reach, np.float32)])
    window = np.hanning(2 * reach).astype(np.float32)
    bins_hz = np.fft.rfftfreq(2 * reach, 1 / rate_hz)
    inside = (bins_hz >= band_hz[0]) & (bins_hz <= band_hz[1])
    gain = 2 / (window**2).sum() / (2 * reach)
    level = np.full(frames, FLOOR_DB, np.float32)
    for frame in range(frames):
        start = round(frame * rate_hz / fps)
        if start + 2 * reach > len(padded):
            break
        spectrum = np.fft.rfft(padded[start : start + 2 * reach] * window)
        power = float((np.abs(spectrum[inside]) ** 2).sum()) * gain
        level[frame] = max(FLOOR_DB, 10 * np.log10(power + 1e-12))
    return level


def loudness_ratio(level_db: NDArray[np.float32], *, range_db: float = 30.0) -> NDArray[np.float32]:
    """Map levels to float32 [frames] in 0..1: 1 at the speaker's own loud vowels, 0 at `range_db` below them."""
    loud = float(np.percentile(level_db, 95)) if len(level_db) else FLOOR_DB
    if loud <= FLOOR_DB + 10:  # nothing but silence
        return np.zeros(len(level_db), np.float32)
    return np.clip((level_db - loud) / range_db + 1, 0, 1).astype(np.float32)
