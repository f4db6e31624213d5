"""The task `mux_video`, run as the worker runs it, on files made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from worker.av.audio import measure_lufs, read_audio, write_wav
from worker.av.check import probe
from worker.av.provenance import probe_metadata
from worker.av.video import VideoWriter
from worker.context import TaskContext, TaskError
from worker.tasks.mux_video import MuxVideoParams, mux_video

RATE_HZ = 16_000
WORDS = [["Hello", 0.1, 0.5], ["world.", 0.6, 1.2]]


def frame(index: int, *, height: int = 64, width: int = 96) -> np.ndarray:
    picture = np.full((height, width, 3), 60, np.uint8)
    picture[10:40, 2 * index : 2 * index + 30] = (220, 200, 90)
    return picture


@pytest.fixture
def ctx(tmp_path: Path) -> TaskContext:
    work = tmp_path / "work"
    work.mkdir()
    provenance = {"plan_digest": "sha256:ab", "job_id": "j", "node_id": "mux", "software": "reelgraph"}
    return TaskContext(
        job_id="j", node_id="mux", attempt=1, workdir=work, emit=lambda event: None, provenance=provenance
    )


@pytest.fixture
def video(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "in.mp4"
    with VideoWriter(path, width=96, height=64, fps=10, preset="ultrafast", threads=1) as writer:
        for index in range(20):
            writer.write(frame(index))
    return {"kind": "video", "name": "in.mp4", "path": str(path)}


def sound(tmp_path: Path, *, duration_s: float = 2.0, gain: float = 0.01) -> dict[str, Any]:
    path = tmp_path / "in.wav"
    noise = np.random.default_rng(1).standard_normal(round(duration_s * RATE_HZ)).astype(np.float32)
    write_wav(path, gain * noise, RATE_HZ)
    return {"kind": "audio", "name": "in.wav", "path": str(path), "media": {"words": WORDS}}


def names(ctx: TaskContext) -> dict[str, str]:
    return {ref.name: ref.role for ref in ctx.saved}


def test_it_joins_levels_and_describes(ctx: TaskContext, video: dict[str, Any], tmp_path: Path) -> None:
    out = mux_video(ctx, MuxVideoParams(loudness_lufs=-20), {"video": video, "audio": sound(tmp_path)})["video"]
    path = Path(out["path"])
    assert (out["kind"], out["media"]["audio_codec"]) == ("video", "aac")
    assert out["media"]["duration_s"] == pytest.approx(2.0, abs=0.05)
    assert measure_lufs(*read_audio(path)) == pytest.approx(-20.0, abs=1.0)
    assert probe_metadata(path) == ctx.provenance
    assert names(ctx) == {
        "video.mp4": "output", "thumbnail.jpg": "thumbnail", "captions.srt": "subtitles", "captions.vtt": "subtitles"
    }  # fmt: skip
    captions = next(Path(ref.path or "").read_text() for ref in ctx.saved if ref.name == "captions.srt")
    assert "Hello world." in captions


def test_without_sound_the_video_keeps_its_own(ctx: TaskContext, video: dict[str, Any], tmp_path: Path) -> None:
    first = mux_video(ctx, MuxVideoParams(), {"video": video, "audio": sound(tmp_path)})["video"]
    kept = tmp_path / "first.mp4"
    Path(first["path"]).rename(kept)
    again = TaskContext(job_id="j", node_id="again", attempt=1, workdir=tmp_path / "work", emit=lambda event: None)
    out = mux_video(again, MuxVideoParams(), {"video": {"path": str(kept)}})["video"]
    assert out["media"]["loudness_lufs"] == pytest.approx(-16.0, abs=1.0)
    assert probe_metadata(Path(out["path"]))["plan_digest"] == "sha256:ab"
    assert set(names(again)) == {"video.mp4", "thumbnail.jpg"}


def test_a_mute_video_stays_mute(ctx: TaskContext, video: dict[str, Any]) -> None:
    out = mux_video(ctx, MuxVideoParams(), {"video": video})["video"]
    assert out["media"]["audio_codec"] is None


def test_subtitles_can_be_left_out(ctx: TaskContext, video: dict[str, Any], tmp_path: Path) -> None:
    mux_video(ctx, MuxVideoParams(subtitles="none"), {"video": video, "audio": sound(tmp_path)})
    assert set(names(ctx)) == {"video.mp4", "thumbnail.jpg"}


def test_longer_sound_is_never_cut(ctx: TaskContext, video: dict[str, Any], tmp_path: Path) -> None:
    out = mux_video(ctx, MuxVideoParams(), {"video": video, "audio": sound(tmp_path, duration_s=3.0)})["video"]
    assert out["duration_s"] == pytest.approx(3.0, abs=0.05)


def test_other_codecs_and_odd_sizes_become_h264(ctx: TaskContext, tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 97, 65, "yuv444p"
        for index in range(20):
            picture = av.VideoFrame.from_ndarray(frame(index, height=65, width=97), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    out = mux_video(ctx, MuxVideoParams(), {"video": {"path": str(path)}})["video"]
    facts = probe(Path(out["path"]))
    assert (facts.video_codec, facts.width_px, facts.height_px, facts.frames) == ("h264", 96, 64, 20)


def test_bad_input_is_named(ctx: TaskContext, video: dict[str, Any], tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("hello")
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("missing_file", {"video": {"path": str(tmp_path / "none.mp4")}}),
        ("undecodable", {"video": {"path": str(text)}}),
        ("undecodable", {"video": video, "audio": {"path": str(empty)}}),
        ("no_pictures", {"video": sound(tmp_path)}),
        ("silent_audio", {"video": video, "audio": sound(tmp_path, gain=0.0)}),
    ]
    for code, inputs in cases:
        with pytest.raises(TaskError) as caught:
            mux_video(ctx, MuxVideoParams(), inputs)
        assert (caught.value.failure.code, caught.value.failure.kind) == (code, "input")
    assert not ctx.saved
