"""Pitch, formants and filter of a matched voice, on sounds whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.voice.bands import BANDS, centres_hz, distance_db, filtered, spectrum_db
from worker.voice.pitch import pitch
from worker.voice.reshape import PitchMap, reshaped

RATE_HZ = 22_050


def vowel(hz: float, *, seconds: float = 1.5, formants_hz: tuple[float, ...] = (700.0, 1200.0)) -> NDArray[np.float32]:
    """Harmonics of `hz` under resonances, with a little vibrato."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * hz * (time_s + 0.002 * np.sin(2 * np.pi * 3 * time_s))
    sound = np.zeros(len(time_s))
    for harmonic in range(1, int(5000 / hz)):
        level = sum(np.exp(-(((harmonic * hz - formant) / 150.0) ** 2)) for formant in formants_hz) + 0.01
        sound += level * np.cos(harmonic * phase)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def peak_hz(samples: NDArray[np.float32]) -> float:
    """Where the smoothed spectrum is highest."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    width = round(250 * len(samples) / RATE_HZ)
    return float(np.argmax(np.convolve(power, np.hanning(width), mode="same")) * RATE_HZ / len(samples))


@pytest.mark.parametrize("hz", [80.0, 118.0, 210.0, 330.0])
def test_the_pitch_of_a_vowel_is_found(hz: float) -> None:
    track = pitch(vowel(hz), RATE_HZ)

    assert track.median_hz == pytest.approx(hz, rel=0.01)
    assert track.voiced_ratio > 0.9


def test_silence_and_noise_have_no_pitch() -> None:
    noise = np.random.default_rng(1).standard_normal(RATE_HZ).astype(np.float32) * 0.1

    assert pitch(np.zeros(RATE_HZ, np.float32), RATE_HZ).voiced_ratio == 0.0
    assert pitch(noise, RATE_HZ).voiced_ratio < 0.1
    assert pitch(np.zeros(10, np.float32), RATE_HZ).median_hz == 0.0


@pytest.mark.parametrize(("from_hz", "to_hz"), [(100.0, 130.0), (210.0, 160.0), (120.0, 121.0)])
def test_a_moved_pitch_is_the_wanted_one_and_the_length_stays(from_hz: float, to_hz: float) -> None:
    sound = vowel(from_hz, formants_hz=(900.0,))

    moved = reshaped(sound, RATE_HZ, pitch_map=PitchMap(from_hz, to_hz))

    assert len(moved) == len(sound)
    assert pitch(moved, RATE_HZ).median_hz == pytest.approx(to_hz, rel=0.02)
    assert peak_hz(moved) == pytest.approx(peak_hz(sound), rel=0.12)


def test_moved_formants_leave_the_pitch() -> None:
    sound = vowel(110.0, formants_hz=(1000.0,))

    moved = reshaped(sound, RATE_HZ, pitch_map=PitchMap(110.0, 110.0), formant_ratio=1.2)

    assert peak_hz(moved) == pytest.approx(1200.0, rel=0.06)
    assert pitch(moved, RATE_HZ).median_hz == pytest.approx(110.0, rel=0.02)


def test_every_sound_stays_at_its_time() -> None:
    sound = np.concatenate(
        [np.zeros(RATE_HZ // 2, np.float32), vowel(120.0, seconds=0.5), np.zeros(RATE_HZ // 2, np.float32)]
    )

    moved = filtered(
        reshaped(sound, RATE_HZ, pitch_map=PitchMap(120.0, 170.0), formant_ratio=1.1),
        RATE_HZ,
        np.linspace(-9, 9, BANDS),
    )

    loud = np.flatnonzero(np.abs(moved) > 0.05 * np.abs(moved).max()) / RATE_HZ
    assert loud[0] == pytest.approx(0.5, abs=0.02)
    assert loud[-1] == pytest.approx(1.0, abs=0.02)


def test_a_pitch_is_never_moved_further_than_grains_bear() -> None:
    assert PitchMap(100.0, 400.0)(np.array([100.0]))[0] == pytest.approx(200.0)


def test_the_filter_changes_each_band_by_its_gain() -> None:
    noise = np.random.default_rng(2).standard_normal(4 * RATE_HZ).astype(np.float32) * 0.05
    gains_db = 10.0 * np.sin(np.arange(BANDS))

    change = spectrum_db(filtered(noise, RATE_HZ, gains_db), RATE_HZ) - spectrum_db(noise, RATE_HZ)

    assert distance_db(change, gains_db) < 2.5
    assert np.corrcoef(change, gains_db)[0, 1] > 0.95
    np.testing.assert_allclose(filtered(noise, RATE_HZ, np.zeros(BANDS)), noise, atol=1e-5)


def test_the_spectrum_does_not_depend_on_level_or_pauses() -> None:
    breath = np.random.default_rng(3).standard_normal(len(vowel(120.0))).astype(np.float32)
    sound = (vowel(120.0) + np.float32(0.02) * breath) * np.hanning(len(breath)).astype(np.float32)
    paused = np.concatenate([sound, np.zeros(RATE_HZ, np.float32), sound]) * np.float32(0.1)

    assert distance_db(spectrum_db(sound, RATE_HZ), spectrum_db(paused, RATE_HZ)) < 0.5
    assert len(centres_hz()) == BANDS
