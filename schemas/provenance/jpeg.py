"""JPEG: an APP1 segment with XMP after the JFIF and EXIF ones. Source: ISO 10918-1 B.1, XMP part 3 section 1.1.3."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from schemas.provenance import xmp
from schemas.provenance.pieces import NotCarried, Piece, Span, read_at, size_of

SIGNATURE = b"\xff\xd8\xff"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_APP0, _APP1, _START_OF_SCAN = 0xE0, 0xE1, 0xDA


def is_it(head: bytes) -> bool:
    """Say whether a file that begins so is a JPEG."""
    return head.startswith(SIGNATURE)


def stamped(file: BinaryIO, text: str) -> list[Piece]:
    """Return the file with the record; an older one goes.

    Raises:
        NotCarried: it is no whole JPEG.
    """
    data = _XMP + xmp.packet(text)
    segment = struct.pack(">BBH", 0xFF, _APP1, len(data) + 2) + data
    before: list[Piece] = [SIGNATURE[:2]]
    after: list[Piece] = []
    rest = 0
    for marker, at, length in _segments(file):
        if marker == _START_OF_SCAN:
            rest = at
        elif not _is_ours(file, marker, at, length):
            first = not after and (marker == _APP0 or (marker == _APP1 and read_at(file, at + 4, 4) == b"Exif"))
            (before if first else after).append(Span(at, at + length + 2))
    return [*before, segment, *after, Span(rest, size_of(file))]


def found(file: BinaryIO) -> bytes | None:
    """Return the text of the record in the file, or None."""
    for marker, at, length in _segments(file):
        if _is_ours(file, marker, at, length):
            return xmp.text_in(read_at(file, at + 4, length - 2))
    return None


def _segments(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, offset, length with its own two bytes) of every segment up to the first scan."""
    at, marker = 2, 0
    while marker != _START_OF_SCAN:
        fill, marker, length = struct.unpack(">BBH", read_at(file, at, 4))
        if fill == marker == 0xFF:  # a fill byte before the marker
            at += 1
            continue
        if fill != 0xFF or length < 2:
            raise NotCarried("the JPEG is malformed")
        yield marker, at, length
        at += length + 2


def _is_ours(file: BinaryIO, marker: int, at: int, length: int) -> bool:
    if marker != _APP1 or length < len(_XMP) + 2:
        return False
    data = read_at(file, at + 4, length - 2)
    return data.startswith(_XMP) and xmp.MARK in data
