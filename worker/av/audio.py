"""Sound in and out: reading, WAV, loudness by EBU R128, and levelling to a target. Knows no pictures."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.av.source import opened

Samples = NDArray[np.float32]
"""Sound: float32 [T] mono in [-1, 1]."""

SILENCE_LUFS = -70.0
"""What EBU R128 measures where nothing passes its absolute gate (EBU Tech 3341)."""
PEAK_CEILING_DBTP = -1.5
_SHORTEST_S = 0.5  # R128 integrates blocks of 0.4 s: anything shorter is repeated until it has one
_MAX_ROUNDS = 6
_UNSEEN_DB = 0.2


def read_audio(path: Path, *, rate_hz: int | None = None, mono: bool = True) -> tuple[Samples, int]:
    """Decode the first audio stream of a file.

    Args:
        rate_hz: resample to this rate; None keeps the file's own.
        mono: return the mean of the channels as float32 [T], else float32 [C, T].

    Returns:
        The samples and their rate in Hz; no samples when the file has no sound.

    Raises:
        TaskError: `undecodable`.
    """
    from av import AudioResampler

    with opened(path) as container:
        if not container.streams.audio:
            return np.zeros(0 if mono else (1, 0), np.float32), rate_hz or 48_000
        stream = container.streams.audio[0]
        rate = rate_hz or stream.rate
        resampler = AudioResampler(format="fltp", rate=rate)
        parts = [part.to_ndarray() for frame in (*container.decode(stream), None) for part in resampler.resample(frame)]
    channels = np.concatenate(parts, axis=1) if parts else np.zeros((1, 0), np.float32)
    return (channels.mean(axis=0) if mono else channels).astype(np.float32), rate


def write_wav(path: Path, samples: Samples, rate_hz: int) -> None:
    """Write mono samples float32 [T] in [-1, 1] as 16-bit PCM WAV; louder samples are clipped."""
    pcm = (np.clip(samples, -1.0, 1.0) * 32767.0).round().astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(pcm.tobytes())


def resampled(samples: Samples, rate_hz: int, *, to_hz: int) -> Samples:
    """Return the same sound at another rate, with `round(T * to_hz / rate_hz)` samples."""
    if rate_hz == to_hz or not len(samples):
        return samples
    from av import AudioResampler

    resampler = AudioResampler(format="flt", layout="mono", rate=to_hz)
    parts = [part for frame in (*_frames(samples, rate_hz), None) for part in resampler.resample(frame)]
    found = np.concatenate([part.to_ndarray()[0] for part in parts])
    return fitted(found, round(len(samples) * to_hz / rate_hz))


def fitted(samples: Samples, length: int) -> Samples:
    """Return exactly `length` samples: silence added at the end, or the end cut off."""
    return np.pad(samples[:length], (0, max(0, length - len(samples)))).astype(np.float32)


def measure_lufs(samples: Samples, rate_hz: int) -> float:
    """Return the integrated loudness in LUFS of mono samples heard from two speakers.

    A mono sound on both channels of a stereo file is 3 LU louder than on one (ITU-R BS.1770-4 adds the channels up);
    since `mux` writes stereo, that is what is measured here.

    Returns:
        -70.0 for silence. A sound shorter than 0.5 s is measured as if repeated.

    Source: EBU R128 through FFmpeg's `ebur128` filter.
    """
    from av.error import BlockingIOError as Dry
    from av.error import EOFError as Ended
    from av.filter import Graph

    if not len(samples):
        return SILENCE_LUFS
    if len(samples) < _SHORTEST_S * rate_hz:
        samples = np.tile(samples, int(np.ceil(_SHORTEST_S * rate_hz / len(samples))))
    graph: Any = Graph()
    source = graph.add_abuffer(sample_rate=rate_hz, format="flt", layout="mono", time_base=Fraction(1, rate_hz))
    meter = graph.add("ebur128", "metadata=1:dualmono=true")
    sink = graph.add("abuffersink")
    graph.link_nodes(source, meter, sink).configure()
    facts: dict[str, str] = {}
    for frame in (*_frames(samples, rate_hz), None):
        source.push(frame)
        while True:
            try:
                facts = sink.pull().metadata or facts
            except (Dry, Ended):
                break
    return float(facts.get("lavfi.r128.I", SILENCE_LUFS))


def normalised(samples: Samples, rate_hz: int, *, lufs: float = -16.0) -> Samples:
    """Return the sound at the target loudness, +-0.5 LU, with true peaks at most -1.5 dBTP.

    Gain and limiter run in turns, since limiting takes loudness away. Silence is returned unchanged: it has no loudness
    to correct. A sound of a few spikes only may stay below the target, as its peaks leave no room.
    """
    loudness = measure_lufs(samples, rate_hz)
    if loudness <= SILENCE_LUFS:
        return samples.astype(np.float32)
    gain_db, out = lufs - loudness, samples
    for _ in range(_MAX_ROUNDS):
        out = limited(samples * np.float32(10 ** (gain_db / 20)), rate_hz)
        loudness = measure_lufs(out, rate_hz)
        if abs(loudness - lufs) <= 0.1:
            break
        gain_db += lufs - loudness
    return out.astype(np.float32)


def limited(samples: Samples, rate_hz: int, *, ceiling_dbtp: float = PEAK_CEILING_DBTP) -> Samples:
    """Return the sound with all peaks held under the ceiling, those between samples too.

    Peaks are found at four times the rate, which may read 0.2 dB too low (ITU-R BS.1770-4 annex 2), so that much is
    kept free. Around each the gain sinks and recovers over 20 ms, as deep as that peak needs: nothing is clipped.
    """
    from scipy.ndimage import minimum_filter1d, uniform_filter1d
    from scipy.signal import resample_poly

    ceiling = 10 ** ((ceiling_dbtp - _UNSEEN_DB) / 20)
    if not len(samples):
        return samples
    peaks = np.abs(resample_poly(samples, 4, 1)).reshape(-1, 4).max(axis=1)
    if peaks.max() <= ceiling:
        return samples
    wanted = np.minimum(1.0, ceiling / np.maximum(peaks, ceiling))
    span = 2 * int(0.020 * rate_hz) + 1
    # Each mean is over minima that all saw this sample, so the smooth gain never rises above the wanted one.
    gain = uniform_filter1d(minimum_filter1d(wanted, span), span)
    return (samples * gain).astype(np.float32)


def _frames(samples: Samples, rate_hz: int) -> Iterator[Any]:
    """Yield the samples as PyAV frames of one second."""
    from av import AudioFrame

    for start in range(0, len(samples), rate_hz):
        part = np.ascontiguousarray(samples[start : start + rate_hz], np.float32)
        frame = AudioFrame.from_ndarray(part[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
        yield frame
