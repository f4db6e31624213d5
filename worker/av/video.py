"""Pictures to H.264 and back: the frame writer, the frame reader and the preview JPEG. Knows no sound."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from worker.av.source import opened

Frame = NDArray[np.uint8]
"""A picture: uint8 [H, W, 3], RGB."""

KEYFRAME_EVERY_S = 2
BT709, LIMITED_RANGE = 1, 1  # ITU-T H.273 code points; the same number for matrix, primaries and transfer


class VideoWriter:
    """Writes frames into an MP4 with one H.264 stream (yuv420p, BT.709, closed groups of 2 s, no B-frames).

    Use it as a context manager; when the block fails, the unfinished file is removed.

    Args:
        width, height: picture size in pixels; both even, as 4:2:0 colour demands.
        crf: x264 quality, 0 (lossless) to 51; 20 looks clean at 720p.
        preset: x264 speed; `veryfast` is the best trade on 2 cores (FEASIBILITY-GRAPHICS.md section 6).
        threads: encoder threads; 0 lets x264 choose.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        height: int,
        fps: int,
        crf: int = 20,
        preset: str = "veryfast",
        threads: int = 0,
    ) -> None:
        if width % 2 or height % 2 or min(width, height) < 16:
            raise ValueError(f"width and height must be even and at least 16; got {width}x{height}")
        import av

        self.path = path
        self.frames = 0
        self._shape = (height, width, 3)
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        options = {"crf": str(crf), "preset": preset, "flags": "+cgop"}
        stream: Any = self._container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, fps)
        codec = stream.codec_context
        codec.time_base = Fraction(1, fps)
        codec.gop_size, codec.max_b_frames, codec.thread_count = KEYFRAME_EVERY_S * fps, 0, threads
        codec.colorspace = codec.color_primaries = codec.color_trc = BT709
        codec.color_range = LIMITED_RANGE
        self._stream = stream

    def write(self, frame: Frame) -> None:
        """Append one frame.

        Args:
            frame: uint8 [H, W, 3] RGB of the writer's size.

        Raises:
            ValueError: the frame has another shape or type.
        """
        from av import VideoFrame

        if frame.shape != self._shape or frame.dtype != np.uint8:
            raise ValueError(f"a frame must be uint8 {self._shape}; got {frame.dtype} {frame.shape}")
        picture = VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        yuv = picture.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED_RANGE)
        yuv.pts, yuv.time_base = self.frames, self._stream.codec_context.time_base
        self.frames += 1
        self._container.mux(self._stream.encode(yuv))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        if error is not None:
            self.path.unlink(missing_ok=True)


def read_frames(path: Path, *, every_s: float | None = None) -> Iterator[tuple[float, Frame]]:
    """Yield `(time in seconds, frame)` of the first video stream, in order.

    Args:
        every_s: yield only the first frame of each such stretch of time; None yields all.

    Raises:
        TaskError: `undecodable`.
    """
    with opened(path) as container:
        if not container.streams.video:
            return
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        due_s = 0.0
        for frame in container.decode(stream):
            time_s = float(frame.time or 0.0)
            if every_s is not None:
                if time_s + 1e-6 < due_s:
                    continue
                due_s = (np.floor((time_s + 1e-6) / every_s) + 1) * every_s
            yield time_s, rgb(frame)


def rgb(picture: Any) -> Frame:
    """Return a decoded PyAV frame as uint8 [H, W, 3] RGB."""
    return picture.to_ndarray(format="rgb24")


def jpeg(frame: Frame, *, width: int = 320, quality: int = 80) -> bytes:
    """Return the frame as JPEG, scaled down to at most `width` pixels across."""
    import cv2

    if frame.shape[1] > width:
        height = max(1, round(frame.shape[0] * width / frame.shape[1]))
        frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()
