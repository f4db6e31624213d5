"""The sha256 of weights, computed once: kept beside the file by size and time of change, never taken at each look."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson

from worker.models.header import open_regular

KEPT = ".digests.json"
_MAX_KEPT_BYTES = 4 * 2**20
_known: dict[Path, tuple[int, int, str]] = {}  # for folders that cannot be written


def digest_of_file(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal; read again only after its size or time of change differ."""
    if (known := known_digest(path)) is not None:
        return known
    with open_regular(path) as file:
        stamp = _stamp(os.fstat(file.fileno()))
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    remember(path, digest, stamp=stamp)
    return digest


def known_digest(path: Path) -> str | None:
    """Return the sha256 of a file if it was computed since its last change, without reading the file."""
    try:
        stamp = _stamp(path.lstat())
    except OSError:
        return None
    for kept in (_known.get(path), _kept(path.parent).get(path.name)):
        if kept is not None and kept[:2] == stamp:
            return kept[2]
    return None


def remember(path: Path, sha256: str, *, stamp: tuple[int, int] | None = None) -> None:
    """Keep the digest of a file, beside it if that folder can be written."""
    entry = (*(stamp or _stamp(path.lstat())), sha256)
    _known[path] = entry
    with contextlib.suppress(OSError):
        handle, name = tempfile.mkstemp(prefix=".digests-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(orjson.dumps({**_kept(path.parent), path.name: entry}))
        os.chmod(name, 0o644)
        os.replace(name, path.parent / KEPT)


def digest_of_files(folder: Path, paths: Iterable[Path]) -> str:
    """Return the sha256 of the lines `NAME DIGEST` of the files, in the order of their names under `folder`."""
    return _joined((path.relative_to(folder).as_posix(), digest_of_file(path)) for path in paths)


def fingerprint(folder: Path, paths: Sequence[Path]) -> str:
    """Return what changes whenever the files do, without reading them: size and time of change of each."""
    stamps = ((path.relative_to(folder).as_posix(), _stamp(path.lstat())) for path in paths)
    return _joined((name, f"{size}-{ns}") for name, (size, ns) in stamps)


def _joined(parts: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256("".join(sorted(f"{name} {part}\n" for name, part in parts)).encode()).hexdigest()


def _stamp(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_size, facts.st_mtime_ns


def _kept(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Return name -> (bytes, ns, sha256); what cannot be read or is malformed counts as unknown."""
    try:
        with open(folder / KEPT, "rb") as file:
            document = orjson.loads(file.read(_MAX_KEPT_BYTES))
        return {name: (int(size), int(ns), str(digest)) for name, (size, ns, digest) in document.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
