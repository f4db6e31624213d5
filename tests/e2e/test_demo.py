"""The acceptance: the demo's goal over REST to a playable video, a talking portrait, and a render that is shot at."""

from __future__ import annotations

import io
import os
import re
import signal
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.faults.live_stack import LiveStack, Watcher, until
from tests.oracle import broken_invariants, orphans

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
GOAL = "Generate a 20-second humorous explainer about black holes."
MAX_WORD_ERROR_RATE = 0.15
SAME_SCENE = 22.0  # mean difference of two small RGB pictures, 0 .. 255; camera moves stay below, another place above


def download(stack: LiveStack, artifact: dict[str, Any], to: Path) -> Path:
    """Write an artifact's content to `to`."""
    answer = httpx.get(f"{stack.api}/api/artifacts/{artifact['id']}/content", follow_redirects=True, timeout=60)
    assert answer.status_code == 200, answer.text
    to.write_bytes(answer.content)
    return to


def made(record: dict[str, Any], *, name: str) -> dict[str, Any]:
    """Return the one artifact of this name."""
    (found,) = [one for one in record["artifacts"] if one["name"] == name]
    return found


def check_whole(stack: LiveStack) -> None:
    """Judge the platform's own invariants."""
    broken = until(
        lambda: [broken_invariants(stack.dsn, stack.s3())],
        within_s=20,
        what="the tables can be read",
    )[0]
    assert not broken, "\n".join(broken)
    assert not orphans(stack.marker, supervisor=stack.supervisor)


def scenes_of(pictures: list[np.ndarray]) -> int:
    """Count pictures that look like none before them, above the captions, 16 x 9 points each."""
    known: list[np.ndarray] = []
    for picture in pictures:
        upper = picture[: int(picture.shape[0] * 0.78)].astype(np.float32)
        rows = np.array_split(upper, 9, axis=0)
        small = np.array([[part.mean(axis=(0, 1)) for part in np.array_split(row, 16, axis=1)] for row in rows])
        if all(np.abs(small - other).mean() > SAME_SCENE for other in known):
            known.append(small)
    return len(known)


@pytest.fixture(scope="module")
def demo(stack: LiveStack) -> dict[str, Any]:
    """The record of the demo's job, watched over a WebSocket to its end."""
    job_id = stack.submit({"goal": GOAL})
    with Watcher(stack, job_id) as watcher:
        assert watcher.wait_end(within_s=360) == "completed"
    assert not watcher.gaps()
    assert watcher.ticks > 10, "progress was not shown"
    return stack.get(f"/api/jobs/{job_id}")


