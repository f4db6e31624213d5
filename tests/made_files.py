"""A small real file of every format that artifacts have, each with facts of its own to lose."""

from __future__ import annotations

import json
import struct
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from schemas.artifact import ArtifactKind


def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (24, 32, 3), dtype=np.uint8)


def make_png(path: Path) -> None:
    from PIL import Image, PngImagePlugin

    facts = PngImagePlugin.PngInfo()
    facts.add_text("Title", "a cat")
    Image.fromarray(picture()).save(path, "PNG", pnginfo=facts)


def make_jpeg(path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x010E] = "a cat"
    Image.fromarray(picture()).save(path, "JPEG", quality=90, exif=exif)


def make_wav(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 22050, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(2).integers(-9000, 9000, 1001, dtype=np.int16).tobytes())


def make_mp4(path: Path) -> None:
    import av

    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        container.metadata["title"] = "tides"
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 48, "yuv420p", Fraction(1, 10)
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def make_glb(path: Path) -> None:
    scene = {
        "asset": {"version": "2.0", "generator": "test", "extras": {"mine": 1}},
        "nodes": [{"scale": [0.1, 1e-7, 3]}],
    }
    body, shapes = json.dumps(scene).encode(), bytes(range(40))
    body += b" " * (-len(body) % 4)
    chunks = struct.pack("<I4s", len(body), b"JSON") + body + struct.pack("<I4s", len(shapes), b"BIN\0") + shapes
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def make_safetensors(path: Path) -> None:
    from safetensors.numpy import save_file

    tensors = {"up": np.arange(12, dtype=np.float32).reshape(3, 4), "down": np.ones(5, np.float16)}
    save_file(tensors, path, metadata={"ss_network_dim": "4"})


def make_svg(path: Path) -> None:
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<!-- a > b -->\n<svg xmlns="http://www.w3.org/2000/svg" width="9" '
        'aria-label="x > y"><title>Käse</title><rect width="4" height="3"/></svg>',
        encoding="utf-8",
    )


class Format(NamedTuple):
    """The kind of artifact, and what writes such a file."""

    kind: ArtifactKind
    make: Callable[[Path], None]


FORMATS = {
    "png": Format("image", make_png),
    "jpg": Format("image", make_jpeg),
    "wav": Format("audio", make_wav),
    "mp4": Format("video", make_mp4),
    "glb": Format("model3d", make_glb),
    "safetensors": Format("lora", make_safetensors),
    "svg": Format("svg", make_svg),
}
