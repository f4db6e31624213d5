"""safetensors: an entry of the header's `__metadata__`; the tensors stay. Source: the format's specification."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

from schemas.provenance.pieces import NotCarried, Piece, Span, json_bytes, json_object, read_at, size_of

KEY = "reelgraph"
_METADATA = "__metadata__"
_MAX_HEADER_BYTES = 100_000_000  # the format's own limit


def is_it(head: bytes) -> bool:
    """Say whether a file that begins so may be a safetensors file: a length that is possible, then JSON."""
    return len(head) > 9 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= _MAX_HEADER_BYTES


def stamped(file: BinaryIO, text: str) -> list[Piece]:
    """Return the file with the record; an older one goes. The offsets of tensors count from the header's end.

    Raises:
        NotCarried: it is malformed.
    """
    header, end = _header(file)
    metadata = header.pop(_METADATA, {})
    body = json_bytes({_METADATA: {**metadata, KEY: text}, **header}, align=8)
    return [struct.pack("<Q", len(body)) + body, Span(end, size_of(file))]


def found(file: BinaryIO) -> bytes | None:
    """Return the text of the record in the file, or None."""
    text = _header(file)[0].get(_METADATA, {}).get(KEY)
    return text.encode() if isinstance(text, str) else None


def _header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    """Return the header and the offset after it."""
    length = struct.unpack("<Q", read_at(file, 0, 8))[0]
    if length > _MAX_HEADER_BYTES:
        raise NotCarried("the header is too long")
    header = json_object(read_at(file, 8, length))
    if not isinstance(header.get(_METADATA, {}), dict):
        raise NotCarried("the metadata is no object")
    return header, 8 + length
