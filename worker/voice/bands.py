"""The 24 bands in which a voice's colour is measured and filtered. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BANDS = 24
MAX_GAIN_DB = 15.0
_LOWEST_HZ, _HIGHEST_HZ = 80.0, 7600.0
_WINDOW_S, _HOP_S = 0.032, 0.016
_QUIET_DB = 35.0  # frames this far below the loudest are pauses
_FLOOR_DB = 60.0  # below the loudest band nothing is told apart: a telephone has nothing above 3.4 kHz
_TAPS_S = 0.046  # length of the filter: 1,014 taps at 22,050 Hz resolve the lowest bands, 60 Hz apart


def centres_hz() -> NDArray[np.float64]:
    """Return the middles of the bands, evenly spaced in mel (Source: O'Shaughnessy 1987, 2595 log10(1 + f/700))."""
    low, high = (2595.0 * np.log10(1.0 + edge / 700.0) for edge in (_LOWEST_HZ, _HIGHEST_HZ))
    return 700.0 * (10.0 ** (np.linspace(low, high, BANDS) / 2595.0) - 1.0)


def spread(frequencies_hz: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return float32 [24, F]: how much each band has in each frequency; every column sums to 1.

    Between two middles both bands share; below the lowest and above the highest the outermost one holds.
    """
    middles = centres_hz()
    return np.stack([np.interp(frequencies_hz, middles, row) for row in np.eye(BANDS)]).astype(np.float32)


def spectrum_db(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """Return the long-term spectrum float64 [24] of what is spoken, in dB, its mean taken off.

    Args:
        samples: float32 [T] mono; pauses do not count.
    """
    window, hop = round(_WINDOW_S * rate_hz), round(_HOP_S * rate_hz)
    padded = np.pad(samples, (0, max(0, window - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop] * np.hanning(window)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    loud = power.sum(axis=1)
    power = power[loud >= loud.max() * 10 ** (-_QUIET_DB / 10)]
    shares = spread(np.fft.rfftfreq(window, 1 / rate_hz))
    levels = 10.0 * np.log10(power.mean(axis=0) @ shares.T / shares.sum(axis=1) + 1e-12)
    levels = np.maximum(levels, levels.max() - _FLOOR_DB)
    return levels - levels.mean()


def distance_db(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return how far two long-term spectra are apart: the root mean square over the bands, in dB."""
    return float(np.sqrt(np.mean((one - one.mean() - other + other.mean()) ** 2)))


def impulse_response(gains_db: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """Return a filter of linear phase and odd length with these gains, float64 [24] in dB."""
    taps = round(_TAPS_S * rate_hz) | 1
    bins = 4096
    wanted = 10.0 ** (gains_db @ spread(np.fft.rfftfreq(bins, 1 / rate_hz)) / 20.0)
    centred = np.roll(np.fft.irfft(wanted, bins), taps // 2)[:taps]
    return centred * np.hanning(taps + 2)[1:-1]


def filtered(samples: NDArray[np.float32], rate_hz: int, gains_db: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the sound with these gains; as many samples, nothing moved in time."""
    from scipy.signal import oaconvolve

    if not len(samples):
        return samples
    return oaconvolve(samples, impulse_response(gains_db, rate_hz), mode="full")[
        (half := (round(_TAPS_S * rate_hz) | 1) // 2) : half + len(samples)
    ].astype(np.float32)
