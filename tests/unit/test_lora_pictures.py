"""What `train_lora` takes as pictures and captions, and how a preset becomes steps. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.lora_runs import drawn, ref_of
from worker.context import TaskCancelled, TaskError
from worker.lora.pictures import Picture, captions_for, read_pictures
from worker.lora.settings import LoraParams, Settings, settings_for


def read(refs: list[dict[str, Any]], *, side_px: int = 64) -> list[Picture]:
    return read_pictures(refs, side_px=side_px, captions=["x"] * len(refs), check=lambda: None)


def settings(pictures: int = 10, **params: Any) -> Settings:
    return settings_for(LoraParams(**params), pictures=pictures, seed=3, native_px=512, multiple_px=64)


def test_a_wide_picture_is_scaled_to_cover_the_square_and_cropped_at_its_centre(tmp_path: Path) -> None:
    picture = Image.new("RGB", (256, 128), (255, 0, 0))
    picture.paste((0, 255, 0), (64, 0, 192, 128))
    picture.save(tmp_path / "wide.png")
    (found,) = read([ref_of(tmp_path / "wide.png")])
    assert found.pixels.shape == (64, 64, 3)
    assert (found.size_px, found.crop_px) == ((256, 128), (0, 32))
    assert found.pixels[:, 2:62].mean(axis=(0, 1)).round().tolist() == [0, 255, 0]


def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    picture = Image.new("RGB", (100, 80), (0, 0, 255))
    picture.paste((255, 255, 0), (0, 0, 50, 80))  # the left half; turned by 90 degrees it is the upper one
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    (found,) = read([ref_of(tmp_path / "turned.jpg")])
    assert found.size_px == (80, 100)
    assert found.pixels[4, 32, 2] < 60 < 200 < found.pixels[4, 32, 0]
    assert found.pixels[60, 32, 0] < 60 < 200 < found.pixels[60, 32, 2]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK", "I;16"])
def test_every_usual_mode_becomes_rgb(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    if mode == "I;16":
        Image.fromarray(np.full((70, 70), 0x8000, np.uint16)).save(path)
    else:
        Image.new("RGBA", (70, 70), (120, 120, 120, 255)).convert("RGB" if mode == "CMYK" else mode).convert(mode).save(
            path
        )
    (found,) = read([ref_of(path)])
    assert (found.pixels.dtype, found.pixels.shape) == (np.uint8, (64, 64, 3))
    assert 100 <= found.pixels.mean() <= 140 or mode == "1"


def test_what_is_transparent_stands_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read([ref_of(tmp_path / "clear.png")])[0].pixels.min() == 255


def test_all_bad_pictures_are_named_at_once_with_their_reason(tmp_path: Path) -> None:
    refs = drawn(tmp_path / "good", 2)
    (tmp_path / "text.png").write_text("I am no picture")
    Image.new("RGB", (300, 20)).save(tmp_path / "strip.png")
    whole = (tmp_path / "good" / "000.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    bad = [ref_of(tmp_path / name) for name in ("text.png", "strip.png", "cut.png", "gone.png")]
    with pytest.raises(TaskError) as raised:
        read([refs[0], *bad, refs[1]])
    failure = raised.value.failure
    assert (failure.code, failure.kind, failure.path) == ("bad_images", "input", "/inputs/images/1")
    for words in ("4 of 6", "text.png: not a readable", "strip.png: 300 x 20 px is too small", "cut.png: not", "gone.png: there is no file"):  # fmt: skip
        assert words in failure.message


def test_a_picture_that_claims_to_be_enormous_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    for side_px in (10_100, 20_000):
        Image.new("1", (side_px, side_px)).save(tmp_path / "bomb.png")
        with pytest.raises(TaskError, match="more than 100,000,000 pixels are too large"):
            read([ref_of(tmp_path / "bomb.png")])


def test_no_picture_and_301_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no picture") as raised:
        read([])
    assert raised.value.failure.allowed == "1 to 300"
    with pytest.raises(TaskError, match="301 pictures are more than 300"):
        read([{"name": "x", "path": "/none"}] * 301)


def test_a_cancel_stops_the_reading(tmp_path: Path) -> None:
    def cancelled() -> None:
        raise TaskCancelled

    with pytest.raises(TaskCancelled):
        read_pictures(drawn(tmp_path, 1), side_px=64, captions=["x"], check=cancelled)


def test_captions_are_the_users_text_or_the_trigger_and_always_call_it() -> None:
    refs = [{"media": {"caption": "a red barn"}}, {}]
    assert captions_for(refs, given=(), trigger="ohwx", concept="subject") == ["ohwx, a red barn", "a photo of ohwx"]
    given = captions_for(refs, given=("the OHWX dog", "  "), trigger="ohwx", concept="style")
    assert given == ["the OHWX dog", "a picture in the style of ohwx"]
    with pytest.raises(TaskError, match="1 captions for 2 pictures"):
        captions_for(refs, given=("one",), trigger="ohwx", concept="subject")


def test_more_pictures_give_more_steps_within_the_bounds_of_the_preset() -> None:
    steps = [settings(count, preset="balanced").steps for count in (1, 20, 300)]
    assert steps == [400, 800, 1500]
    assert settings(20, preset="quick").steps < 800 < settings(20, preset="quality").steps


def test_presets_fill_only_what_the_user_left_open() -> None:
    found = settings(rank=4, steps=33, resolution_px=300, seed=9, early_stop=False)
    assert (found.rank, found.steps, found.resolution_px, found.seed, found.patience) == (4, 33, 256, 9, 0)
    assert settings(preset="quick").resolution_px == 384
    assert (settings().learning_rate, settings().batch, settings().seed) == (1e-4, 4, 3)


def test_the_rate_warms_up_and_comes_down_to_a_tenth() -> None:
    found = settings(steps=100)
    rates = [found.learning_rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(found.learning_rate / 5)
    assert max(rates) == found.learning_rate
    assert rates[-1] == pytest.approx(0.1 * found.learning_rate, rel=0.05)


def test_any_change_of_what_decides_the_weights_changes_the_fingerprint() -> None:
    assert settings().fingerprint("a") == settings().fingerprint("a")
    assert len({settings().fingerprint("a"), settings().fingerprint("b"), settings(rank=4).fingerprint("a")}) == 3
