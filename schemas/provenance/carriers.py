"""The formats that hold a record, known by the first bytes of a file. It knows texts only, and loads no library."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from schemas.provenance import glb, jpeg, mp4, png, svg, tensors, wav
from schemas.provenance.pieces import NotCarried, Piece, joined

_HEAD_BYTES = 4096


@dataclass(frozen=True)
class Carrier:
    """A format: how to know it, to write a text into a file and to find it there."""

    name: str
    is_it: Callable[[bytes], bool]
    stamped: Callable[[BinaryIO, str], list[Piece]]
    found: Callable[[BinaryIO], bytes | None]


CARRIERS = (
    Carrier("PNG", png.is_it, png.stamped, png.found),
    Carrier("JPEG", jpeg.is_it, jpeg.stamped, jpeg.found),
    Carrier("WAV", wav.is_it, wav.stamped, wav.found),
    Carrier("MP4", mp4.is_it, mp4.stamped, mp4.found),
    Carrier("GLB", glb.is_it, glb.stamped, glb.found),
    Carrier("SVG", svg.is_it, svg.stamped, svg.found),
    Carrier("safetensors", tensors.is_it, tensors.stamped, tensors.found),
)


def write_text(path: Path, text: str) -> bool:
    """Put the text of a record into the file, in one step; an older one goes. False: the file cannot hold one."""
    partial = path.with_name(f".{path.name}.stamped")
    try:
        with path.open("rb") as file:
            carrier = _carrier_of(file)
            if carrier is None:
                return False
            pieces = carrier.stamped(file, text)
            with partial.open("wb") as copy:
                copy.writelines(joined(file, pieces))
        os.replace(partial, path)
    except NotCarried:
        return False
    finally:
        partial.unlink(missing_ok=True)
    return True


def text_in(path: Path) -> bytes | None:
    """Return the text of the record in the file, or None.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        carrier = _carrier_of(file)
        try:
            return carrier.found(file) if carrier is not None else None
        except NotCarried:
            return None


def _carrier_of(file: BinaryIO) -> Carrier | None:
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    return next((carrier for carrier in CARRIERS if carrier.is_it(head)), None)
