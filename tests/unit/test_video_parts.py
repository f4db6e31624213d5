"""The pure parts of the SVD backend: lengths, in-between pictures, memory plans, cuts."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.script import Script
from worker.av.video import VideoWriter
from worker.speech.timing import Speech
from worker.storyboard.scenes import Scene
from worker.video.film import film, spans
from worker.video.fitting import covering
from worker.video.memory import ON_CPU, ON_GPU, compiling_pays, plan_for, smaller, working_size
from worker.video.shot import Shot
from worker.video.stretch import positions, stretched

Picture = NDArray[np.uint8]


def square(x: int, *, side: int = 16) -> Picture:
    """Return a soft texture with a bright square at `x`, uint8 [96, 160, 3]."""
    ys, xs = np.mgrid[0:96, 0:160]
    picture = np.repeat((90 + 30 * np.sin(xs / 9) * np.cos(ys / 7)).astype(np.uint8)[..., None], 3, axis=2)
    picture[40 : 40 + side, x : x + side] = (250, 240, 40)
    return picture


def shot(**changes: Any) -> Shot:
    facts: dict[str, Any] = {
        "script": Script(stage="A ship at sea.", narrative="A ship sails."), "images": [], "lora": None, "width": 160,
        "speech": Speech(np.zeros(16_000, np.float32), 16_000, (), (), "test"), "height": 96, "fps": 10,
        "duration_s": 4.0, "seed": 1, "style": "", "title": "", "motion": 127, "steps": 2,
    }  # fmt: skip
    return Shot(**(facts | changes))


def scene(start_s: float, end_s: float) -> Scene:
    return Scene(start_s, end_s, "A ship sails.", "ocean", (), None, "push_in", 1)


@given(
    count=st.integers(2, 800), clip_frames=st.integers(2, 30), fps=st.sampled_from([10, 12, 24, 25, 30, 60]),
)  # fmt: skip
def test_a_clip_of_any_length_fills_any_scene_and_never_stands_still(count: int, clip_frames: int, fps: int) -> None:
    found = positions(count, clip_frames=clip_frames, fps=fps)
    assert len(found) == count
    assert found.min() >= 0
    assert found.max() <= clip_frames - 1
    assert np.abs(np.diff(found)).max() <= 7 / fps + 1e-9 or (count - 1) / fps < (clip_frames - 1) / 7 + 1e-9
    assert found[0] == 0
    moves = np.abs(np.diff(found))
    turned = moves < 0.4 * np.median(moves)  # a turn between two frames may meet itself, for one frame
    assert not (turned[:-1] & turned[1:]).any()


def test_a_clip_slows_down_to_half_its_tempo_and_then_turns() -> None:
    slowed = positions(101, clip_frames=15, fps=25)  # 4 s of a clip of 2 s
    assert (np.diff(slowed) > 0).all()
    assert slowed[-1] == pytest.approx(14)
    turning = positions(126, clip_frames=15, fps=25)  # 5 s
    assert (np.diff(turning) < 0).any()
    assert turning.max() == pytest.approx(14, abs=0.3)


def test_what_moves_is_moved_between_two_frames_and_not_seen_twice() -> None:
    clip = [square(40), square(48)]
    frames = list(stretched(clip, 5, fps=14))
    halfway = frames[2].astype(int)
    yellow = halfway[48, :, 0] - halfway[48, :, 2]  # red without blue: the square alone
    seen = np.flatnonzero(yellow > 100)
    assert abs(seen.mean() - (44 + 7.5)) < 1.5
    assert len(seen) <= 19
    assert yellow[seen].min() > 100


def test_every_stretched_frame_differs_from_the_one_before_save_at_the_turn() -> None:
    frames = list(stretched([square(x) for x in range(20, 100, 5)], 130, fps=25))
    assert len(frames) == 130
    same = [(one == other).all() for one, other in itertools.pairwise(frames)]
    assert sum(same) <= 1


def test_spans_cover_every_frame_and_overlap_in_the_fades_only() -> None:
    scenes = [scene(0, 1.3), scene(1.3, 2.9), scene(2.9, 4.0)]
    found = spans(scenes, count=40, fps=10)
    seen = [sum(number in span for span in found) for number in range(40)]
    assert min(seen) == 1
    assert max(seen) == 2
    assert sum(count == 2 for count in seen) <= 2 * 7


def clip_file(folder: Path, name: str, colour: tuple[int, int, int]) -> Path:
    path = folder / name
    with VideoWriter(path, width=64, height=64, fps=7, crf=12) as writer:
        for number in range(6):
            frame = np.full((64, 64, 3), colour, np.uint8)
            frame[10:20, 5 * number : 5 * number + 10] = 255
            writer.write(frame)
    return path


def test_a_film_is_as_long_as_asked_and_fades_from_clip_to_clip(tmp_path: Path) -> None:
    clips = [clip_file(tmp_path, "a.mp4", (180, 30, 30)), clip_file(tmp_path, "b.mp4", (30, 30, 180))]
    frames = list(film(shot(), [scene(0, 2), scene(2, 4)], clips))
    assert len(frames) == 40
    assert all(frame.shape == (96, 160, 3) for frame in frames)
    red = [float(frame[60:, :, 0].mean()) for frame in frames]
    assert red[10] > red[30] + 80
    assert red[10] > red[20] + 30 > red[30] + 50
    assert all((one != other).any() for one, other in itertools.pairwise(frames))


def test_enlarging_is_applied_to_every_picture_of_a_clip(tmp_path: Path) -> None:
    path = clip_file(tmp_path, "a.mp4", (180, 30, 30))
    sizes: list[int] = []

    def doubled(picture: Picture) -> Picture:
        sizes.append(picture.shape[0])
        return covering(picture, 128, 128)

    assert len(list(film(shot(), [scene(0, 4)], [path], enlarge=doubled))) == 40
    assert sizes == [64] * 6


def test_memory_decides_the_plan_and_each_has_a_smaller_one() -> None:
    assert plan_for("cpu", free_gib=64) is ON_CPU
    assert plan_for("cuda:0", free_gib=80).name == "resident"
    assert plan_for("cuda:0", free_gib=12).name == "offload"
    assert plan_for("cuda:0", free_gib=1).name == "frugal"
    assert [smaller(plan) for plan in ON_GPU] == [*ON_GPU[1:], None]
    assert smaller(ON_CPU) is None


def test_compiling_pays_only_for_much_work() -> None:
    assert not compiling_pays(step_s=1.0, steps_left=25)
    assert compiling_pays(step_s=2.0, steps_left=25 * 12)
    assert not compiling_pays(step_s=2.0, steps_left=0)


@given(width=st.integers(64, 4096), height=st.integers(64, 4096))
def test_a_model_draws_in_multiples_of_64_with_its_own_area(width: int, height: int) -> None:
    wide, high = working_size(width, height, area_px=768 * 768)
    assert wide % 64 == high % 64 == 0
    assert 0.8 * 768 * 768 <= wide * high <= 1.1 * 768 * 768
    assert (wide >= high) == (width >= height) or abs(wide - high) <= 64
    assert working_size(1280, 720, area_px=768 * 768) == (1024, 576)
    assert working_size(720, 1280, area_px=768 * 768) == (576, 1024)


def test_covering_cuts_evenly_and_keeps_the_middle() -> None:
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, 140:160] = 255
    fitted = covering(picture, 100, 100)
    assert fitted.shape == (100, 100, 3)
    assert fitted[:, 40:60].min() == 255
    assert fitted[:, :39].max() == 0
