"""The header of a safetensors file, read without its tensors and believed only after every figure was checked.

It knows no torch and loads no weights; a hostile file costs at most one bounded read.
"""

from __future__ import annotations

import io
import math
import os
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from worker.context import TaskError

MAX_HEADER_BYTES = 16 * 2**20  # SDXL's is 0.3 MB; the format itself allows 100 MB
MAX_TENSORS = 100_000
MAX_FILE_BYTES = 64 * 2**30
NO_PICKLE = "take the .safetensors of this model, or see `python -m worker.convert_weights --help`"
_MAX_AXES = 16
_LENGTH = struct.Struct("<Q")
# Bytes an element. Source: the format's specification, safetensors 0.8.
_DTYPE_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "C64": 8,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip


@dataclass(frozen=True)
class TensorFacts:
    """One tensor as the header promises it."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """All tensors of a file by name, and its free text metadata."""

    tensors: Mapping[str, TensorFacts]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """Return the checked header: every tensor lies inside the file, and together they fill it without a gap.

    Raises:
        TaskError: `weights_missing`, `weights_unsafe` (a link, a device, absurdly big), `weights_pickled` (a pickle
            or zip under whatever name), `weights_corrupt`.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_FILE_BYTES:
            raise TaskError("weights_unsafe", f"{path.name} is absurdly big", got=size, allowed=MAX_FILE_BYTES)
        start = file.read(_LENGTH.size)
        length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else MAX_HEADER_BYTES + 1
        if length > min(MAX_HEADER_BYTES, size - _LENGTH.size):
            refuse_pickle(path, start)
            raise _corrupt(path, "its header is cut off or longer than allowed")
        text = file.read(length)
    if not text.startswith(b"{"):
        refuse_pickle(path, start)
        raise _corrupt(path, "its header is not JSON")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _corrupt(path, f"its header is not JSON: {error}") from error
    metadata = document.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _corrupt(path, "its metadata is not text")
    if len(document) > MAX_TENSORS:
        raise _corrupt(path, f"it has {len(document)} tensors; at most {MAX_TENSORS} are read")
    return Header(_checked(path, document, data_bytes=size - _LENGTH.size - length), metadata)


def refuse_pickle(path: Path, start: bytes) -> None:
    """Raise `weights_pickled` when the first bytes are those of a pickle or of a zip, as `torch.save` writes them."""
    zipped = start.startswith((b"PK\x03\x04", b"PK\x05\x06"))
    pickled = len(start) > 1 and start[0] == 0x80 and start[1] in range(2, 6)  # opcode PROTO 2..5
    if zipped or pickled:
        raise TaskError(
            "weights_pickled",
            f"{path.name} is a {'zip' if zipped else 'pickle'}: loading it could run any code",
            got=start[:4].hex(),
            allowed="safetensors",
            hint=NO_PICKLE,
        )


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file for reading; a link, pipe or device is refused.

    Raises:
        TaskError: `weights_missing`, `weights_unsafe`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise TaskError("weights_missing", f"there is no file {path}") from error
    except OSError as error:
        hint = "put the file itself there, not a link to it"
        raise TaskError("weights_unsafe", f"{path.name} cannot be opened: {error.strerror}", hint=hint) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise TaskError("weights_unsafe", f"{path.name} is not a regular file")
    return os.fdopen(descriptor, "rb")


def _checked(path: Path, document: Mapping[str, Any], *, data_bytes: int) -> dict[str, TensorFacts]:
    tensors: dict[str, TensorFacts] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in document.items():
        try:
            dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            itemsize = _DTYPE_BYTES[dtype]
        except (KeyError, TypeError, ValueError) as error:
            raise _corrupt(path, f"the entry of tensor {name[:100]!r} is malformed") from error
        if len(shape) > _MAX_AXES or not all(type(figure) is int and figure >= 0 for figure in (*shape, begin, end)):
            raise _corrupt(path, f"tensor {name[:100]!r} has an impossible shape or place")
        if end - begin != math.prod(shape) * itemsize:
            raise _corrupt(path, f"tensor {name[:100]!r} has {end - begin} bytes, not those of its shape")
        tensors[name] = TensorFacts(dtype, shape)
        spans.append((begin, end))
    at = 0
    for begin, end in sorted(spans):
        if begin != at:
            raise _corrupt(path, "its tensors overlap or leave gaps")
        at = end
    if at != data_bytes:
        raise _corrupt(path, f"its tensors need {at} bytes, the file has {data_bytes}")
    return tensors


def _corrupt(path: Path, why: str) -> TaskError:
    hint = "fetch the file again and compare its sha256"
    return TaskError("weights_corrupt", f"{path.name} is no whole safetensors file: {why}", hint=hint)
