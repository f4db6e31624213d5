"""The task `upscale_video`: every picture enlarged by a network; times, sound and subtitles stay."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from schemas.capability import Resources
from schemas.resolution import ALLOWED, Resolution, parse_resolution
from schemas.states import FailureKind
from worker.context import TaskContext, TaskError
from worker.registry import Backend, Inputs, Outputs, Params, task

if TYPE_CHECKING:
    from worker.av.video import Frame
    from worker.upscale.remux import Timing
    from worker.upscale.tiles import TiledPictures

LANCZOS = "lanczos_sharpen"
MAX_WORK_S = 3 * 3600.0  # longer is refused as soon as it shows: nobody waits for it
JUDGED_AFTER = 25  # pictures, or
JUDGED_AFTER_S = 45.0
DRAWN = 0.94  # of the progress bar: where the pictures end
PREVIEW_EVERY_S = 2.0


class UpscaleVideoParams(Params):
    """How large, and by what."""

    resolution: str = Field(default="1080p", description="`1080p`, `1920x1080`, `4K` or `8K`; the shape is kept.")
    scale: float | None = Field(default=None, gt=1, le=4, description="Instead of a resolution: times each side.")
    backend: Literal["auto", "esrgan", "realesrgan_ncnn", "lanczos_sharpen"] = Field(
        default="auto",
        description="`auto`: your ESRGAN weights when installed, else the packaged Real-ESRGAN. `lanczos_sharpen` is "
        "plain resampling with sharpening, without a network: quick, no new detail.",
    )


def _backend() -> str:
    from worker.upscale.picture import live_backend

    return live_backend()


def _available() -> str | None:
    from worker.upscale import esrgan, packaged

    missing = [name for name in ("av", "cv2") if importlib.util.find_spec(name) is None]
    if missing:
        return f"Python packages are missing: {', '.join(missing)}"
    reason = packaged.available()
    return None if reason is None or esrgan.available() is None else reason


def _models() -> Mapping[str, str]:
    from worker.upscale import esrgan, packaged

    if esrgan.available() is None:
        model = esrgan.chosen()
        return {model.id: model.fingerprint}
    return {packaged.VIDEO_MODEL: packaged.digest()}


@task(
    "upscale_video",
    variants={"default": Backend(_backend, _available)},
    resources=Resources(memory_gib=2.0, disk_gib=4.0),
    idle_timeout_s=180,
    cacheable=True,
    models=_models,
)
def upscale_video(ctx: TaskContext, params: UpscaleVideoParams, inputs: Inputs) -> Outputs:
    """Enlarge every picture; each keeps its time, and sound and subtitles are copied untouched."""
    from worker.av.check import probe
    from worker.av.provenance import probe_metadata
    from worker.av.thumbnail import thumbnail
    from worker.upscale.remux import picture_times, remux

    began = time.monotonic()
    video = _file(inputs)
    ctx.progress(0.0, stage="looking")
    facts, timing = probe(video), picture_times(video)
    if timing is None:
        ctx.fail("no_pictures", f"{video.name} has no pictures", path="inputs.video", hint="Give a video file.")
    size, scale = _size(params, width=facts.width_px, height=facts.height_px)
    sound = _sound(ctx, video)
    pictures, out = ctx.workdir / "pictures.mp4", ctx.workdir / "video.mp4"
    with _drawing(ctx, params, scale) as drawing:
        _write(ctx, video, pictures, drawing, size=size, timing=timing, fps=facts.fps)
    ctx.progress(DRAWN, stage="joining")
    metadata = {**probe_metadata(video), **ctx.provenance}
    remux(pictures, video, out, sound=sound, timing=timing, metadata=metadata)
    pictures.unlink()
    made, kept = probe(out), picture_times(out)
    if kept is None or len(kept.starts) != len(timing.starts) or abs(kept.duration_s - timing.duration_s) > 0.05:
        ctx.fail("wrong_duration", "the pictures are not those of the source", kind=FailureKind.BUG)
    if facts.audio_codec is not None and made.audio_codec is None:
        ctx.fail("sound_lost", "the sound did not come along", kind=FailureKind.BUG)
    still = ctx.workdir / "thumbnail.jpg"
    thumbnail(out, still)
    media: dict[str, Any] = {
        "duration_s": made.duration_s, "width_px": made.width_px, "height_px": made.height_px, "fps": made.fps,
        "frames": made.frames, "video_codec": made.video_codec, "audio_codec": made.audio_codec,
        "backend": drawing.backend, "model": drawing.model, "scale": round(scale, 4),
    }  # fmt: skip
    result = {
        **ctx.save(out, kind="video", media=media),
        "thumbnail": ctx.save(still, kind="image", role="thumbnail"),
        "duration_s": made.duration_s,
        "backend": drawing.backend,
    }
    ctx.log("video.upscaled", backend=drawing.backend, model=drawing.model, pictures=len(timing.starts),
            tiles_computed=drawing.computed, tiles_reused=drawing.reused,
            total_s=round(time.monotonic() - began, 1))  # fmt: skip
    ctx.progress(1.0, stage="done")
    return {"video": result}


@dataclass
class _Drawing:
    """What enlarges the pictures: a network in tiles, or None for plain resampling."""

    backend: str
    model: str
    tiled: TiledPictures | None

    @property
    def computed(self) -> int:
        return self.tiled.computed if self.tiled else 0

    @property
    def reused(self) -> int:
        return self.tiled.reused if self.tiled else 0

    def drawn(self, picture: Frame, size: Resolution) -> Frame:
        from worker.upscale.picture import lanczos_sharpened, resized

        if self.tiled is None:
            return lanczos_sharpened(picture, width=size.width, height=size.height)
        return resized(self.tiled.enlarged(picture), width=size.width, height=size.height)


@contextmanager
def _drawing(ctx: TaskContext, params: UpscaleVideoParams, scale: float) -> Iterator[_Drawing]:
    from worker.upscale.picture import lent_enlarger, live_backend
    from worker.upscale.tiles import TiledPictures

    if params.backend == LANCZOS:
        yield _Drawing(LANCZOS, "none", None)
        return
    backend = live_backend() if params.backend == "auto" else params.backend
    with lent_enlarger(scale, device=ctx.device, backend=backend) as enlarger:
        yield _Drawing(backend, enlarger.name, TiledPictures(enlarger, check=ctx.check_cancelled))


def _write(
    ctx: TaskContext, video: Path, path: Path, drawing: _Drawing, *, size: Resolution, timing: Timing, fps: float
) -> None:
    """Enlarge and encode picture by picture; say how long it takes, and refuse what would take for ever."""
    from worker.av.video import VideoWriter, jpeg, read_frames

    began = time.monotonic()
    count, preview_at, judged = len(timing.starts), 0.0, False
    with VideoWriter(path, width=size.width, height=size.height, fps=max(1, round(fps)), crf=18) as writer:
        for _, picture in read_frames(video):
            large = drawing.drawn(picture, size)
            writer.write(large)
            now = time.monotonic()
            per_frame_s = (now - began) / writer.frames
            left_s = per_frame_s * (count - writer.frames)
            ctx.progress(
                DRAWN * writer.frames / count, stage="pictures", step=writer.frames, steps=count,
                metrics={"seconds_per_frame": per_frame_s, "seconds_left": left_s},
            )  # fmt: skip
            if not judged and (writer.frames >= JUDGED_AFTER or now - began >= JUDGED_AFTER_S):
                judged = True
                ctx.log("upscaling takes a while", seconds_per_frame=round(per_frame_s, 2),
                        minutes_left=round(left_s / 60, 1))  # fmt: skip
                if left_s > MAX_WORK_S:
                    raise _too_slow(drawing.backend, per_frame_s, left_s)
            if now >= preview_at:
                preview_at = now + PREVIEW_EVERY_S
                ctx.preview(jpeg(large))
    if writer.frames != count:
        ctx.fail("wrong_frame_count", f"{writer.frames} of {count} pictures were drawn", kind=FailureKind.BUG)


def _too_slow(backend: str, per_frame_s: float, left_s: float) -> TaskError:
    return TaskError(
        "too_slow_here", f"{backend} needs {per_frame_s:.1f} s a picture here: {left_s / 3600:.1f} hours more",
        kind=FailureKind.CAPACITY, got=round(left_s), allowed=round(MAX_WORK_S),
        hint="Give a shorter or smaller video, use a worker with a GPU and ESRGAN weights, or take the plain backend "
        f"`{LANCZOS}`.",
    )  # fmt: skip


def _size(params: UpscaleVideoParams, *, width: int, height: int) -> tuple[Resolution, float]:
    """Return the even size that fits the resolution without distortion, and how many times each side grows."""
    if params.scale is not None:
        scale = params.scale
    else:
        wanted = parse_resolution(params.resolution)
        if wanted is None:
            raise TaskError("bad_resolution", f"cannot make {params.resolution!r}", path="params.resolution",
                            allowed=ALLOWED)  # fmt: skip
        upright = (width < height) != (wanted.width < wanted.height)
        across, down = (wanted.height, wanted.width) if upright else (wanted.width, wanted.height)
        scale = min(across / width, down / height)
    if not 1.0 < scale <= 4.0:
        hint = "upscale twice for more" if scale > 1 else "choose a larger resolution"
        raise TaskError("bad_scale", f"{width}x{height} px would grow {scale:.3g} times", path="params.resolution",
                        got=round(scale, 3), allowed="over 1, at most 4", hint=hint)  # fmt: skip
    size = Resolution(round(width * scale / 2) * 2, round(height * scale / 2) * 2)
    return size, scale


def _sound(ctx: TaskContext, video: Path) -> Path | None:
    """Return the sound as AAC when an MP4 cannot take it as it is; say what subtitles are left out."""
    from worker.upscale.remux import lost_streams, sound_as_aac

    lost = lost_streams(video)
    for what in lost:
        if what.startswith("subtitles"):
            ctx.log("an MP4 cannot take these subtitles as they are: they are left out", subtitles=what)
    if not any(what.startswith("sound") for what in lost):
        return None
    ctx.log("an MP4 cannot take this sound as it is: it becomes AAC", sound=", ".join(lost))
    path = ctx.workdir / "sound.mp4"
    sound_as_aac(video, path)
    return path


def _file(inputs: Inputs) -> Path:
    """Return the local file of the port `video`."""
    value = inputs.get("video")
    path = value.get("path") if isinstance(value, dict) else None
    if not path or not Path(path).is_file():
        raise TaskError("missing_file", "the video has no file here", path="inputs.video", got=path)
    return Path(path)
