"""PNG: a text chunk (`iTXt`, the keyword of XMP) right after the header. Source: PNG specification 11.3.3.4."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from schemas.provenance import xmp
from schemas.provenance.pieces import NotCarried, Piece, Span, read_at, size_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"XML:com.adobe.xmp"
_HEADER = _KEYWORD + b"\0\0\0\0\0"  # not compressed, no language, no translated keyword
_FRAME_BYTES = 12  # length, type and check sum around the data of a chunk
MAX_CHUNK_BYTES = 1 << 20


def is_it(head: bytes) -> bool:
    """Say whether a file that begins so is a PNG."""
    return head.startswith(SIGNATURE)


def stamped(file: BinaryIO, text: str) -> list[Piece]:
    """Return the file with the record; an older one goes.

    Raises:
        NotCarried: it is no whole PNG.
    """
    pieces: list[Piece] = [SIGNATURE]
    for kind, at, length in _chunks(file):
        if not _is_ours(file, kind, at, length):
            pieces.append(Span(at, at + length + _FRAME_BYTES))
        if kind == b"IHDR":
            body = b"iTXt" + _HEADER + xmp.packet(text)
            pieces.append(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
    return pieces


def found(file: BinaryIO) -> bytes | None:
    """Return the text of the record in the file, or None."""
    for kind, at, length in _chunks(file):
        if _is_ours(file, kind, at, length):
            return xmp.text_in(read_at(file, at + 8, length))
    return None


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, offset, bytes of data) of every chunk, up to the last."""
    at, end = len(SIGNATURE), size_of(file)
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", read_at(file, at, 8))
        if at + length + _FRAME_BYTES > end:
            raise NotCarried("the PNG is cut off")
        yield kind, at, length
        at += length + _FRAME_BYTES


def _is_ours(file: BinaryIO, kind: bytes, at: int, length: int) -> bool:
    if kind != b"iTXt" or not len(_HEADER) < length <= MAX_CHUNK_BYTES:
        return False
    data = read_at(file, at + 8, length)
    return data.startswith(_HEADER) and xmp.MARK in data
