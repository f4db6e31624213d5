"""SVG: a `metadata` element with XMP, the first thing inside the drawing; UTF-8 only. Source: SVG 1.1 section 21."""

from __future__ import annotations

import re
from typing import BinaryIO
from xml.parsers import expat

from schemas.provenance import xmp
from schemas.provenance.pieces import NotCarried, Piece, Span, read_at, size_of

_ID = b"reelgraph-provenance"
_OPEN = b'<metadata xmlns="http://www.w3.org/2000/svg" id="' + _ID + b'">'
_CLOSE = b"</metadata>"
_OLD = re.compile(re.escape(_OPEN) + rb"[^\x00]*?" + re.escape(_CLOSE))
_MAX_BYTES = 32 << 20


def is_it(head: bytes) -> bool:
    """Say whether a file that begins so is an SVG."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith((b"<svg", b"<?xml", b"<!DOCTYPE svg", b"<!--")) and b"<svg" in head


def stamped(file: BinaryIO, text: str) -> list[Piece]:
    """Return the file with the record; an older one goes.

    Raises:
        NotCarried: it is malformed, empty, or not in UTF-8.
    """
    data = _data(file)
    at = _inside_root(data)
    old = _OLD.match(data, at)
    added = _OPEN + xmp.packet(text) + _CLOSE
    return [Span(0, at), added, Span(old.end() if old else at, len(data))]


def found(file: BinaryIO) -> bytes | None:
    """Return the text of the record in the file, or None."""
    return xmp.text_in(_data(file))


def _data(file: BinaryIO) -> bytes:
    size = size_of(file)
    if size > _MAX_BYTES:
        raise NotCarried("the SVG is too big")
    return read_at(file, 0, size)


def _inside_root(data: bytes) -> int:
    """Return the offset right after the start tag of the root."""
    parser = expat.ParserCreate()
    events: list[tuple[str, int]] = []

    def note(what: str) -> None:
        if len(events) < 2:
            events.append((what, parser.CurrentByteIndex))

    parser.StartElementHandler = lambda name, attributes: note(name)
    parser.EndElementHandler = lambda name: note("/")
    parser.XmlDeclHandler = lambda version, encoding, standalone: _refuse_other(encoding)
    parser.DefaultHandler = lambda text: note("text") if events else None
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise NotCarried(f"the SVG is malformed: {error}") from error
    (root, _), (second, at) = (*events, ("", 0))[:2]
    if root.rpartition(":")[2] != "svg" or (second == "/" and data[:at].endswith(b"/>")):
        raise NotCarried("the SVG is empty")
    return at


def _refuse_other(encoding: str | None) -> None:
    if (encoding or "utf-8").lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise NotCarried(f"the SVG is in {encoding}")
