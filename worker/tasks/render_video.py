"""The task `render_video`: a script becomes a narrated, captioned video. Each variant only draws the pictures."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from schemas.resolution import ALLOWED, Resolution, parse_resolution
from schemas.script import Script
from schemas.states import FailureKind
from worker.context import TaskContext
from worker.registry import Backend, Inputs, Outputs, Params, task

Frames = Callable[..., Iterator[NDArray[np.uint8]]]
PREVIEW_EVERY_S = 1.0
SPEECH_SHARE, PICTURE_SHARE = 0.12, 0.97  # of the progress bar: where speech ends and where pictures end


class RenderVideoParams(Params):
    """What to render; the contract allows further fields for other backends, they are ignored here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    variant: Literal["svd", "sadtalker"] = "svd"
    duration_seconds: float = Field(default=20, ge=1, le=600)
    resolution: str = "720p"
    fps: int = Field(default=25, ge=1, le=120)
    style: str = Field(default="", max_length=4000)
    seed: int = Field(default=0, ge=0)
    subtitles: Literal["burned", "sidecar", "both", "none"] = "both"
    title: str = Field(default="", max_length=200)


BACKENDS = {"svd": "storyboard", "sadtalker": "viseme_warp"}


def _storyboard_available() -> str | None:
    from worker.speech.synthesize import available as speech_available
    from worker.storyboard.render import available

    return available() or speech_available()


def _talking_head_available() -> str | None:
    from worker.speech.synthesize import available as speech_available

    try:
        from worker.talking_head.render import available
    except ImportError as error:
        return f"the talking-head backend cannot be loaded: {error}"
    return available() or speech_available()


@task(
    "render_video",
    variants={
        "svd": Backend(BACKENDS["svd"], _storyboard_available),
        "sadtalker": Backend(BACKENDS["sadtalker"], _talking_head_available),
    },
    idle_timeout_s=120,
)
def render_video(ctx: TaskContext, params: RenderVideoParams, inputs: Inputs) -> Outputs:
    """Render a narrated video from a script: animated scenes (svd) or a talking portrait (sadtalker)."""
    from worker.av.captions import cues, srt, vtt
    from worker.av.check import check_video
    from worker.av.mux import mux
    from worker.av.thumbnail import thumbnail
    from worker.speech.synthesize import synthesize

    script = Script.model_validate(inputs["script"])
    size = parse_resolution(params.resolution)
    if size is None:
        ctx.fail("bad_resolution", f"cannot render {params.resolution!r}", path="params.resolution", allowed=ALLOWED)
    duration_s, title = params.duration_seconds, params.title or script.title
    images = [Path(image["path"]) for image in inputs.get("images") or [] if image.get("path")]
    began = time.monotonic()

    ctx.progress(0.01, stage="speech")
    speech = synthesize(script.narrative, duration_s=duration_s, workdir=ctx.workdir, check=ctx.check_cancelled)
    ctx.log("speech.synthesized", voice=speech.voice, duration_s=round(speech.duration_s, 2))
    spoken_s = time.monotonic() - began
    shown = cues(speech.words)

    pictures = ctx.workdir / "pictures.mp4"
    drawn = _backend(params.variant)(
        ctx, script=script, speech=speech, images=images, width=size.width, height=size.height, fps=params.fps,
        duration_s=duration_s, seed=params.seed or ctx.seed, style=params.style, title=title,
    )  # fmt: skip
    _write_pictures(ctx, drawn, pictures, size, params, shown)

    ctx.progress(PICTURE_SHARE, stage="mux")
    video = ctx.workdir / "video.mp4"
    metadata = {"title": title, "comment": script.narrative[:400], **ctx.provenance}
    mux(pictures, speech.samples, speech.rate_hz, video, duration_s=duration_s, metadata=metadata)
    pictures.unlink()
    facts = check_video(video, duration_s=duration_s, audible=True)
    cover = ctx.workdir / "thumbnail.jpg"
    thumbnail(video, cover)

    media = dataclasses.asdict(facts) | {
        "variant": params.variant,
        "backend": BACKENDS[params.variant],
        "voice": speech.voice,
    }
    saved = ctx.save(video, kind="video", name="video.mp4", media=media)
    result: dict[str, Any] = {
        **saved,
        "thumbnail": ctx.save(cover, kind="image", name="thumbnail.jpg", role="thumbnail"),
        "duration_s": facts.duration_s,
        "variant": params.variant,
        "backend": BACKENDS[params.variant],
    }
    for name, text in (("captions.srt", srt(shown)), ("captions.vtt", vtt(shown))):
        if params.subtitles != "none" and shown:
            (ctx.workdir / name).write_text(text, encoding="utf-8")
            ctx.save(ctx.workdir / name, kind="text", name=name, role="subtitles")
    _save_narration(ctx, speech.samples, speech.rate_hz)
    ctx.log("video.rendered", speech_s=round(spoken_s, 1), total_s=round(time.monotonic() - began, 1))
    ctx.progress(1.0, stage="done")
    return {"video": result}


def _backend(variant: str) -> Frames:
    if variant == "sadtalker":
        from worker.talking_head.render import frames
    else:
        from worker.storyboard.render import frames
    return frames


def _write_pictures(
    ctx: TaskContext,
    drawn: Iterator[NDArray[np.uint8]],
    path: Path,
    size: Resolution,
    params: RenderVideoParams,
    shown: list[Any],
) -> None:
    """Encode the frames with burned-in captions where wanted; report progress and show previews."""
    from worker.av.captions import CaptionPainter
    from worker.av.video import VideoWriter, jpeg

    count = round(params.duration_seconds * params.fps)
    burned = params.subtitles in {"burned", "both"}
    painter = CaptionPainter(size.width, size.height, shown) if burned else None
    preview_at, tick_at = 0.0, 0.0
    with VideoWriter(path, width=size.width, height=size.height, fps=params.fps) as writer:
        for number, frame in enumerate(drawn):
            if painter is not None:
                painter.paint(frame, number / params.fps)
            writer.write(frame)
            ctx.check_cancelled()
            now = time.monotonic()
            if now >= tick_at:
                tick_at = now + 0.2
                done = SPEECH_SHARE + (PICTURE_SHARE - SPEECH_SHARE) * (number + 1) / count
                ctx.progress(done, stage="pictures", step=number + 1, steps=count)
            if now >= preview_at:
                preview_at = now + PREVIEW_EVERY_S
                ctx.preview(jpeg(frame))
        if writer.frames != count:
            ctx.fail("wrong_frame_count", f"the backend drew {writer.frames} of {count} frames", kind=FailureKind.BUG)


def _save_narration(ctx: TaskContext, samples: NDArray[np.float32], rate_hz: int) -> None:
    from worker.av.audio import write_wav

    path = ctx.workdir / "narration.wav"
    write_wav(path, samples, rate_hz)
    media = {"sample_rate_hz": rate_hz, "duration_s": len(samples) / rate_hz}
    ctx.save(path, kind="audio", name="narration.wav", media=media, role="part")
