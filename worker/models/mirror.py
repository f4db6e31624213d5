"""The bucket `models`, brought into the first model folder: what is there stays, what arrives is checked first.

It runs in a thread of the supervisor, which has the credentials; children only read the folder. Objects are named as
in the folder: `ID.safetensors` or `ID/...`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import orjson
import structlog

from worker.context import TaskError
from worker.models.catalogue import catalogue, folders
from worker.models.digest import known_digest, remember
from worker.models.header import MAX_FILE_BYTES, open_regular, read_header, refuse_pickle
from worker.models.weights import MAX_FILES, refuse_name

log = structlog.get_logger()
INCOMING = ".incoming"
_LOCK = ".mirror.lock"
_FETCHED = ".mirror.json"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,149}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,149}){0,3}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_SPARE_BYTES = 2**30  # left free on the disk


@dataclass(frozen=True)
class ModelObject:
    """One object of the bucket."""

    name: str
    size_bytes: int
    etag: str


class ModelObjects(Protocol):
    """The bucket as the mirror needs it. Every call may raise ConnectionError when it cannot be read."""

    def listed(self) -> Iterator[ModelObject]:
        """Yield every object."""
        ...

    def sha256_of(self, name: str) -> str | None:
        """Return what the one who stored an object said of its digest."""
        ...

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of an object."""
        ...


@dataclass
class Mirrored:
    """What one round did: names, and name -> why it was left out."""

    fetched: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def keep_mirrored(objects: ModelObjects, *, every_s: float) -> threading.Thread:
    """Mirror the bucket every `every_s` seconds from a thread that ends with the process; return the thread.

    After each round it reads the digest of every model that has none yet, so that no run waits for that.
    """

    def work() -> None:
        told: dict[str, str] = {}
        while True:
            try:
                done = mirror(objects, folders()[0])
                for name, why in done.refused.items():
                    if told.get(name) != why:
                        log.warning("model.not_fetched", object=name, reason=why)
                told = done.refused
                read_digests()
            except OSError as error:
                log.debug("mirror.failed", error=str(error))
            time.sleep(every_s)

    thread = threading.Thread(target=work, daemon=True, name="models")
    thread.start()
    return thread


def read_digests() -> None:
    """Compute the digest of every usable model that has none yet."""
    for model in catalogue():
        try:
            _ = model.sha256
        except TaskError as error:
            log.warning("model.digest_failed", model=model.id, error=str(error))


def mirror(objects: ModelObjects, folder: Path) -> Mirrored:
    """Fetch every model of the bucket that the folder lacks or that changed there since it was fetched.

    A model appears once all its files have arrived; a file of the user is never overwritten. A second process that
    mirrors into the same folder does nothing.

    Raises:
        OSError: the bucket cannot be read or the folder cannot be written; what has arrived is kept for the next round.
    """
    done = Mirrored()
    models: dict[str, list[ModelObject]] = {}
    for one in objects.listed():
        if (why := _refusal(one)) is not None:
            done.refused[one.name] = why
        else:
            models.setdefault(one.name.partition("/")[0], []).append(one)
    if not models:
        return done
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder) as alone:
        for model in sorted(models) if alone else ():
            try:
                done.fetched += _fetch_model(objects, folder, models[model])
            except (TaskError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                done.refused[model] = str(error)
    return done


def _refusal(one: ModelObject) -> str | None:
    if not _NAME.fullmatch(one.name):
        return "not a plain name"
    if one.size_bytes > MAX_FILE_BYTES:
        return "absurdly big"
    try:
        refuse_name(Path(one.name), Path())
    except TaskError as error:
        return str(error)
    return None


def _fetch_model(objects: ModelObjects, folder: Path, wanted: list[ModelObject]) -> list[str]:
    """Bring what is lacking into the incoming folder, then all of it to its place."""
    if len(wanted) > MAX_FILES:
        raise TaskError("weights_unsafe", f"it has {len(wanted)} files", allowed=MAX_FILES)
    for place in {folder / parent for one in wanted for parent in Path(one.name).parents}:
        if place != folder and place.is_symlink():
            raise TaskError("weights_unsafe", f"{place.name} is a link in the model folder", hint="remove the link")
    here, waiting = _fetched(folder), _fetched(folder / INCOMING)
    lacking = [one for one in wanted if not _have(folder / one.name, one, here)]
    for one in lacking:
        if waiting.get(one.name) != one.etag or not (folder / INCOMING / one.name).is_file():
            _download(objects, one, folder / INCOMING / one.name)
            waiting[one.name] = one.etag
            _write(folder / INCOMING, waiting)
    for one in lacking:
        incoming, place = folder / INCOMING / one.name, folder / one.name
        place.parent.mkdir(parents=True, exist_ok=True)
        digest = known_digest(incoming)
        os.replace(incoming, place)
        if digest is not None:
            remember(place, digest)
        here[one.name] = one.etag
    if lacking:
        _write(folder, here)
        names = {one.name for one in lacking}
        _write(folder / INCOMING, {name: etag for name, etag in waiting.items() if name not in names})
        shutil.rmtree(folder / INCOMING / lacking[0].name.partition("/")[0], ignore_errors=True)
    return [one.name for one in lacking]


def _have(place: Path, one: ModelObject, fetched: dict[str, str]) -> bool:
    """Whether a file is there as the bucket has it, or is the user's own."""
    if not os.path.lexists(place):
        return False
    return one.name not in fetched or (fetched[one.name] == one.etag and place.lstat().st_size == one.size_bytes)


def _download(objects: ModelObjects, one: ModelObject, target: Path) -> None:
    """Write an object under a hidden name, check size, digests and content, then give it its own name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(target.parent).free < one.size_bytes + _SPARE_BYTES:
        raise TaskError("disk_full", f"no room for {one.name} ({one.size_bytes} bytes)")
    part = target.with_name(f".part-{target.name}")
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    try:
        with open(part, "wb") as file:
            for chunk in objects.chunks(one.name):
                size += len(chunk)
                if size > one.size_bytes:
                    break
                sha256.update(chunk)
                md5.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if size != one.size_bytes:
            raise TaskError("weights_corrupt", f"{one.name} has not the {one.size_bytes} bytes of its listing")
        if (told := objects.sha256_of(one.name)) is not None and told != sha256.hexdigest():
            raise TaskError("weights_corrupt", f"{one.name} is not what its sha256 says")
        if _MD5.fullmatch(one.etag) and one.etag != md5.hexdigest():
            raise TaskError("weights_corrupt", f"{one.name} was damaged on its way")
        _check(part, suffix=target.suffix)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    remember(target, sha256.hexdigest())
    log.info("model.fetched", object=one.name, size_bytes=size)


def _check(path: Path, *, suffix: str) -> None:
    if suffix == ".safetensors":
        read_header(path)
    else:
        with open_regular(path) as file:
            refuse_pickle(path, file.read(8))


def _fetched(folder: Path) -> dict[str, str]:
    """Return object name -> ETag of what was fetched into a folder."""
    try:
        document = orjson.loads((folder / _FETCHED).read_bytes())
        return {str(name): str(etag) for name, etag in document.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _write(folder: Path, fetched: dict[str, str]) -> None:
    part = folder / f"{_FETCHED}.part"
    part.write_bytes(orjson.dumps(fetched))
    os.replace(part, folder / _FETCHED)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Say whether no other process of this machine mirrors into the folder; hold that off until the end."""
    with open(folder / _LOCK, "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
