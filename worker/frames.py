"""How supervisor and child talk: length-prefixed JSON over one socket pair. It knows nothing of what is said."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import orjson

MAX_FRAME_BYTES = 16 * 2**20
_LENGTH = struct.Struct(">I")


class BrokenFrame(Exception):
    """Raised when the other side sent what is not a frame."""


def pack(message: dict[str, Any]) -> bytes:
    """Return the wire form: 4 bytes of length, big-endian, then JSON.

    Raises:
        BrokenFrame: the message is over 16 MiB.
    """
    body = orjson.dumps(message, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    if len(body) > MAX_FRAME_BYTES:
        raise BrokenFrame(f"a message of {len(body)} bytes is over {MAX_FRAME_BYTES}: save big values as artifacts")
    return _LENGTH.pack(len(body)) + body


async def read_frame(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Return the next message, or None at the end of the stream."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > MAX_FRAME_BYTES:
            raise BrokenFrame(f"a frame of {length} bytes")
        return _decode(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def receive_frame(connection: socket.socket) -> dict[str, Any] | None:
    """Return the next message, blocking, or None when the other side is gone."""
    head = _receive_exactly(connection, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    body = _receive_exactly(connection, length)
    return None if body is None else _decode(body)


def _receive_exactly(connection: socket.socket, count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        try:
            part = connection.recv(count - len(data))
        except ConnectionError:
            return None
        if not part:
            return None
        data += part
    return bytes(data)


def _decode(body: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BrokenFrame(str(error)) from error
    if not isinstance(message, dict):
        raise BrokenFrame(f"a {type(message).__name__} instead of an object")
    return message
