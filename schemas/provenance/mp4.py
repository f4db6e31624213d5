"""MP4: an XMP box (`uuid`) after all others, so that no offset of a sample moves. Source: ISO 14496-12, XMP part 3.

A copy that ffmpeg made has lost that box and kept the comment (`worker/av/provenance.py`), which names plan and job.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from schemas.provenance import xmp
from schemas.provenance.pieces import NotCarried, Piece, Span, read_at, size_of

_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_COMMENT_PATH = (b"moov", b"udta", b"meta", b"ilst", b"\xa9cmt", b"data")
_MAX_BOX_BYTES = 1 << 20
_MAX_BOXES = 100_000


def is_it(head: bytes) -> bool:
    """Say whether a file that begins so is an MP4."""
    return head[4:8] == b"ftyp"


def stamped(file: BinaryIO, text: str) -> list[Piece]:
    """Return the file with the record; an older one goes, or becomes free space when boxes follow it.

    Raises:
        NotCarried: it is malformed, or its last box has no end.
    """
    end = size_of(file)
    pieces: list[Piece] = []
    for kind, at, _, after in _boxes(file, 0, end):
        if not _is_ours(file, kind, at, after):
            pieces.append(Span(at, after))
        elif after != end:
            pieces += [struct.pack(">I4s", after - at, b"free"), Span(at + 8, after)]
    data = _UUID + xmp.packet(text)
    return [*pieces, struct.pack(">I4s", len(data) + 8, b"uuid") + data]


def found(file: BinaryIO) -> bytes | None:
    """Return the text of the record in the file, else its comment, else None."""
    end = size_of(file)
    for kind, at, _, after in _boxes(file, 0, end):
        if _is_ours(file, kind, at, after):
            return xmp.text_in(read_at(file, at, after - at))
    return _comment(file, end)


def _comment(file: BinaryIO, end: int) -> bytes | None:
    start = 0
    for name in _COMMENT_PATH:
        inside = next(((content, after) for kind, _, content, after in _boxes(file, start, end) if kind == name), None)
        if inside is None:
            return None
        start, end = inside
        if name == b"meta":
            start += 4  # its version and flags
    return read_at(file, start + 8, end - start - 8) if 8 < end - start <= _MAX_BOX_BYTES else None


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield (type, offset, offset of the content, offset after it) of the boxes between `start` and `end`."""
    at = start
    for _ in range(_MAX_BOXES):
        if at == end:
            return
        size, kind = struct.unpack(">I4s", read_at(file, at, 8))
        content = at + 8
        if size == 1:
            size = struct.unpack(">Q", read_at(file, content, 8))[0]
            content += 8
        if size < content - at or at + size > end:
            raise NotCarried("the MP4 is malformed, or its last box has no end")
        yield kind, at, content, at + size
        at += size
    raise NotCarried("the MP4 has too many boxes")


def _is_ours(file: BinaryIO, kind: bytes, at: int, after: int) -> bool:
    if kind != b"uuid" or not 24 < after - at <= _MAX_BOX_BYTES:
        return False
    box = read_at(file, at, after - at)
    return box[8:24] == _UUID and xmp.MARK in box
