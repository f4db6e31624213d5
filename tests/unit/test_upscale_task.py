"""The task `upscale_video`: every picture at its time, sound and subtitles untouched."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.filmed import babble, face_picture, film, plain_picture
from worker.av.audio import read_audio
from worker.av.check import probe
from worker.av.provenance import probe_metadata
from worker.av.video import read_frames
from worker.context import TaskCancelled, TaskContext, TaskError
from worker.tasks import upscale_video as module
from worker.tasks.upscale_video import UpscaleVideoParams, upscale_video
from worker.upscale.picture import resized
from worker.upscale.remux import STYLE

NTSC = Fraction(30000, 1001)
RATE_HZ = 44_100


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path / "none"))


@pytest.fixture
def ctx(tmp_path: Path) -> TaskContext:
    (tmp_path / "work").mkdir()
    return TaskContext(job_id="j", node_id="up", attempt=1, workdir=tmp_path / "work", emit=lambda event: None,
                       provenance={"plan_digest": "sha256:ab"})  # fmt: skip


def talkie(
    path: Path, *, rate: Fraction = NTSC, count: int = 6, format: str = "mp4", codec: str = "aac", times: Any = None
) -> dict[str, Any]:
    """Write pictures, sound and, into an MP4, one subtitle."""
    with av.open(str(path), "w", format=format) as target:
        video = target.add_stream("libx264", rate=rate, options={"crf": "16"})
        video.width, video.height, video.pix_fmt = 96, 80, "yuv420p"
        sound = target.add_stream(codec, rate=RATE_HZ, layout="mono")
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(resized(face_picture(3 * number), width=96, height=80), format="rgb24")
            frame.pts, frame.time_base = (times[number] if times else number), 1 / rate
            target.mux(video.encode(frame))
        target.mux(video.encode(None))
        samples = np.resize(babble(0.5), round(RATE_HZ * count / rate))
        pcm = codec.startswith("pcm")
        for start in range(0, len(samples), 1024):
            part = samples[None, start : start + 1024]
            part = (part * 32767).astype(np.int16) if pcm else part
            heard = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(part), format="s16" if pcm else "fltp", layout="mono"
            )
            heard.sample_rate, heard.pts = RATE_HZ, start
            target.mux(sound.encode(heard))
        target.mux(sound.encode(None))
    return {"kind": "video", "name": path.name, "path": str(path)}


def upscaled(ctx: TaskContext, video: dict[str, Any], **params: Any) -> Path:
    return Path(upscale_video(ctx, UpscaleVideoParams(**params), {"video": video})["video"]["path"])


def test_times_pictures_and_sound_are_kept(ctx: TaskContext, tmp_path: Path) -> None:
    video = talkie(tmp_path / "in.mp4")
    out = upscale_video(ctx, UpscaleVideoParams(scale=2), {"video": video})["video"]
    source, made = Path(video["path"]), Path(out["path"])
    before, after = probe(source), probe(made)
    assert (after.width_px, after.height_px, after.frames) == (192, 160, before.frames)
    assert after.fps == before.fps == pytest.approx(29.97003, abs=1e-4)
    assert after.duration_s == pytest.approx(before.duration_s, abs=0.002)
    assert np.array_equal(read_audio(source)[0], read_audio(made)[0])
    assert (out["backend"], out["media"]["model"]) == ("realesrgan_ncnn", "realesr-animevideov3")
    assert probe_metadata(made)["plan_digest"] == "sha256:ab"
    for (time_s, small), (late_s, large) in zip(read_frames(source), read_frames(made), strict=True):
        assert late_s == pytest.approx(time_s, abs=1e-6)
        again = resized(large, width=96, height=80).astype(int)
        assert np.abs(again - small).mean() < 8
        assert np.abs(resized(small, width=192, height=160).astype(int) - large).mean() > 2.5


def test_uneven_times_are_kept(ctx: TaskContext, tmp_path: Path) -> None:
    video = talkie(tmp_path / "in.mp4", rate=Fraction(25), count=5, times=[0, 1, 4, 5, 9])
    made = upscaled(ctx, video, scale=1.5, backend="lanczos_sharpen")
    assert [round(time_s * 25) for time_s, _ in read_frames(made)] == [0, 1, 4, 5, 9]


def test_sound_that_an_mp4_cannot_take_becomes_aac(ctx: TaskContext, tmp_path: Path) -> None:
    video = talkie(tmp_path / "in.mkv", format="matroska", codec="pcm_s16le", rate=Fraction(24000, 1001))
    made = upscaled(ctx, video, scale=2, backend="lanczos_sharpen")
    assert probe(made).audio_codec == "aac"
    assert probe(made).fps == pytest.approx(23.976, abs=1e-3)
    source, sound = read_audio(Path(video["path"]))[0], read_audio(made)[0]
    assert abs(len(sound) - len(source)) <= 1024
    assert np.corrcoef(source[:9000], sound[:9000])[0, 1] > 0.98


@pytest.mark.parametrize(("format", "codec"), [("mp4", "mov_text"), ("matroska", "subrip")])
def test_subtitles_come_along(ctx: TaskContext, tmp_path: Path, format: str, codec: str) -> None:
    plain, path = talkie(tmp_path / "plain.mp4"), tmp_path / f"in.{format}"
    said, length = b"Hello there", (11).to_bytes(2, "big")
    with av.open(plain["path"]) as source, av.open(str(path), "w", format=format) as target:
        copies = [target.add_stream_from_template(stream) for stream in source.streams]
        text = target.add_stream(codec)
        text.codec_context.subtitle_header = STYLE
        text.codec_context.time_base = text.time_base = Fraction(1, 1000)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
        packet = av.Packet(length + said if codec == "mov_text" else b"<i>Hello</i> there")
        packet.stream, packet.time_base, packet.pts, packet.dts, packet.duration = text, Fraction(1, 1000), 20, 20, 100
        target.mux(packet)
    made = upscaled(ctx, {"path": str(path)}, scale=2, backend="lanczos_sharpen")
    with av.open(str(made)) as container:
        found = [
            (bytes(packet), float(packet.pts * packet.time_base), float(packet.duration * packet.time_base))
            for packet in container.demux(subtitles=0)
            if packet.dts is not None and len(bytes(packet)) > 2
        ]
    assert found == [(length + said, pytest.approx(0.02, abs=0.03), pytest.approx(0.1))]


def test_a_resolution_keeps_the_shape(ctx: TaskContext, tmp_path: Path) -> None:
    video = film(tmp_path / "in.mp4", [plain_picture(number, width=96, height=96) for number in range(3)])
    facts = probe(upscaled(ctx, video, resolution="240p"))
    assert (facts.width_px, facts.height_px) == (240, 240)
    again = TaskContext(job_id="j", node_id="up2", attempt=1, workdir=ctx.workdir, emit=lambda event: None)
    upright = film(tmp_path / "tall.mp4", [plain_picture(number, width=90, height=160) for number in range(3)])
    facts = probe(upscaled(again, upright, resolution="480x270", backend="lanczos_sharpen"))
    assert (facts.width_px, facts.height_px) == (270, 480)


def refusal(ctx: TaskContext, video: dict[str, Any], **params: Any) -> str:
    with pytest.raises(TaskError) as error:
        upscaled(ctx, video, **params)
    return error.value.failure.code


def test_what_cannot_grow_is_refused(ctx: TaskContext, tmp_path: Path) -> None:
    video = film(tmp_path / "in.mp4", [plain_picture(0), plain_picture(1)])
    assert refusal(ctx, video, resolution="240x200") == "bad_scale"
    assert refusal(ctx, video, resolution="4K") == "bad_scale"
    assert refusal(ctx, video, resolution="99p") == "bad_resolution"
    assert refusal(ctx, video, scale=2, backend="esrgan") == "model_missing"
    assert refusal(ctx, {"path": str(tmp_path / "none.mp4")}) == "missing_file"


def test_what_would_take_for_ever_is_refused_early(
    ctx: TaskContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WORK_S", 0.0)
    monkeypatch.setattr(module, "JUDGED_AFTER", 2)
    video = film(tmp_path / "in.mp4", [plain_picture(number) for number in range(5)])
    with pytest.raises(TaskError) as error:
        upscaled(ctx, video, scale=2, backend="lanczos_sharpen")
    assert error.value.failure.code == "too_slow_here"
    assert "lanczos_sharpen" in (error.value.failure.hint or "")


def test_a_cancelled_job_stops_within_a_tile(ctx: TaskContext, tmp_path: Path) -> None:
    ctx.cancelled = threading.Event()
    ctx.emit = lambda event: ctx.cancelled.set()
    video = film(tmp_path / "in.mp4", [plain_picture(0), plain_picture(1)])
    with pytest.raises(TaskCancelled):
        upscaled(ctx, video, scale=2)
    assert not list(ctx.workdir.glob("*.mp4"))
