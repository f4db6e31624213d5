"""One small real video through the task: speech, pictures, captions, sound, files."""

from pathlib import Path
from typing import Any

from worker.av.check import check_video
from worker.context import TaskContext
from worker.tasks.render_video import RenderVideoParams, render_video


def test_a_script_becomes_a_checked_video_with_all_its_files(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    ctx = TaskContext("job", "render", 1, tmp_path, events.append, seed=7)
    script = {
        "stage": "A black hole in space.",
        "narrative": "A black hole hides in space. Nothing escapes it, not even light. A telescope sees its glow.",
        "title": "Black holes",
    }
    params = RenderVideoParams(variant="svd", duration_seconds=6, resolution="320x240", fps=12)
    video = render_video(ctx, params, {"script": script})["video"]

    facts = check_video(Path(video["path"]), duration_s=6, audible=True)
    assert (facts.width_px, facts.height_px, facts.frames) == (320, 240, 72)
    assert video["backend"] == "storyboard"
    assert video["thumbnail"]["role"] == "thumbnail"
    assert {ref.name: ref.role for ref in ctx.saved} == {
        "video.mp4": "output", "thumbnail.jpg": "thumbnail", "captions.srt": "subtitles", "captions.vtt": "subtitles",
        "narration.wav": "part",
    }  # fmt: skip
    stages = [event["stage"] for event in events if event["type"] == "progress"]
    assert [stage for at, stage in enumerate(stages) if stages.index(stage) == at] == [
        "speech",
        "pictures",
        "mux",
        "done",
    ]
    assert any(event["type"] == "preview" for event in events)
