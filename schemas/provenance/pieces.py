"""How a file is written anew around what it holds: new bytes, and spans of the old file that stay as they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

_CHUNK_BYTES = 1 << 20


class Span(NamedTuple):
    """Bytes `start` to `end` of the old file, unchanged."""

    start: int
    end: int


Piece = bytes | Span


class NotCarried(Exception):
    """Raised when a file cannot carry a record: it is malformed, or of a kind that leaves no room for one."""


def joined(file: BinaryIO, pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Yield the new content piece by piece; a span is read in blocks of at most 1 MiB."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        file.seek(piece.start)
        left = piece.end - piece.start
        while left:
            block = file.read(min(left, _CHUNK_BYTES))
            if not block:
                raise NotCarried("the file is cut off")
            left -= len(block)
            yield block


def read_at(file: BinaryIO, start: int, length: int) -> bytes:
    """Return exactly `length` bytes.

    Raises:
        NotCarried: the file ends before.
    """
    file.seek(start)
    found = file.read(length)
    if len(found) != length:
        raise NotCarried("the file is cut off")
    return found


def json_object(data: bytes) -> dict[str, Any]:
    """Return the object that `data` spells.

    Raises:
        NotCarried: it is none.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotCarried("its header is not JSON") from error
    if not isinstance(found, dict):
        raise NotCarried("its header is no object")
    return found


def json_bytes(document: dict[str, Any], *, align: int) -> bytes:
    """Return the document as UTF-8, filled with spaces to a multiple of `align` bytes.

    Raises:
        NotCarried: it holds what JSON has no word for.
    """
    try:
        body = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        raise NotCarried("its header cannot be written again") from error
    return body + b" " * (-len(body) % align)


def size_of(file: BinaryIO) -> int:
    """Return the size of the file in bytes."""
    return file.seek(0, 2)
