"""WAV: a list of facts (`LIST INFO`) after the samples, which every player skips. Source: RIFF 1.0, INFO list."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from schemas.provenance.pieces import NotCarried, Piece, Span, read_at, size_of

_TOOL = b"ISFT\x0a\0\0\0Reelgraph\0"
_COMMENT = b"ICMT"
_MAX_LIST_BYTES = 1 << 20


def is_it(head: bytes) -> bool:
    """Say whether a file that begins so is a WAV."""
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def stamped(file: BinaryIO, text: str) -> list[Piece]:
    """Return the file with the record; an older one goes.

    Raises:
        NotCarried: it is no whole WAV, or is too big to grow.
    """
    spans = [Span(at, at + 8 + length + length % 2) for kind, at, length in _chunks(file)
             if not _is_ours(file, kind, at, length)]  # fmt: skip
    comment = text.encode("ascii") + b"\0"
    facts = b"INFO" + _TOOL + _COMMENT + struct.pack("<I", len(comment)) + comment + b"\0" * (len(comment) % 2)
    added = b"LIST" + struct.pack("<I", len(facts)) + facts
    size = 4 + sum(span.end - span.start for span in spans) + len(added)
    if size > 0xFFFFFFF0:
        raise NotCarried("the WAV is too big to grow")
    return [b"RIFF" + struct.pack("<I", size) + b"WAVE", *spans, added]


def found(file: BinaryIO) -> bytes | None:
    """Return the text of the record in the file, or None."""
    for kind, at, length in _chunks(file):
        if _is_ours(file, kind, at, length):
            facts = read_at(file, at + 8, length)
            start = facts.index(_COMMENT) + 8
            return facts[start:].partition(b"\0")[0]
    return None


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield (id, offset, bytes of data) of every chunk; they must fill the file exactly."""
    at, end = 12, size_of(file)
    while at < end:
        kind, length = struct.unpack("<4sI", read_at(file, at, 8))
        if at + 8 + length + length % 2 > end:
            raise NotCarried("the WAV is cut off, or was written to a pipe")
        yield kind, at, length
        at += 8 + length + length % 2


def _is_ours(file: BinaryIO, kind: bytes, at: int, length: int) -> bool:
    if kind != b"LIST" or not len(_TOOL) + 12 <= length <= _MAX_LIST_BYTES:
        return False
    return read_at(file, at + 8, 4 + len(_TOOL) + 4) == b"INFO" + _TOOL + _COMMENT
