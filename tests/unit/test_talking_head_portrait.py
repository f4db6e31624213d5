"""Which pictures may speak, and how they are placed."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from worker.context import TaskError
from worker.talking_head.face import FaceReader
from worker.talking_head.framing import frame_portrait
from worker.talking_head.motion import BLINK, motion_curves
from worker.talking_head.portrait import astronaut, read_portrait, speaking_face


def code_of(error: pytest.ExceptionInfo[TaskError]) -> str:
    assert error.value.failure.hint
    return error.value.failure.code


def test_the_sample_portrait_has_one_face() -> None:
    face, count = speaking_face(astronaut(), FaceReader())
    assert count == 1
    assert 90 < face.height_px < 130
    assert np.abs(face.points[13, :2] - (222, 143)).max() < 6


def test_a_picture_without_a_face_is_refused() -> None:
    plain = np.full((300, 400, 3), 120, np.uint8)
    with pytest.raises(TaskError) as error:
        speaking_face(plain, FaceReader())
    assert code_of(error) == "no_face"


def test_two_equal_faces_are_refused() -> None:
    head = astronaut()[0:300, 80:380]
    with pytest.raises(TaskError) as error:
        speaking_face(np.concatenate([head, head], axis=1), FaceReader())
    assert code_of(error) == "several_faces"


def test_a_tiny_face_is_refused() -> None:
    small = np.asarray(Image.fromarray(astronaut()).resize((200, 200)))
    with pytest.raises(TaskError) as error:
        speaking_face(small, FaceReader())
    assert code_of(error) == "face_too_small"


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that declares a size and holds no pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, body in ((b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")):
        chunks += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize(
    "content", [b"", b"just text", png_header(60_000, 60_000), png_header(8_000, 8_000), png_header(100, 100)]
)
def test_an_unusable_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "portrait.png"
    path.write_bytes(content)
    with pytest.raises(TaskError) as error:
        read_portrait(path)
    assert code_of(error) == "bad_image"


def test_a_turned_photograph_is_read_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: the camera was held upright
    Image.new("RGB", (60, 40)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_portrait(tmp_path / "turned.jpg").shape == (60, 40, 3)


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (320, 320), (1920, 800)])
def test_a_square_portrait_fits_any_frame_with_the_face_above_the_captions(size: tuple[int, int]) -> None:
    width, height = size
    stage = frame_portrait(astronaut(), centre_px=(222, 125), face_height_px=108, width=width, height=height)
    left, top, right, bottom = stage.box_px
    assert stage.canvas.shape == (height, width, 3)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    chin = stage.place(np.array([[221, 175, 0]], np.float32))[0]
    assert left < chin[0] < right
    assert top < chin[1] < 0.8 * height


def test_movement_repeats_with_its_seed_and_blinks_now_and_then() -> None:
    loudness = np.clip(np.sin(np.arange(500) / 4), 0, 1).astype(np.float32)
    first = motion_curves(loudness, fps=25.0, seed=3)
    assert np.array_equal(first, motion_curves(loudness, fps=25.0, seed=3))
    assert not np.array_equal(first, motion_curves(loudness, fps=25.0, seed=4))
    shut = first[:, BLINK] > 0.8
    assert 3 <= np.count_nonzero(np.diff(shut.astype(int)) == 1) <= 9
    assert np.abs(np.diff(first[:, :BLINK], axis=0)).max() < 0.2
