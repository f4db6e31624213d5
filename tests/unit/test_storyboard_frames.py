"""The drawn frames: their number, their motion, their light, their sameness for a seed."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.script import Script
from worker.context import TaskContext, TaskError
from worker.speech.timing import Speech, Word
from worker.storyboard.backgrounds.catalogue import PAINTERS
from worker.storyboard.lettering import drawable
from worker.storyboard.render import frames
from worker.storyboard.scenes import Scene
from worker.storyboard.staging import StagedScene

WIDTH, HEIGHT = 192, 108


def drawn(text: str, tmp_path: Path, *, duration_s: float = 6.0, fps: int = 5, seed: int = 1, title: str = "",
          images: list[Path] | None = None) -> list[NDArray[np.uint8]]:  # fmt: skip
    parts = text.split()
    step = duration_s / len(parts)
    words = tuple(Word(word, at * step, (at + 0.9) * step) for at, word in enumerate(parts))
    speech = Speech(np.zeros(10, np.float32), 22_050, words, (), "test")
    ctx = TaskContext("job", "node", 1, tmp_path, emit=lambda event: None)
    script = Script(stage="a test", narrative=text)
    return list(
        frames(ctx, script=script, speech=speech, images=images or [], width=WIDTH, height=HEIGHT, fps=fps,
               duration_s=duration_s, seed=seed, style="", title=title)
    )  # fmt: skip


TEXT = "The moon pulls on the ocean. A whale swims in the deep sea. The city sleeps at night."


def test_the_number_of_frames_is_exact(tmp_path: Path) -> None:
    assert len(drawn(TEXT, tmp_path, duration_s=3.33, fps=7)) == round(3.33 * 7)


def test_every_second_moves_and_no_frame_is_black(tmp_path: Path) -> None:
    film = drawn(TEXT, tmp_path, title="Tides")
    for number in range(0, len(film) - 5, 5):
        assert np.abs(film[number].astype(int) - film[number + 5]).mean() > 0.5
    assert all(frame.mean() > 8 and frame.dtype == np.uint8 and frame.shape == (HEIGHT, WIDTH, 3) for frame in film)


def test_a_seed_repeats_and_another_differs(tmp_path: Path) -> None:
    first, again, other = (drawn(TEXT, tmp_path, duration_s=2, seed=seed) for seed in (4, 4, 5))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("name", sorted(PAINTERS))
def test_every_background_paints_a_bright_enough_moving_scene(name: str) -> None:
    scene = Scene(0.0, 4.0, "x", name, (), None, "push_in", 3)
    staged = StagedScene(scene, width=WIDTH, height=HEIGHT, style="", title="", tone=name)
    first, last = staged.draw(0.5), staged.draw(3.5)
    assert first.mean() > 6
    assert np.abs(first.astype(int) - last).mean() > 0.4


def test_the_users_pictures_become_the_scenes(tmp_path: Path) -> None:
    photo = np.zeros((90, 40, 3), np.uint8)
    photo[..., 1] = 200
    path = tmp_path / "green.png"
    cv2.imwrite(str(path), photo)
    film = drawn(TEXT, tmp_path, duration_s=2, images=[path])
    middle = film[3][HEIGHT // 2, WIDTH // 2]
    assert middle[1] > 120
    assert middle[0] < 60


def test_an_unreadable_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fake.png"
    path.write_text("no picture")
    with pytest.raises(TaskError) as caught:
        drawn(TEXT, tmp_path, images=[path])
    assert caught.value.failure.code == "undecodable"


def test_letters_that_the_font_lacks_are_left_out() -> None:
    assert drawable("Überraschung  Żółw") == "Überraschung Żółw"
    assert drawable("黒い穴") == ""
