"""GLB: `asset.extras.reelgraph` of the scene; the binary chunk stays. Source: glTF 2.0 section 4.4, `asset.extras`."""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

from schemas.provenance.pieces import NotCarried, Piece, Span, json_bytes, json_object, read_at, size_of

KEY = "reelgraph"
_JSON = 0x4E4F534A
_MAX_SCENE_BYTES = 64 << 20


def is_it(head: bytes) -> bool:
    """Say whether a file that begins so is a GLB of version 2."""
    return head.startswith(b"glTF\x02\0\0\0")


def stamped(file: BinaryIO, text: str) -> list[Piece]:
    """Return the file with the record; an older one goes.

    Raises:
        NotCarried: it is malformed.
    """
    scene, end = _scene(file)
    asset = scene.setdefault("asset", {"version": "2.0"})
    extras = asset.get("extras")
    asset["extras"] = {**(extras if isinstance(extras, dict) else {}), KEY: json.loads(text)}
    body = json_bytes(scene, align=4)
    rest = Span(end, size_of(file))
    total = 20 + len(body) + rest.end - rest.start
    return [struct.pack("<4sIIII", b"glTF", 2, total, len(body), _JSON) + body, rest]


def found(file: BinaryIO) -> bytes | None:
    """Return the text of the record in the file, or None."""
    extras = _scene(file)[0].get("asset", {}).get("extras")
    record = extras.get(KEY) if isinstance(extras, dict) else None
    return json.dumps(record).encode() if isinstance(record, dict) else None


def _scene(file: BinaryIO) -> tuple[dict[str, Any], int]:
    """Return the scene and the offset after its chunk."""
    length, kind = struct.unpack("<II", read_at(file, 12, 8))
    if kind != _JSON or length > _MAX_SCENE_BYTES:
        raise NotCarried("the GLB does not begin with its scene")
    scene = json_object(read_at(file, 20, length))
    if not isinstance(scene.get("asset", {}), dict):
        raise NotCarried("the asset of the GLB is no object")
    return scene, 20 + length
