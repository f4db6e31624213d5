"""Put redrawn pictures into the place of a video's own: same times, and its sound and subtitles copied as they are."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from worker.av.provenance import container_tags
from worker.av.source import opened

MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"})
MP4_SUBTITLES = frozenset({"mov_text"})
PLAIN_SUBTITLES = frozenset({"subrip", "srt", "text"})  # their packets hold nothing but text: rewrapped
STYLE = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Bold, Italic, Underline, Alignment
Style: Default,Arial,16,&Hffffff,0,0,0,2

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
_TAG = re.compile(rb"<[^>]{1,40}>|\{\\[^}]{1,80}\}")
AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
AAC_BIT_RATE = 192_000


@dataclass(frozen=True)
class Timing:
    """When each picture of a video is shown.

    Attributes:
        starts: in units of `time_base`, in order of showing.
        end: when the last one ends, in the same units.
        time_base: seconds.
    """

    starts: tuple[int, ...]
    end: int
    time_base: Fraction

    @property
    def duration_s(self) -> float:
        return float((self.end - self.starts[0]) * self.time_base)


def picture_times(path: Path) -> Timing | None:
    """Return the times of all pictures, or None when there is no picture. Decodes the video.

    Raises:
        TaskError: `undecodable`.
    """
    starts: list[int] = []
    with opened(path) as container:
        if not container.streams.video:
            return None
        stream: Any = container.streams.video[0]
        stream.thread_type = "AUTO"
        base: Fraction = stream.time_base
        stream_rate: Fraction | None = stream.average_rate
        usual = round(1 / (stream_rate * base)) if stream_rate else 1
        last = 0
        for frame in container.decode(stream):
            start = frame.pts if frame.pts is not None else (starts[-1] + usual if starts else 0)
            starts.append(max(start, starts[-1] + 1) if starts else start)
            last = frame.duration or usual
    if not starts:
        return None
    if stream_rate and starts[0] == 0 and _is_steady(starts, float(stream_rate * base)):
        return Timing(tuple(range(len(starts))), len(starts), 1 / stream_rate)
    return Timing(tuple(starts), starts[-1] + max(1, last), base)


def _is_steady(starts: list[int], pictures_per_tick: float) -> bool:
    """Whether the times are those of a steady rate, rounded to ticks (Matroska rounds to milliseconds)."""
    return all(abs(start - number / pictures_per_tick) <= 1.0 for number, start in enumerate(starts))


def lost_streams(path: Path) -> list[str]:
    """Return what an MP4 cannot take as it is: `subtitles subrip`, `sound pcm_s16le`."""
    with opened(path) as container:
        names = [(stream.type, stream.codec_context.name) for stream in container.streams if stream.codec_context]
    return [
        f"{'sound' if kind == 'audio' else 'subtitles'} {name}"
        for kind, name in names
        if (kind == "audio" and name not in MP4_AUDIO)
        or (kind == "subtitle" and name not in MP4_SUBTITLES | PLAIN_SUBTITLES)
    ]


def sound_as_aac(video: Path, out: Path) -> None:
    """Write an MP4 with only the sound of a video, at its own level and times.

    Raises:
        TaskError: `undecodable`.
    """
    import av

    with opened(video) as source, av.open(str(out), "w", format="mp4") as target:
        stream = source.streams.audio[0]
        layout = "mono" if stream.channels == 1 else "stereo"
        rate = stream.rate if stream.rate in AAC_RATES_HZ else AAC_RATES_HZ[-1]
        sound: Any = target.add_stream("aac", rate=rate, layout=layout, bit_rate=AAC_BIT_RATE)
        converted = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        for frame in (*source.decode(stream), None):
            for part in converted.resample(frame):
                target.mux(sound.encode(part))
        target.mux(sound.encode(None))


def remux(
    pictures: Path, source: Path, out: Path, *, timing: Timing, metadata: dict[str, str], sound: Path | None = None
) -> None:
    """Write an MP4 with the packets of `pictures` at the times of `timing`, and the other streams of `source`.

    Args:
        pictures: an H.264 file as `VideoWriter` writes it (no B-frames), one picture for each time.
        source: its sound and subtitles are copied when an MP4 takes them.
        sound: a file whose sound is taken instead.

    Raises:
        TaskError: `undecodable`.
    """
    import av

    with ExitStack() as files:
        drawn = files.enter_context(opened(pictures))
        originals = [files.enter_context(opened(path)) for path in (source, sound) if path is not None]
        target = files.enter_context(av.open(str(out), "w", format="mp4", options={"movflags": "+faststart"}))
        target.metadata.update(container_tags(metadata))
        stream: Any = target.add_stream_from_template(drawn.streams.video[0])
        stream.time_base = timing.time_base
        flows = [_timed(drawn, stream, timing)]
        for original in originals:
            copied: dict[int, Any] = {}
            for other in original.streams:
                name = other.codec_context.name if other.codec_context else ""
                if name in MP4_AUDIO | MP4_SUBTITLES:
                    copied[other.index] = target.add_stream_from_template(other)
                elif name in PLAIN_SUBTITLES:
                    copied[other.index] = _text_stream(target, other)
                else:
                    continue
                copied[other.index].metadata.update(other.metadata)
            if copied:
                flows.append(_copied(original, copied))
        for packet in heapq.merge(*flows, key=lambda packet: packet.dts * packet.time_base):
            target.mux_one(packet)


def _timed(drawn: Any, stream: Any, timing: Timing) -> Iterator[Any]:
    number = 0
    ends = (*timing.starts[1:], timing.end)
    for packet in drawn.demux(drawn.streams.video[0]):
        if packet.dts is None:
            continue
        packet.stream = stream
        packet.time_base = timing.time_base
        packet.pts = packet.dts = timing.starts[number]
        packet.duration = ends[number] - timing.starts[number]
        number += 1
        yield packet


def _copied(original: Any, streams: dict[int, Any]) -> Iterator[Any]:
    for packet in original.demux([original.streams[index] for index in streams]):
        if packet.dts is None:
            continue
        plain = packet.stream.codec_context.name in PLAIN_SUBTITLES
        packet.stream = streams[packet.stream.index]
        yield _rewrapped(packet) if plain else packet


def _text_stream(target: Any, other: Any) -> Any:
    stream = target.add_stream("mov_text")
    stream.codec_context.subtitle_header = STYLE
    stream.codec_context.time_base = stream.time_base = other.time_base
    return stream


def _rewrapped(packet: Any) -> Any:
    """Return a text packet as MP4 wants it: two bytes of length, then the text without markup (3GPP TS 26.245)."""
    import av

    text = _TAG.sub(b"", bytes(packet)).strip()[:65_535]
    made = av.Packet(len(text).to_bytes(2, "big") + text)
    made.stream, made.time_base = packet.stream, packet.time_base
    made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
    return made
