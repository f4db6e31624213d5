"""Uploads: bytes in, one clean object out. Identified by content here, decoded only in a limited child process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import UploadFile

from control_api.normalise import RECORD
from control_api.objects import Objects
from graphs.facades import LOCAL_OWNER
from schemas.artifact import UPLOADS
from schemas.errors import TooLarge, UnsafeInput, ValidationFailed
from schemas.provenance.record import Provenance, parse

MIB = 1024 * 1024
RECEIVE_S, DECODE_S = 60.0, 20.0
PLAN_DIGEST = "plan-digest"
"""What an upload that was made here remembers of the plan that made it; its clean copy says nothing."""
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Format:
    """An accepted file format."""

    name: str
    kind: str
    suffixes: tuple[str, ...]
    max_bytes: int
    stored_suffix: str
    content_type: str


_IMAGE, _AUDIO = ("image", 25 * MIB, ".png", "image/png"), ("audio", 50 * MIB, ".wav", "audio/wav")


def _format(name: str, group: tuple[str, int, str, str], *suffixes: str) -> Format:
    kind, max_bytes, stored_suffix, content_type = group
    return Format(name, kind, suffixes, max_bytes, stored_suffix, content_type)


FORMATS = {
    "png": _format("PNG", _IMAGE, ".png"),
    "jpeg": _format("JPEG", _IMAGE, ".jpg", ".jpeg"),
    "webp": _format("WebP", _IMAGE, ".webp"),
    "wav": _format("WAV", _AUDIO, ".wav"),
    "flac": _format("FLAC", _AUDIO, ".flac"),
    "mp3": _format("MP3", _AUDIO, ".mp3"),
    "ogg": _format("OGG", _AUDIO, ".ogg", ".oga", ".opus"),
    "svg": Format("SVG", "svg", (".svg",), 2 * MIB, ".svg", "image/svg+xml"),
}
ALLOWED = ", ".join(each.name for each in FORMATS.values())
MAX_BYTES = max(each.max_bytes for each in FORMATS.values())


def identify(head: bytes) -> str | None:
    """Return the key of `FORMATS` that the first bytes (64 or more) say, or None. Pure."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"OggS"):
        return "ogg"
    if head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 in {0xE2, 0xE4, 0xE6}):
        return "mp3"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith((b"<svg", b"<?xml", b"<!DOCTYPE svg", b"<!--")) and b"<svg" in head:
        return "svg"
    return None


async def receive(upload: UploadFile, folder: Path) -> tuple[Path, Format]:
    """Stream the body into `folder`, counting bytes, and return the file and the format it really is.

    Raises:
        TooLarge: over the format's limit.
        UnsafeInput: empty, of no accepted format, or named as another one.
        ValidationFailed: it took longer than 60 s.
    """
    name = upload.filename or "upload"
    target, head, taken = folder / "quarantine", b"", 0
    found: Format | None = None
    try:
        async with asyncio.timeout(RECEIVE_S):
            with target.open("wb") as file:
                while chunk := await upload.read(CHUNK_BYTES):
                    if not head:
                        head = chunk[:4096]
                        found = _checked(name, head)
                    taken += len(chunk)
                    if found is not None and taken > found.max_bytes:
                        raise TooLarge(f"the {found.name} file is too large", got=taken, allowed=found.max_bytes)
                    await asyncio.to_thread(file.write, chunk)
    except TimeoutError:
        raise ValidationFailed("the upload took too long", allowed=f"{RECEIVE_S:g} s") from None
    if found is None:
        raise UnsafeInput("the file is empty", path="/file", got=0, allowed=ALLOWED)
    return target, found


async def store(upload: UploadFile, objects: Objects, folder: Path) -> dict[str, Any]:
    """Check, normalise and store one upload; nothing is left behind when it is refused.

    Returns:
        `{"uri": "s3://uploads/OWNER/...", "kind", "size_bytes", "media"}`; `planDigest` too, when it was made here.
    """
    source, found = await receive(upload, folder)
    clean = folder / f"clean{found.stored_suffix}"
    media, record = await _normalised(source, clean, found)
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(upload.filename or "upload").stem).strip("-")[:60] or "upload"
    digest = await asyncio.to_thread(_sha256_of, clean)  # the same file has the same uri: equal inputs are seen as such
    key = f"{LOCAL_OWNER}/{digest}/{stem}{found.stored_suffix}"
    made_by = {PLAN_DIGEST: record.plan_digest} if record and record.names_plan else {}
    await objects.put(UPLOADS, key, clean, content_type=found.content_type, facts=made_by)
    stored = {"uri": f"s3://{UPLOADS}/{key}", "kind": found.kind, "size_bytes": clean.stat().st_size, "media": media}
    return stored | ({"planDigest": made_by[PLAN_DIGEST]} if made_by else {})


async def read_record(upload: UploadFile, folder: Path) -> tuple[Provenance | None, str]:
    """Return what a file of any format says about where it came from, and its digest; nothing is stored."""
    source = folder / "quarantine"
    with source.open("wb") as file:
        while chunk := await upload.read(CHUNK_BYTES):
            await asyncio.to_thread(file.write, chunk)
    answer = await _in_child(RECORD, "-", str(source), "-")
    return _record(answer), await asyncio.to_thread(_sha256_of, source)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked(name: str, head: bytes) -> Format:
    key = identify(head)
    if key is None:
        raise UnsafeInput(
            f"{name!r} is none of the accepted formats by its content", path="/file", allowed=ALLOWED,
            hint="convert it, for example to PNG or WAV",
        )  # fmt: skip
    found = FORMATS[key]
    suffix = Path(name).suffix.lower()
    if suffix and suffix not in found.suffixes:
        raise UnsafeInput(
            f"{name!r} is a {found.name} file by its content", path="/file", got=suffix, allowed=list(found.suffixes),
            hint="give it the right extension",
        )  # fmt: skip
    return found


async def _normalised(source: Path, clean: Path, found: Format) -> tuple[dict[str, Any], Provenance | None]:
    """Return the media facts of the clean copy, and what the file said about itself."""
    answer = await _in_child(found.kind, found.name, str(source), str(clean))
    if "media" not in answer:
        message = answer.get("refused") or f"the {found.name} file cannot be decoded: it is damaged or hostile"
        raise UnsafeInput(message, path="/file", got=answer.get("got"), allowed=answer.get("allowed"))
    return answer["media"], _record(answer)


def _record(answer: dict[str, Any]) -> Provenance | None:
    return parse(answer["record"]) if answer.get("record") else None


async def _in_child(*words: str) -> dict[str, Any]:
    """Decode in a child with limits on memory, time and file size, and no credentials; {} when it failed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "control_api.normalise", *words,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(DECODE_S):
            out, _ = await process.communicate()
    except TimeoutError:
        raise UnsafeInput("the file takes too long to decode", path="/file", allowed=f"{DECODE_S:g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return json.loads(out) if process.returncode == 0 and out else {}
