"""Is this a video one may hand on? Reads facts, decodes everything and raises what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.states import FailureKind
from worker.av.audio import measure_lufs, read_audio
from worker.av.source import opened
from worker.context import TaskError

BLACK_LUMA = 34  # of 16 (black) .. 235 (white); a dark scene has lights above this, a black frame has none
BLACK_PERCENTILE = 99.9  # few stars in the sky are a picture
MAX_BLACK_S = 1.5
STEP_S = 0.25  # how often pictures are compared
MOVED_LUMA = 4  # a pixel moved when it changed by more than coding noise
MOVED_RATIO = 0.0005  # of the pixels: half a percent of the width by a tenth of the height
CAPTION_RATIO = 0.22  # lowest part of the picture, not looked at: captions move there even when the picture is frozen
MIN_LUFS = -45.0  # quieter than any narration, and than any target one can ask for
SUBSAMPLE = 4


@dataclass(frozen=True)
class MediaFacts:
    """What a media file holds, as its container says; codecs are None where there is no such stream."""

    duration_s: float
    width_px: int
    height_px: int
    fps: float
    video_codec: str | None
    audio_codec: str | None
    rate_hz: int
    channels: int
    frames: int


def probe(path: Path) -> MediaFacts:
    """Return the facts of a file without decoding it.

    Raises:
        TaskError: `undecodable`.
    """
    with opened(path) as container:
        video = container.streams.video[0] if container.streams.video else None
        audio = container.streams.audio[0] if container.streams.audio else None
        return MediaFacts(
            duration_s=(container.duration or 0) / 1_000_000,
            width_px=video.width if video else 0,
            height_px=video.height if video else 0,
            fps=float(video.average_rate or 0) if video else 0.0,
            video_codec=video.codec_context.name if video else None,
            audio_codec=audio.codec_context.name if audio else None,
            rate_hz=audio.rate if audio else 0,
            channels=audio.channels if audio else 0,
            frames=video.frames if video else 0,
        )


def check_video(
    path: Path, *, duration_s: float, audible: bool, tolerance_ratio: float = 0.05, max_still_s: float = 3.0
) -> MediaFacts:
    """Decode the whole file and return its facts.

    Args:
        duration_s: what was asked for; pictures and sound may each differ by `tolerance_ratio` of it.
        audible: whether there must be sound that a person can hear.
        max_still_s: longest time without any movement above the captions.

    Raises:
        TaskError: `undecodable`, `wrong_duration`, `black_video`, `frozen_video` or `silent_audio`, of kind `bug`:
            what made the file is to blame.
    """
    facts = probe(path)
    seen = _watched(path)
    if seen.frames == 0 or seen.frames < facts.frames:
        raise _refusal("undecodable", f"{path.name} breaks off", got=seen.frames, allowed=facts.frames)
    slack_s = tolerance_ratio * duration_s
    if abs(seen.duration_s - duration_s) > slack_s:
        raise _refusal("wrong_duration", "the pictures have the wrong length", got=seen.duration_s, allowed=duration_s)
    if seen.black_s > min(MAX_BLACK_S, 0.5 * seen.duration_s):
        raise _refusal("black_video", "the picture is black for too long", got=seen.black_s, allowed=MAX_BLACK_S)
    if seen.still_s > min(max_still_s, 0.9 * seen.duration_s):
        raise _refusal("frozen_video", "the picture stands still for too long", got=seen.still_s, allowed=max_still_s)
    if audible:
        _check_sound(path, duration_s=duration_s, slack_s=slack_s)
    return facts


def _check_sound(path: Path, *, duration_s: float, slack_s: float) -> None:
    samples, rate_hz = read_audio(path)
    loudness = measure_lufs(samples, rate_hz)
    if loudness < MIN_LUFS:
        raise _refusal("silent_audio", "nothing can be heard", got=loudness, allowed=MIN_LUFS)
    heard_s = len(samples) / rate_hz
    if abs(heard_s - duration_s) > slack_s:
        raise _refusal("wrong_duration", "the sound has the wrong length", got=heard_s, allowed=duration_s)


@dataclass(frozen=True)
class _Seen:
    """What decoding found: longest black and longest still stretch, in seconds."""

    frames: int
    duration_s: float
    black_s: float
    still_s: float


def _watched(path: Path) -> _Seen:
    """Decode all pictures, and look at one every `STEP_S`.

    Each is compared with the last one that differed, so that slow movement counts once it can be seen.
    """
    frames, end_s, next_s = 0, 0.0, 0.0
    black_since: float | None = None
    anchor: NDArray[np.int16] | None = None
    anchor_s = black_s = still_s = 0.0
    with opened(path, kind=FailureKind.BUG) as container:
        if not container.streams.video:
            return _Seen(0, 0.0, 0.0, 0.0)
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        step_s = 1 / float(stream.average_rate or 25)
        for frame in container.decode(stream):
            frames += 1
            time_s = float(frame.time or 0.0)
            end_s = time_s + (float(frame.duration * frame.time_base) if frame.duration and frame.time_base else step_s)
            if time_s + 1e-6 < next_s:
                continue
            next_s = time_s + STEP_S
            luma = _luma(frame)
            upper = luma[: round(len(luma) * (1 - CAPTION_RATIO))].astype(np.int16)
            dark = float(np.percentile(upper, BLACK_PERCENTILE)) < BLACK_LUMA
            black_since = (time_s if black_since is None else black_since) if dark else None
            if black_since is not None:
                black_s = max(black_s, end_s - black_since)
            if anchor is None or np.mean(np.abs(upper - anchor) > MOVED_LUMA) > MOVED_RATIO:
                anchor, anchor_s = upper, time_s
            still_s = max(still_s, time_s - anchor_s)
    still_s = max(still_s, end_s - anchor_s)
    return _Seen(frames, end_s, black_s, still_s)


def _luma(frame: Any) -> NDArray[np.uint8]:
    """Return every fourth brightness sample, uint8 [H/4, W/4], 16 (black) to 235 (white)."""
    if frame.format.name not in {"yuv420p", "yuvj420p"}:
        frame = frame.reformat(format="yuv420p")
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height : SUBSAMPLE, : frame.width : SUBSAMPLE]


def _refusal(code: str, message: str, *, got: float, allowed: float) -> TaskError:
    return TaskError(code, message, kind=FailureKind.BUG, got=round(got, 3), allowed=allowed)
