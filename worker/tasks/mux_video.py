"""The task `mux_video`: pictures and sound into one finished video file. Makes neither of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from worker.av.audio import SILENCE_LUFS, Samples, measure_lufs, read_audio
from worker.av.captions import cues, srt, vtt
from worker.av.check import check_video, probe
from worker.av.mux import mux
from worker.av.provenance import probe_metadata
from worker.av.thumbnail import thumbnail
from worker.av.video import Frame, VideoWriter, read_frames
from worker.context import TaskContext, TaskError
from worker.registry import Inputs, Outputs, Params, task
from worker.speech.timing import Word

MAX_FPS = 120


class MuxVideoParams(Params):
    """How the sound is levelled and whether subtitle files are written."""

    loudness_lufs: float = Field(default=-16.0, ge=-40.0, le=-5.0, description="Integrated loudness, EBU R128.")
    subtitles: Literal["sidecar", "none"] = Field(default="sidecar", description="SRT and VTT files beside the video.")


@task("mux_video", version="1")
def mux_video(ctx: TaskContext, params: MuxVideoParams, inputs: Inputs) -> Outputs:
    """Join pictures and sound; without `audio` the video keeps its own sound.

    The result lasts as long as the longer of the two: silence is added, or the last picture is held.
    """
    ctx.progress(0.0, stage="reading")
    video = _file(inputs, "video")
    facts = probe(video)
    if facts.video_codec is None:
        ctx.fail("no_pictures", f"{video.name} has no pictures", path="inputs.video", hint="Give a video file.")
    samples, rate_hz = _sound(inputs, video)
    duration_s = facts.duration_s if samples is None else max(facts.duration_s, len(samples) / rate_hz)
    if duration_s > facts.duration_s + 1 / max(facts.fps, 1.0):
        ctx.log("the last picture is held, as the sound is longer", picture_s=facts.duration_s, sound_s=duration_s)

    pictures = video if facts.video_codec == "h264" else _encoded(ctx, video, fps=facts.fps)
    ctx.progress(0.5, stage="joining")
    out = ctx.workdir / "video.mp4"
    metadata = {**probe_metadata(video), **ctx.provenance}
    mux(pictures, samples, rate_hz, out, lufs=params.loudness_lufs, duration_s=duration_s, metadata=metadata)

    ctx.progress(0.8, stage="checking")
    made = check_video(out, duration_s=duration_s, audible=inputs.get("audio") is not None, max_still_s=duration_s)
    media: dict[str, Any] = {
        "duration_s": made.duration_s, "width_px": made.width_px, "height_px": made.height_px, "fps": made.fps,
        "video_codec": made.video_codec, "audio_codec": made.audio_codec, "sample_rate_hz": made.rate_hz,
    }  # fmt: skip
    if samples is not None:
        media["loudness_lufs"] = round(measure_lufs(*read_audio(out)), 2)
    still = ctx.workdir / "thumbnail.jpg"
    thumbnail(out, still)
    result = {
        **ctx.save(out, kind="video", media=media),
        "thumbnail": ctx.save(still, kind="image", role="thumbnail"),
        "duration_s": made.duration_s,
    }
    if params.subtitles == "sidecar":
        _save_subtitles(ctx, inputs)
    ctx.progress(1.0, stage="done")
    return {"video": result}


def _file(inputs: Inputs, port: str) -> Path:
    """Return the local file of a media port."""
    value = inputs.get(port)
    path = value.get("path") if isinstance(value, dict) else None
    if not path or not Path(path).is_file():
        raise TaskError("missing_file", f"the {port} has no file here", path=f"inputs.{port}", got=path)
    return Path(path)


def _sound(inputs: Inputs, video: Path) -> tuple[Samples | None, int]:
    """Return the sound to use and its rate: the `audio` input, else the video's own, else None."""
    if inputs.get("audio") is None:
        samples, rate_hz = read_audio(video)
        return (samples if len(samples) else None), rate_hz
    samples, rate_hz = read_audio(_file(inputs, "audio"))
    if measure_lufs(samples, rate_hz) <= SILENCE_LUFS:
        raise TaskError("silent_audio", "nothing can be heard in the sound", path="inputs.audio")
    return samples, rate_hz


def _encoded(ctx: TaskContext, video: Path, *, fps: float) -> Path:
    """Return the pictures as H.264 at a steady whole frame rate; an odd edge row or column is cut off."""
    facts = probe(video)
    rate = min(MAX_FPS, max(1, round(fps)))
    total = max(1, round(facts.duration_s * rate))
    out = ctx.workdir / "pictures.mp4"
    width, height = facts.width_px // 2 * 2, facts.height_px // 2 * 2
    with VideoWriter(out, width=width, height=height, fps=rate) as writer:
        shown: Frame | None = None
        for time_s, frame in read_frames(video):
            while shown is not None and writer.frames < min(total, round(time_s * rate)):
                writer.write(shown)
            shown = frame[:height, :width]
            ctx.progress(0.5 * writer.frames / total, stage="converting")
        while shown is not None and writer.frames < total:
            writer.write(shown)
    return out


def _save_subtitles(ctx: TaskContext, inputs: Inputs) -> None:
    """Save SRT and VTT when the sound knows its words: `media.words`, each `[text, start_s, end_s]`."""
    audio = inputs.get("audio")
    said = (audio.get("media") or {}).get("words") if isinstance(audio, dict) else None
    if not said:
        return
    try:
        words = [Word(str(text), float(start_s), float(end_s)) for text, start_s, end_s in said]
    except (KeyError, TypeError, ValueError) as error:
        raise TaskError("bad_words", "a word needs [text, start_s, end_s]", path="inputs.audio.media.words") from error
    shown = cues(words)
    for name, text in (("captions.srt", srt(shown)), ("captions.vtt", vtt(shown))):
        path = ctx.workdir / name
        path.write_text(text, encoding="utf-8")
        ctx.save(path, kind="text", role="subtitles")
