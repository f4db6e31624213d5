"""Pictures and sound into one MP4: video packets copied, sound levelled and encoded. Decides nothing about content."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from worker.av.audio import Samples, fitted, normalised, resampled
from worker.av.provenance import container_tags
from worker.av.source import opened

AAC_RATE_HZ = 48_000
AAC_BIT_RATE = 160_000
AAC_FRAME = 1024  # samples per AAC-LC frame
FADE_S = 0.02  # where sound is cut short, so that the cut does not click


def mux(
    video: Path,
    samples: Samples | None,
    rate_hz: int,
    out: Path,
    *,
    lufs: float = -16.0,
    duration_s: float,
    metadata: dict[str, str],
) -> None:
    """Write one MP4 that starts playing before it is fully loaded (`+faststart`).

    The pictures are copied as they are: frames after `duration_s` are dropped, the last one is held when there are too
    few. The sound is levelled, made stereo, and padded with silence or faded and cut to `duration_s`.

    Args:
        video: a file with an H.264 stream, as `VideoWriter` writes it.
        samples: float32 [T] mono at `rate_hz`; None for a video without sound.
        lufs: loudness of the stereo track, EBU R128.
        metadata: `title` and provenance (`worker/av/provenance.py`).

    Raises:
        TaskError: `undecodable`: the video.
    """
    import av

    with opened(video) as source, av.open(str(out), "w", format="mp4", options={"movflags": "+faststart"}) as target:
        target.metadata.update(container_tags(metadata))
        picture = target.add_stream_from_template(source.streams.video[0])
        sound: Any = None
        if samples is not None:
            sound = target.add_stream("aac", rate=AAC_RATE_HZ, layout="stereo", bit_rate=AAC_BIT_RATE)
        packets = [_pictures(source, picture, duration_s)]
        if samples is not None:
            track = _levelled(samples, rate_hz, lufs=lufs, duration_s=duration_s)
            packets.append(_encoded(track, sound))
        # In order of time, so that the muxer never has to hold one stream back for the other.
        for packet in heapq.merge(*packets, key=lambda packet: packet.dts * packet.time_base):
            target.mux_one(packet)


def _levelled(samples: Samples, rate_hz: int, *, lufs: float, duration_s: float) -> Samples:
    """Return float32 [T] at 48 kHz with the loudness and exactly the duration asked for."""
    track = resampled(samples, rate_hz, to_hz=AAC_RATE_HZ)
    length = round(duration_s * AAC_RATE_HZ)
    if len(track) > length:
        fade = min(length, int(FADE_S * AAC_RATE_HZ))
        track = track[:length].copy()
        track[length - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return fitted(normalised(track, AAC_RATE_HZ, lufs=lufs), length)


def _pictures(source: Any, stream: Any, duration_s: float) -> Iterator[Any]:
    """Yield the video packets that start before the end, the last one lasting until it."""
    previous: Any = None
    start: int | None = None
    for packet in source.demux(source.streams.video[0]):
        if packet.dts is None:
            continue
        start = packet.dts if start is None else start
        packet.pts, packet.dts = packet.pts - start, packet.dts - start
        end = round(duration_s / packet.time_base)
        if packet.pts >= end - packet.duration // 2:
            continue
        packet.stream = stream
        if previous is not None:
            yield previous
        previous = packet
    if previous is not None:
        previous.duration = max(1, round(duration_s / previous.time_base) - previous.pts)
        yield previous


def _encoded(track: Samples, stream: Any) -> Iterator[Any]:
    """Yield AAC packets of the mono track on both channels."""
    from av import AudioFrame

    for start in range(0, len(track), AAC_FRAME):
        part = track[start : start + AAC_FRAME]
        frame = AudioFrame.from_ndarray(np.stack([part, part]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = AAC_RATE_HZ, start, Fraction(1, AAC_RATE_HZ)
        yield from stream.encode(frame)
    yield from stream.encode(None)
