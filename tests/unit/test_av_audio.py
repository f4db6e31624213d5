"""Sound: reading, measuring and levelling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from worker.av.audio import (
    SILENCE_LUFS,
    Samples,
    fitted,
    limited,
    measure_lufs,
    normalised,
    read_audio,
    resampled,
    write_wav,
)
from worker.context import TaskError

RATE_HZ = 22_050


def tone(duration_s: float, *, amplitude: float = 0.1, hz: float = 997.0) -> Samples:
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def speechlike(duration_s: float, *, amplitude: float = 0.05) -> Samples:
    """Noise in syllables with pauses and sharp onsets, as spiky as a voice."""
    noise = np.random.default_rng(7).laplace(size=round(duration_s * RATE_HZ))
    t = np.arange(len(noise)) / RATE_HZ
    return (amplitude * noise * np.clip(np.sin(2 * np.pi * 2.3 * t), 0.02, 1)).astype(np.float32)


def true_peak_dbtp(samples: Samples) -> float:
    return float(20 * np.log10(np.abs(resample_poly(samples, 8, 1)).max()))


def test_a_full_scale_tone_measures_as_the_standard_says() -> None:
    # EBU Tech 3341 case 1: a stereo 1 kHz sine of -23 dBFS measures -23 LUFS.
    assert measure_lufs(tone(5.0, amplitude=10 ** (-23 / 20)), RATE_HZ) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("duration_s", [0.2, 0.6, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("amplitude", [0.002, 0.05, 0.4])
def test_speech_reaches_the_target_loudness_with_room_for_its_peaks(duration_s: float, amplitude: float) -> None:
    out = normalised(speechlike(duration_s, amplitude=amplitude), RATE_HZ)
    assert measure_lufs(out, RATE_HZ) == pytest.approx(-16.0, abs=0.5)
    assert true_peak_dbtp(out) <= -1.4
    assert len(out) == round(duration_s * RATE_HZ)


@pytest.mark.parametrize("lufs", [-30.0, -23.0, -14.0])
def test_other_targets_are_reached_too(lufs: float) -> None:
    assert measure_lufs(normalised(speechlike(2.0), RATE_HZ, lufs=lufs), RATE_HZ) == pytest.approx(lufs, abs=0.5)


def test_silence_and_nothing_stay_what_they_are() -> None:
    silence = np.zeros(RATE_HZ, np.float32)
    assert measure_lufs(silence, RATE_HZ) == SILENCE_LUFS
    assert not normalised(silence, RATE_HZ).any()
    assert len(normalised(silence[:0], RATE_HZ)) == 0


def test_the_limiter_leaves_quiet_sound_alone_and_holds_peaks_between_samples() -> None:
    quiet = tone(0.3)
    assert limited(quiet, RATE_HZ) is quiet
    between = tone(0.3, amplitude=1.2, hz=RATE_HZ / 4 - 3)
    assert true_peak_dbtp(limited(between, RATE_HZ)) <= -1.4


def test_a_wav_comes_back_as_written(tmp_path: Path) -> None:
    samples = tone(0.5)
    write_wav(tmp_path / "a.wav", samples, RATE_HZ)
    found, rate_hz = read_audio(tmp_path / "a.wav")
    assert rate_hz == RATE_HZ
    assert np.allclose(found, samples, atol=1e-4)


def test_reading_can_resample_and_keep_channels(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(0.5), RATE_HZ)
    found, rate_hz = read_audio(tmp_path / "a.wav", rate_hz=16_000, mono=False)
    assert rate_hz == 16_000
    assert found.shape == (1, pytest.approx(8000, abs=32))


def test_resampling_keeps_length_and_loudness() -> None:
    found = resampled(tone(1.0), RATE_HZ, to_hz=48_000)
    assert len(found) == 48_000
    assert measure_lufs(found, 48_000) == pytest.approx(measure_lufs(tone(1.0), RATE_HZ), abs=0.1)


def test_fitting_cuts_or_adds_silence() -> None:
    assert fitted(np.ones(3, np.float32), 5).tolist() == [1, 1, 1, 0, 0]
    assert fitted(np.ones(3, np.float32), 2).tolist() == [1, 1]


@pytest.mark.parametrize("content", [b"", b"not sound at all", b"#EXTM3U\nfile:///etc/passwd\n"])
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(TaskError) as caught:
        read_audio(path)
    assert caught.value.failure.code == "undecodable"
