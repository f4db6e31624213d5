"""From a file to clean speech: decoding, voice activity, noise and clipping. It refuses what cannot teach a voice.

It knows no words: `heard.py` checks that somebody speaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.av.audio import resampled
from worker.av.source import opened
from worker.context import TaskError
from worker.speech.voice import Check

RATE_HZ = 16_000
LONGEST_S = 180.0
"""What is read of one file; more of a voice teaches nothing new here."""
MIN_SNR_DB = 12.0
MAX_CLIPPED_RATIO = 0.01
MIN_PEAK = 0.003  # -50 dBFS
_CLIP_LEVEL = 0.985  # of the file's own peak
_CLIP_PEAK = 0.5  # quieter files are not clipped, whatever their tops look like
_FRAME = 480  # 30 ms, the longest that the detector takes
_VAD_MODE = 2  # of 0 (lets all pass) to 3
_VAD_LEVEL = 0.1  # RMS at which the detector listens
_SMOOTHED_FRAMES = 7
_FADE_S = 0.005
_SHORTEST_SEGMENT_FRAMES = 7


@dataclass(frozen=True)
class Recording:
    """The speech of one file.

    Attributes:
        name: file name as the user knows it.
        speech: float32 [T] at 16 kHz: pauses cut out, joints faded.
        duration_s: of what was read.
        clipped_ratio: of all samples, those at the file's ceiling.
    """

    name: str
    speech: NDArray[np.float32]
    duration_s: float
    snr_db: float
    clipped_ratio: float

    @property
    def speech_s(self) -> float:
        return len(self.speech) / RATE_HZ

    def refusal(self) -> TaskError | None:
        """Return why this file cannot teach a voice, or None."""
        if not len(self.speech):
            return TaskError(
                "no_speech", f"{self.name} holds no speech", got=f"0.0 s of speech in {self.duration_s:.1f} s",
                allowed="clean speech", hint="Record one person who speaks close to the microphone.",
            )  # fmt: skip
        if self.clipped_ratio > MAX_CLIPPED_RATIO:
            return TaskError(
                "clipped_recording", f"{self.name} is overdriven", got=f"{self.clipped_ratio:.1%} of it clipped",
                allowed=f"at most {MAX_CLIPPED_RATIO:.0%}", hint="Record again with less gain.",
            )  # fmt: skip
        if self.snr_db < MIN_SNR_DB:
            return TaskError(
                "noisy_recording", f"{self.name} is too noisy", got=f"{self.snr_db:.0f} dB above the noise",
                allowed=f"at least {MIN_SNR_DB:.0f} dB", hint="Record in a quiet room, close to the microphone.",
            )  # fmt: skip
        return None


def read_recording(path: Path, *, name: str, check: Check) -> Recording:
    """Read the speech of a file, at most its first `LONGEST_S` seconds.

    Raises:
        TaskError: `undecodable`, `no_sound` (there is no audio in it) or `silent_recording`.
    """
    samples, rate_hz = _decoded(path, check=check)
    duration_s = len(samples) / rate_hz
    if not len(samples):
        raise TaskError("no_sound", f"{name} has no sound track", got="no audio", allowed="a recording of speech")
    samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    peak = float(np.max(np.abs(samples)))
    if peak < MIN_PEAK:
        raise TaskError(
            "silent_recording", f"{name} is silent", got=f"peak {20 * np.log10(max(peak, 1e-6)):.0f} dBFS",
            allowed="at least -50 dBFS", hint="Check that the microphone was on.",
        )  # fmt: skip
    heard = resampled(samples, rate_hz, to_hz=RATE_HZ)
    check()
    spoken = speech_mask(heard)
    return Recording(
        name=name,
        speech=_joined(heard, spoken),
        duration_s=duration_s,
        snr_db=_snr_db(heard, spoken),
        clipped_ratio=_clipped_ratio(samples, peak),
    )


def speech_only(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what is spoken in float32 [T] at 16 kHz, its pauses cut out; all of it when nothing seems spoken."""
    found = _joined(samples, speech_mask(samples))
    return found if len(found) else samples


