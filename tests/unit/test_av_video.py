"""Video files: written, joined with sound, described, and refused when they are no good."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from worker.av.audio import measure_lufs, read_audio
from worker.av.check import check_video, probe
from worker.av.mux import mux
from worker.av.provenance import container_tags, probe_metadata
from worker.av.thumbnail import thumbnail
from worker.av.video import Frame, VideoWriter, jpeg, read_frames
from worker.context import TaskError

WIDTH, HEIGHT, FPS = 160, 96, 10
RATE_HZ = 16_000


def moving(index: int) -> Frame:
    """Return a bright square that walks over a gradient."""
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[..., 1] = np.linspace(40, 160, WIDTH)[None]
    frame[20:50, 3 * index % 120 : 3 * index % 120 + 30] = (230, 180, 60)
    return frame


def plain(rgb: tuple[int, int, int]) -> Frame:
    return np.full((HEIGHT, WIDTH, 3), rgb, np.uint8)


def filmed(path: Path, frames: Iterable[Frame]) -> Path:
    with VideoWriter(path, width=WIDTH, height=HEIGHT, fps=FPS, preset="ultrafast", threads=1) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def voice(duration_s: float) -> np.ndarray:
    noise = np.random.default_rng(3).laplace(size=round(duration_s * RATE_HZ)).astype(np.float32)
    return 0.03 * noise * np.clip(np.sin(np.arange(len(noise)) / RATE_HZ * 14), 0.05, 1).astype(np.float32)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return filmed(tmp_path / "clip.mp4", map(moving, range(30)))


def joined(clip: Path, *, sound_s: float = 3.0, duration_s: float = 3.0, **metadata: str) -> Path:
    out = clip.with_name("joined.mp4")
    mux(clip, voice(sound_s), RATE_HZ, out, duration_s=duration_s, metadata=metadata)
    return out


def refusal(path: Path, *, duration_s: float = 3.0, audible: bool = False) -> str:
    with pytest.raises(TaskError) as caught:
        check_video(path, duration_s=duration_s, audible=audible)
    return caught.value.failure.code


def stream_seconds(path: Path) -> dict[str, float]:
    with av.open(str(path)) as container:
        return {stream.type: float(stream.duration * stream.time_base) for stream in container.streams}


def test_written_frames_come_back_in_order_with_their_times_and_colours(clip: Path) -> None:
    found = list(read_frames(clip))
    assert [round(time_s * FPS) for time_s, _ in found] == list(range(30))
    for index, (_, frame) in enumerate(found):
        assert np.abs(frame[22:48, 3 * index + 4 : 3 * index + 26].mean(axis=(0, 1)) - (230, 180, 60)).max() < 6


def test_every_s_thins_the_frames_out(clip: Path) -> None:
    assert [round(time_s, 1) for time_s, _ in read_frames(clip, every_s=1.0)] == [0.0, 1.0, 2.0]


def test_a_written_file_is_tagged_bt709_and_has_no_b_frames(clip: Path) -> None:
    with av.open(str(clip)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt, codec.has_b_frames) == ("h264", "yuv420p", False)
        assert (codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range) == (1, 1, 1, 1)


@pytest.mark.parametrize("frame", [plain((0, 0, 0))[:-2], plain((0, 0, 0)).astype(np.float32)])
def test_a_frame_of_another_shape_or_type_is_refused_and_no_half_file_stays(tmp_path: Path, frame: Frame) -> None:
    with pytest.raises(ValueError, match="a frame must be uint8"):
        filmed(tmp_path / "half.mp4", [moving(0), frame])
    assert not (tmp_path / "half.mp4").exists()


def test_odd_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even"):
        VideoWriter(tmp_path / "odd.mp4", width=161, height=96, fps=10)


def test_a_joined_file_has_exact_durations_loud_sound_and_its_index_in_front(clip: Path) -> None:
    out = joined(clip, sound_s=2.2)
    assert stream_seconds(out) == {"video": pytest.approx(3.0, abs=0.001), "audio": pytest.approx(3.0, abs=0.03)}
    facts = check_video(out, duration_s=3.0, audible=True, tolerance_ratio=0.02)
    assert (facts.video_codec, facts.audio_codec, facts.channels, facts.rate_hz) == ("h264", "aac", 2, 48_000)
    assert (facts.width_px, facts.height_px, facts.fps, facts.frames) == (WIDTH, HEIGHT, FPS, 30)
    assert measure_lufs(*read_audio(out)) == pytest.approx(-16.0, abs=1.0)
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_joining_copies_the_pictures_bit_by_bit(clip: Path) -> None:
    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]

    assert packets(joined(clip)) == packets(clip)


@pytest.mark.parametrize("duration_s", [2.0, 4.0])
def test_pictures_and_sound_are_cut_or_held_to_the_duration(clip: Path, duration_s: float) -> None:
    out = joined(clip, duration_s=duration_s)
    assert stream_seconds(out) == {
        "video": pytest.approx(duration_s, abs=0.001),
        "audio": pytest.approx(duration_s, abs=0.03),
    }
    assert check_video(out, duration_s=duration_s, audible=True, tolerance_ratio=0.02).frames == min(
        30, 10 * duration_s
    )


def test_a_video_without_sound_stays_without(clip: Path) -> None:
    out = clip.with_name("mute.mp4")
    mux(clip, None, RATE_HZ, out, duration_s=3.0, metadata={})
    assert check_video(out, duration_s=3.0, audible=False).audio_codec is None
    assert refusal(out, audible=True) == "silent_audio"


def test_metadata_is_read_back_as_written(clip: Path) -> None:
    facts = {"title": "Schwarze Löcher", "plan_digest": "sha256:ab", "job_id": "j1", "node_id": "n", "backend": "x"}
    assert probe_metadata(joined(clip, **facts)) == facts
    assert probe_metadata(clip) == {}


def test_a_foreign_comment_is_kept_as_it_is(clip: Path) -> None:
    assert container_tags({}) == {}
    out = clip.with_name("foreign.mp4")
    with av.open(str(clip)) as source, av.open(str(out), "w") as target:
        target.metadata["comment"] = "holiday"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert probe_metadata(out) == {"comment": "holiday"}


BAD: dict[str, tuple[str, Callable[[int], Frame]]] = {
    "black": ("black_video", lambda index: plain((0, 0, 0))),
    "black at the end": ("black_video", lambda index: moving(index) if index < 10 else plain((2, 2, 2))),
    "still": ("frozen_video", lambda index: moving(0)),
    "one colour": ("frozen_video", lambda index: plain((90, 120, 200))),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_pictures_are_refused(tmp_path: Path, name: str) -> None:
    code, frame = BAD[name]
    assert refusal(filmed(tmp_path / "bad.mp4", map(frame, range(30)))) == code


def test_moving_captions_do_not_hide_a_frozen_picture(tmp_path: Path) -> None:
    def captioned(index: int) -> Frame:
        frame = moving(0)
        frame[84:94, 2 * index : 2 * index + 30] = 255
        return frame

    assert refusal(filmed(tmp_path / "bad.mp4", map(captioned, range(30)))) == "frozen_video"


def test_captions_do_not_hide_a_black_picture(tmp_path: Path) -> None:
    def captioned(index: int) -> Frame:
        frame = plain((0, 0, 0))
        frame[84:94, 2 * index : 2 * index + 30] = 255
        return frame

    assert refusal(filmed(tmp_path / "bad.mp4", map(captioned, range(30)))) == "black_video"


def test_a_freeze_in_the_middle_is_found(tmp_path: Path) -> None:
    path = filmed(tmp_path / "bad.mp4", (moving(index if index < 10 else 10) for index in range(60)))
    assert refusal(path, duration_s=6.0) == "frozen_video"


def test_a_dark_scene_with_lights_and_slow_movement_passes(tmp_path: Path) -> None:
    def night(index: int) -> Frame:
        frame = plain((6, 6, 12))
        frame[30:36, 40 + index // 2 : 48 + index // 2] = 200
        return frame

    check_video(filmed(tmp_path / "night.mp4", map(night, range(40))), duration_s=4.0, audible=False)


def test_silence_is_refused(clip: Path) -> None:
    out = clip.with_name("silent.mp4")
    mux(clip, np.zeros(3 * RATE_HZ, np.float32), RATE_HZ, out, duration_s=3.0, metadata={})
    assert refusal(out, audible=True) == "silent_audio"
    check_video(out, duration_s=3.0, audible=False)


@pytest.mark.parametrize("asked_s", [2.0, 3.5, 20.0])
def test_a_wrong_length_is_refused(clip: Path, asked_s: float) -> None:
    assert refusal(clip, duration_s=asked_s) == "wrong_duration"


@pytest.mark.parametrize("kept_ratio", [0.0, 0.05, 0.5, 0.9])
def test_a_truncated_file_is_refused(clip: Path, kept_ratio: float) -> None:
    data = joined(clip).read_bytes()
    clip.write_bytes(data[: int(kept_ratio * len(data))])
    assert refusal(clip, audible=True) == "undecodable"


def test_a_text_file_named_mp4_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("hello")
    assert refusal(path) == "undecodable"
    with pytest.raises(TaskError):
        probe(path)


def test_the_thumbnail_avoids_black_frames(tmp_path: Path) -> None:
    path = filmed(tmp_path / "a.mp4", (moving(index) if index >= 16 else plain((0, 0, 0)) for index in range(30)))
    thumbnail(path, tmp_path / "a.jpg")
    picture = cv2.imread(str(tmp_path / "a.jpg"))
    assert picture is not None
    assert picture.std() > 18
    assert picture.shape == (HEIGHT, WIDTH, 3)


def test_a_preview_is_scaled_down_and_small() -> None:
    data = jpeg(np.random.default_rng(0).integers(0, 255, (720, 1280, 3)).astype(np.uint8), width=320)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (180, 320, 3)
    assert len(data) <= 48_000
