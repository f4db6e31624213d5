"""Samples to judge: topics that nobody tuned on are written and rendered; sheets, transcripts and figures stay.

python -m bench.samples [--out docs/samples] [--seconds 20] [--resolution 720p] ["TOPIC|STYLE" ...]
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOPICS = (
    "kites|humorous",
    "windmills|friendly",
    "chess|humorous",
    "the Silk Road|dramatic",
    "candles|humorous",
    "owls|kids",
    "bridges|serious",
    "canals|friendly",
    "mirrors|humorous",
    "zebras|calm",
)
MOVED_LEVELS = 0.3
"""Mean change of a 160-pixel-wide grey picture, in levels of 255, that counts as motion within a second."""

ANOTHER_SCENE_LEVELS = 18.0
"""Mean change between the middles of two captured seconds that tells one scene from the next."""

SHEET_COLUMNS, SHEET_ROWS, SHEET_WIDTH_PX, SHEET_BYTES = 5, 2, 1600, 120_000


@dataclass(frozen=True)
class Figures:
    """What was measured of one sample."""

    topic: str
    scenes: int
    sentences: int
    repeated: int
    facts: int
    words: int
    still_seconds: int
    script_s: float
    render_s: float


def main() -> None:
    """Make every sample, one after the other, and the table of figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("topics", nargs="*", default=TOPICS, metavar="TOPIC|STYLE")
    parser.add_argument("--out", type=Path, default=Path("docs/samples"))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--resolution", default="720p")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    print("| topic | scenes | sentences | repeated | facts | words | still seconds | script | render |")
    print("|---|---|---|---|---|---|---|---|---|")
    for wish in given.topics:
        topic, _, style = wish.partition("|")
        figures = sample(topic, style=style, seconds=given.seconds, resolution=given.resolution, out=given.out)
        print("| " + " | ".join(f"{each:.1f} s" if isinstance(each, float) else str(each)
                                for each in asdict(figures).values()) + " |", flush=True)  # fmt: skip


def sample(topic: str, *, style: str, seconds: float, resolution: str, out: Path) -> Figures:
    """Write, render and measure one topic; leave its contact sheet and transcript in `out`."""
    began = time.monotonic()
    script = write_script(topic, style=style, seconds=seconds)
    script_s = time.monotonic() - began
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "script.json").write_text(json.dumps(script))
        (work / "params.json").write_text(
            json.dumps({"variant": "svd", "duration_seconds": seconds, "resolution": resolution, "style": style})
        )
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "worker", "exec", "render_video", str(work / "params.json"),
             "--input", f"script={work / 'script.json'}", "--out", str(work / "out")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        render_s = time.monotonic() - began
        video = next((work / "out").rglob("*.mp4"), None)
        if done.returncode or video is None:
            raise SystemExit(f"{topic}: the render failed\n{done.stdout[-800:]}\n{done.stderr[-800:]}")
        middles, moved = watch(video)
    scenes = 1 + sum(_change(one, two) > ANOTHER_SCENE_LEVELS for one, two in pairwise(map(_small, middles)))
    name = re.sub(r"\W+", "-", topic.lower()).strip("-")
    (out / f"{name}.jpg").write_bytes(sheet(middles))
    from graphs.writing.sentences import count_words, split_sentences

    sentences = split_sentences(script["narrative"])
    figures = Figures(
        topic=topic, scenes=scenes, sentences=len(sentences), repeated=len(sentences) - len(set(sentences)),
        facts=len(script["sources"]), words=count_words(script["narrative"]),
        still_seconds=sum(change < MOVED_LEVELS for change in moved), script_s=script_s, render_s=render_s,
    )  # fmt: skip
    (out / f"{name}.md").write_text(transcript(script, style=style, picture=f"{name}.jpg"))
    return figures


def write_script(topic: str, *, style: str, seconds: float) -> dict[str, Any]:
    """Return the embedded writer's script as the node `script.generateScript` would."""
    from graphs.writing.brief import Brief, read_style
    from graphs.writing.embedded import write
    from schemas.script import Script

    brief = Brief(
        topic=topic,
        goal=f"Generate a {seconds:.0f}-second {style} explainer about {topic}.",
        style=read_style(style),
        manner=style,
        duration_s=seconds,
    )
    return Script.model_validate(write(brief.model_dump(mode="json"))).model_dump(mode="json")


def watch(video: Path) -> tuple[list[NDArray[np.uint8]], list[float]]:
    """Return the frame in the middle of every second, uint8 [H, W, 3] RGB, and how much each second moved.

    Only the upper 75 % counts as motion: the captions below always move.
    """
    from worker.av.video import read_frames

    middles: list[NDArray[np.uint8]] = []
    firsts: list[NDArray[np.float32]] = []
    moved: list[float] = []
    for at_s, frame in read_frames(video, every_s=0.5):
        if round(at_s * 2) % 2:
            middles.append(frame)
            moved.append(_change(firsts[-1], _small(frame)) if firsts else math.inf)
        else:
            firsts.append(_small(frame))
    return middles, moved


def sheet(frames: list[NDArray[np.uint8]]) -> bytes:
    """Return a JPEG of ten frames spread over the video, at most `SHEET_BYTES` long."""
    from worker.av.video import jpeg

    count = SHEET_COLUMNS * SHEET_ROWS
    chosen = [frames[round(at)] for at in np.linspace(0, len(frames) - 1, count)]
    step = max(1, chosen[0].shape[1] // (SHEET_WIDTH_PX // SHEET_COLUMNS))
    small = [frame[::step, ::step] for frame in chosen]
    rows = [np.concatenate(small[at : at + SHEET_COLUMNS], axis=1) for at in range(0, count, SHEET_COLUMNS)]
    whole = np.ascontiguousarray(np.concatenate(rows, axis=0))
    for quality in (80, 70, 60, 50, 40):
        data = jpeg(whole, width=whole.shape[1], quality=quality)
        if len(data) <= SHEET_BYTES:
            break
    return data


def transcript(script: dict[str, Any], *, style: str, picture: str) -> str:
    """Return the narration with the source of every fact, as Markdown."""
    sources = "\n".join(f"- {each['sentence']} *[{each['source']}]*" for each in script["sources"])
    return (
        f"# {script['title']}\n\n![Ten frames of the video]({picture})\n\n{style}; {script['model']}\n\n"
        f"> {script['narrative']}\n\nStage: {script['stage']}\n\n{sources}\n"
    )


def _small(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the grey picture above the captions, float32 [h, 160] in [0, 255]."""
    import cv2

    height, width = frame.shape[:2]
    grey = np.asarray(cv2.cvtColor(frame[: height * 3 // 4], cv2.COLOR_RGB2GRAY))
    small = cv2.resize(grey, (160, max(1, 160 * grey.shape[0] // width)), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32)


def _change(one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    return float(np.mean(np.abs(one - two)))


if __name__ == "__main__":
    main()