@pytest.fixture(scope="module")
def video(stack: LiveStack, demo: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's video."""
    return download(stack, made(demo, name="video.mp4"), tmp_path_factory.mktemp("demo") / "video.mp4")


def test_the_demo_makes_a_playable_video_of_the_asked_length(demo: dict[str, Any], video: Path) -> None:
    from worker.av.check import probe
    from worker.av.provenance import probe_metadata

    facts = probe(video)
    assert (facts.video_codec, facts.audio_codec) == ("h264", "aac")
    assert (facts.width_px, facts.height_px) == (1280, 720)
    assert facts.duration_s == pytest.approx(20, rel=0.05)
    content = video.read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat"), "the index is at the end: it cannot be streamed"
    assert probe_metadata(video)["plan_digest"] == demo["planDigest"]
    assert made(demo, name="video.mp4")["registered"]


def test_the_demo_moves_in_every_second_and_shows_four_scenes(video: Path) -> None:
    from worker.av.video import read_frames

    frames = list(read_frames(video, every_s=0.5))
    assert all(np.percentile(frame.max(axis=2), 99.9) > 40 for _, frame in frames), "a black picture"
    for (_, before), (time_s, after) in zip(frames, frames[2:], strict=False):
        upper = slice(0, int(after.shape[0] * 0.78))
        moved = np.abs(after[upper].astype(np.int16) - before[upper]).max(axis=2) > 8
        assert moved.mean() > 0.0005, f"nothing moves before {time_s:.1f} s"
    assert scenes_of([frame for _, frame in frames]) >= 4


def test_the_demo_is_heard_as_it_was_written(demo: dict[str, Any], video: Path) -> None:
    from tests.wer import transcribe, word_error_rate
    from worker.av.audio import measure_lufs, read_audio

    samples, rate_hz = read_audio(video)
    assert measure_lufs(samples, rate_hz) == pytest.approx(-16, abs=1)
    heard = transcribe(samples, rate_hz)
    assert word_error_rate(demo["script"]["narrative"], heard) <= MAX_WORD_ERROR_RATE, heard


def test_the_demo_says_nothing_twice_and_names_its_sources(demo: dict[str, Any]) -> None:
    script = demo["script"]
    sentences = [one.strip().lower() for one in re.split(r"(?<=[.!?])\s+", script["narrative"]) if one.strip()]
    assert len(sentences) == len(set(sentences)) >= 4
    assert "black hole" in script["narrative"].lower()
    assert script["sources"], "no fact has a source"
    told = " ".join(script["narrative"].split())
    for one in script["sources"]:
        assert one["source"]
        assert " ".join(one["sentence"].split()) in told, one
    assert script["model"]


def test_the_demo_comes_with_a_thumbnail_and_subtitles(stack: LiveStack, demo: dict[str, Any], tmp_path: Path) -> None:
    from PIL import Image

    with Image.open(download(stack, made(demo, name="thumbnail.jpg"), tmp_path / "cover.jpg")) as cover:
        assert cover.width >= 320
    srt = download(stack, made(demo, name="captions.srt"), tmp_path / "c.srt").read_text()
    vtt = download(stack, made(demo, name="captions.vtt"), tmp_path / "c.vtt").read_text()
    assert re.match(r"1\n\d\d:\d\d:\d\d,\d{3} --> ", srt)
    assert vtt.startswith("WEBVTT")
    spoken = re.findall(r"[a-z]+", demo["script"]["narrative"].lower())
    shown = re.findall(r"[a-z]+", re.sub(r"(?m)^\d+$|^.*-->.*$", "", srt).lower())
    assert shown == spoken


def test_the_demo_leaves_nothing_behind(stack: LiveStack, demo: dict[str, Any]) -> None:
    assert demo["status"] == "completed"
    check_whole(stack)


def test_an_uploaded_portrait_speaks(stack: LiveStack, tmp_path: Path) -> None:
    from PIL import Image
    from skimage.data import astronaut

    from worker.av.check import check_video

    picture = io.BytesIO()
    Image.fromarray(astronaut()).save(picture, "PNG")
    answer = httpx.post(f"{stack.api}/api/uploads", files={"file": ("portrait.png", picture.getvalue())}, timeout=30)
    assert answer.status_code == 201, answer.text
    body = {
        "topic": "the first walk on the moon",
        "variant": "sadtalker",
        "images": [answer.json()["uri"]],
        "options": {"durationSeconds": 6, "resolution": "360p"},
    }
    job_id = stack.submit(body, path="/api/generate")
    with Watcher(stack, job_id) as watcher:
        watcher.wait_end(within_s=180)
    assert not watcher.gaps()
    record = stack.get(f"/api/jobs/{job_id}")
    assert record["status"] == "completed", record["error"]
    video = download(stack, made(record, name="video.mp4"), tmp_path / "video.mp4")
    facts = check_video(video, duration_s=6, audible=True)
    assert facts.height_px == 360
    assert record["backends"]["render"] == "viseme_warp"
    log = stack.get(f"/api/jobs/{job_id}/events?after=0")["items"]
    assert not [one for one in log if "No portrait was given" in str(one.get("message"))]
    check_whole(stack)


def test_a_render_survives_a_kill_of_each_process(stack: LiveStack, tmp_path: Path) -> None:
    from worker.av.check import check_video

    body = {"topic": "volcanoes", "variant": "svd", "options": {"durationSeconds": 12, "resolution": "720p"}}
    job_id = stack.submit(body, path="/api/generate")
    with Watcher(stack, job_id) as watcher:

        def rendering(*, attempt: int) -> None:
            """Wait until this attempt at the render began and shows progress."""
            until(
                lambda: watcher.seen.count(("node.running", "render")) >= attempt or watcher.status == "completed",
                within_s=120,
                what=f"attempt {attempt} at the render",
            )
            ticks = watcher.ticks
            until(lambda: watcher.ticks > ticks or watcher.status == "completed", within_s=60, what="progress")
            assert watcher.status != "completed", "the job was over before it could be shot at"

        rendering(attempt=1)
        stack.kill("api")
        stack.kill("valkey")
        stack.kill("postgres", signal_=signal.SIGINT)  # a stop; the supervisor starts it again
        rendering(attempt=1)
        for pid in stack.worker_pids():
            os.kill(pid, signal.SIGKILL)
        rendering(attempt=2)
        stack.kill("worker")
        rendering(attempt=3)
        assert watcher.wait_end(within_s=180) == "completed"
    assert not watcher.gaps()
    record = stack.get(f"/api/jobs/{job_id}")
    videos = [one for one in record["artifacts"] if one["kind"] == "video"]
    assert len(videos) == 1
    assert [node["attempt"] for node in record["nodes"] if node["id"] == "render"] == [3]
    check_video(download(stack, videos[0], tmp_path / "video.mp4"), duration_s=12, audible=True)
    check_whole(stack)