def speech_mask(samples: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return for every whole 30 ms of float32 [T] at 16 kHz whether somebody speaks."""
    import webrtcvad  # pyright: ignore[reportMissingImports]  # optional: the extra `models`

    count = len(samples) // _FRAME
    if not count:
        return np.zeros(0, bool)
    frames = samples[: count * _FRAME].reshape(count, _FRAME)
    levels = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1))
    loud = float(np.sqrt(np.mean(np.square(levels[levels >= np.percentile(levels, 60)])))) or 1.0
    pcm = (np.clip(frames * (_VAD_LEVEL / loud), -1, 1) * 32767).astype("<i2")
    detector = webrtcvad.Vad(_VAD_MODE)
    flags = np.array([detector.is_speech(frame.tobytes(), RATE_HZ) for frame in pcm], float)
    smooth = np.convolve(flags, np.ones(_SMOOTHED_FRAMES) / _SMOOTHED_FRAMES, mode="same") >= 0.5
    return _without_scraps(smooth)


def _without_scraps(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask without stretches too short to be a word."""
    kept = mask.copy()
    for start, end in stretches(mask):
        if end - start < _SHORTEST_SEGMENT_FRAMES:
            kept[start:end] = False
    return kept


def stretches(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (start, end) of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _joined(samples: NDArray[np.float32], spoken: NDArray[np.bool_]) -> NDArray[np.float32]:
    fade = np.linspace(0.0, 1.0, round(_FADE_S * RATE_HZ), dtype=np.float32)
    parts: list[NDArray[np.float32]] = []
    for start, end in stretches(spoken):
        part = samples[start * _FRAME : end * _FRAME].copy()
        part[: len(fade)] *= fade
        part[-len(fade) :] *= fade[::-1]
        parts.append(part)
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _snr_db(samples: NDArray[np.float32], spoken: NDArray[np.bool_]) -> float:
    """Return how far speech is above the noise in dB, at most 60.

    Noise is the quiet half of what is between the words, or the softest 5 % of the speech where nobody pauses.
    """
    power = np.mean(np.square(samples[: len(spoken) * _FRAME].reshape(-1, _FRAME), dtype=np.float64), axis=1)
    if not spoken.any():
        return 0.0
    speech = float(power[spoken].mean())
    between = np.sort(power[~spoken])
    pauses = len(between) >= 10
    noise = float(between[: len(between) // 2].mean() if pauses else np.percentile(power[spoken], 5))
    return float(min(60.0, 10.0 * np.log10(max(speech - noise, 1e-12) / max(noise, 1e-12))))


def _clipped_ratio(samples: NDArray[np.float32], peak: float) -> float:
    """Return the share of samples in flat tops: three or more in a row at the file's own ceiling."""
    if peak < _CLIP_PEAK:
        return 0.0
    flat = sum(end - start for start, end in stretches(np.abs(samples) >= _CLIP_LEVEL * peak) if end - start >= 3)
    return flat / len(samples)


def _decoded(path: Path, *, check: Check) -> tuple[NDArray[np.float32], int]:
    """Return mono samples at the file's own rate; the louder channel where channels cancel each other out."""
    from av import AudioResampler

    with opened(path) as container:
        if not container.streams.audio:
            return np.zeros(0, np.float32), RATE_HZ
        stream = container.streams.audio[0]
        rate = stream.rate or RATE_HZ
        resampler = AudioResampler(format="fltp", rate=rate)
        parts: list[NDArray[np.float32]] = []
        read = 0
        for frame in container.decode(stream):
            check()
            for part in resampler.resample(frame):
                parts.append(part.to_ndarray().astype(np.float32))
                read += parts[-1].shape[1]
            if read >= LONGEST_S * rate:
                break
    if not parts:
        return np.zeros(0, np.float32), rate
    channels = np.concatenate(parts, axis=1)[:, : round(LONGEST_S * rate)]
    mono = channels.mean(axis=0)
    powers = np.square(channels, dtype=np.float64).mean(axis=1)
    cancelled = float(np.square(mono, dtype=np.float64).mean()) < 0.1 * float(powers.max())
    return (channels[int(powers.argmax())] if cancelled else mono), rate
