"""The task `render_video`: a script becomes a narrated, captioned video. A backend only draws the pictures."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field

from schemas.resolution import ALLOWED, Resolution, parse_resolution
from schemas.script import Script
from schemas.states import FailureKind
from worker.context import TaskContext
from worker.registry import Backend, Inputs, Outputs, Params, task
from worker.video.backends import BACKENDS, available, chosen, models, name_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from worker.speech.timing import Speech

PREVIEW_EVERY_S = 1.0
# Of the progress bar: where speech, the work before the first frame (if a backend has such work) and pictures end.
SPEECH_SHARE, PREPARED_SHARE, PICTURE_SHARE = 0.12, 0.85, 0.97


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
    motion: int = Field(default=127, ge=1, le=255, description="Backend `svd`: how much the pictures move.")
    steps: int = Field(default=25, ge=1, le=100, description="Backend `svd`: denoising steps of a clip.")


def _speech_and(variant: str) -> str | None:
    from worker.speech.synthesize import available as speech_available

    return available(variant) or speech_available()


def _backend(variant: str) -> Backend:
    return Backend(lambda: name_of(variant), lambda: _speech_and(variant))


@task("render_video", variants={variant: _backend(variant) for variant in BACKENDS}, idle_timeout_s=120, models=models)
def render_video(ctx: TaskContext, params: RenderVideoParams, inputs: Inputs) -> Outputs:
    """Render a narrated video from a script: animated scenes (svd) or a talking portrait (sadtalker)."""
    from worker.av.captions import cues, srt, vtt
    from worker.av.check import check_video
    from worker.av.mux import mux
    from worker.av.thumbnail import thumbnail
    from worker.video.shot import Shot

    script = Script.model_validate(inputs["script"])
    size = parse_resolution(params.resolution)
    if size is None:
        ctx.fail("bad_resolution", f"cannot render {params.resolution!r}", path="params.resolution", allowed=ALLOWED)
    backend = chosen(params.variant, device=ctx.device)
    duration_s, title = params.duration_seconds, params.title or script.title
    began = time.monotonic()

    ctx.progress(0.01, stage="speech")
    speech = _spoken(ctx, script, duration_s=duration_s, voice=trained(inputs, "voice"))
    spoken_s = time.monotonic() - began
    shown = cues(speech.words)

    bar = _Bar(ctx)
    drawing = backend.draw(
        ctx,
        Shot(
            script=script, speech=speech, lora=trained(inputs, "lora"), width=size.width, height=size.height,
            images=[Path(image["path"]) for image in inputs.get("images") or [] if image.get("path")],
            fps=params.fps, duration_s=duration_s, seed=params.seed or ctx.seed, style=params.style, title=title,
            motion=params.motion, steps=params.steps,
        ),
        bar.tell,
    )  # fmt: skip
    pictures = ctx.workdir / "pictures.mp4"
    _write_pictures(bar, drawing.frames, pictures, size, params, shown)

    ctx.progress(PICTURE_SHARE, stage="mux")
    video = ctx.workdir / "video.mp4"
    metadata = {"title": title, "comment": script.narrative[:400], **ctx.provenance}
    mux(pictures, speech.samples, speech.rate_hz, video, duration_s=duration_s, metadata=metadata)
    pictures.unlink()
    facts = check_video(video, duration_s=duration_s, audible=True)
    cover = ctx.workdir / "thumbnail.jpg"
    thumbnail(video, cover)

    made_by = {"variant": params.variant, "backend": backend.name}
    media = dataclasses.asdict(facts) | made_by | {"voice": speech.voice} | dict(drawing.facts)
    saved = ctx.save(video, kind="video", name="video.mp4", media=media)
    result: dict[str, Any] = {
        **saved,
        **made_by,
        "thumbnail": ctx.save(cover, kind="image", name="thumbnail.jpg", role="thumbnail"),
        "duration_s": facts.duration_s,
    }
    for name, text in (("captions.srt", srt(shown)), ("captions.vtt", vtt(shown))):
        if params.subtitles != "none" and shown:
            (ctx.workdir / name).write_text(text, encoding="utf-8")
            ctx.save(ctx.workdir / name, kind="text", name=name, role="subtitles")
    _save_narration(ctx, speech)
    ctx.log("video.rendered", speech_s=round(spoken_s, 1), total_s=round(time.monotonic() - began, 1))
    ctx.progress(1.0, stage="done")
    return {"video": result}


def trained(inputs: Inputs, port: Literal["lora", "voice"]) -> Mapping[str, Any] | None:
    """Return what the port was given, else what the profile holds for it, else None."""
    return inputs.get(port) or (inputs.get("profile") or {}).get(port)


@dataclasses.dataclass
class _Bar:
    """The progress bar between speech and mux; `at` is where it stands."""

    ctx: TaskContext
    at: float = SPEECH_SHARE

    def tell(
        self,
        done: float,
        *,
        stage: str,
        step: int | None = None,
        steps: int | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Report how much of the work before the first frame is done, 0.0 to 1.0."""
        self.at = max(self.at, SPEECH_SHARE + (PREPARED_SHARE - SPEECH_SHARE) * min(1.0, done))
        self.ctx.progress(self.at, stage=stage, step=step, steps=steps, metrics=metrics)


def _spoken(ctx: TaskContext, script: Script, *, duration_s: float, voice: Mapping[str, Any] | None) -> Speech:
    from worker.speech.synthesize import synthesize
    from worker.voice.profile import read_profile

    profile = read_profile(Path(voice["path"])) if voice and voice.get("path") else None
    speech = synthesize(
        script.narrative, duration_s=duration_s, workdir=ctx.workdir, check=ctx.check_cancelled, profile=profile
    )
    matched = {"matched": profile.label} if profile else {}
    ctx.log("speech.synthesized", voice=speech.voice, duration_s=round(speech.duration_s, 2), **matched)
    return speech


def _write_pictures(
    bar: _Bar,
    drawn: Iterator[NDArray[np.uint8]],
    path: Path,
    size: Resolution,
    params: RenderVideoParams,
    shown: list[Any],
) -> None:
    """Encode the frames with burned-in captions where wanted; report progress and show previews."""
    from worker.av.captions import CaptionPainter
    from worker.av.video import VideoWriter, jpeg

    ctx, start = bar.ctx, bar.at
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
                done = start + (PICTURE_SHARE - start) * (number + 1) / count
                ctx.progress(done, stage="pictures", step=number + 1, steps=count)
            if now >= preview_at:
                preview_at = now + PREVIEW_EVERY_S
                ctx.preview(jpeg(frame))
        if writer.frames != count:
            ctx.fail("wrong_frame_count", f"the backend drew {writer.frames} of {count} frames", kind=FailureKind.BUG)


def _save_narration(ctx: TaskContext, speech: Speech) -> None:
    from worker.av.audio import write_wav

    path = ctx.workdir / "narration.wav"
    write_wav(path, speech.samples, speech.rate_hz)
    media = {"sample_rate_hz": speech.rate_hz, "duration_s": len(speech.samples) / speech.rate_hz}
    ctx.save(path, kind="audio", name="narration.wav", media=media, role="part")
