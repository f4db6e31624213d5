"""Objects in S3: inputs down, outputs up. The only file here that knows minio; blocking, called in threads."""

from __future__ import annotations

import contextlib
import hashlib
import mimetypes
import os
import re
import stat
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from schemas.artifact import ARTIFACTS, UPLOADS, ArtifactRef, parse_s3
from schemas.outcome import TaskFailure
from schemas.states import FailureKind

MAX_INPUTS = 256
MAX_INPUT_BYTES = 4 * 2**30
MAX_OUTPUTS = 2048
MAX_OUTPUT_BYTES = 8 * 2**30
_CHUNK_BYTES = 1 << 20
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MISSING = {"NoSuchKey", "NoSuchBucket", "NoSuchObject"}
_REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


class ObjectsFailed(Exception):
    """Raised when files cannot be fetched or stored; carries the failure to record."""

    def __init__(self, kind: FailureKind, code: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.failure = TaskFailure(kind=kind, code=code, message=message[:2000], **facts)


class ObjectStore:
    """One S3 server."""

    def __init__(self, endpoint: str, *, access_key: str, secret_key: str, secure: bool) -> None:
        http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=3.0, read=60.0),
            retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
            maxsize=8,
        )
        self._client = Minio(
            endpoint=endpoint, access_key=access_key, secret_key=secret_key, secure=secure, http_client=http
        )

    @property
    def client(self) -> Minio:
        """The client itself, for other buckets."""
        return self._client

    def fetch(self, inputs: dict[str, Any], *, owner_id: str, folder: Path) -> dict[str, Any]:
        """Download every media ref inside `inputs` and return the inputs with a local `path` and `sha256` in each.

        Raises:
            ObjectsFailed: a foreign, missing, changed or oversized object; or S3 is down.
        """
        refs = list(media_refs(inputs))
        if len(refs) > MAX_INPUTS:
            raise ObjectsFailed(FailureKind.INPUT, "too_many_inputs", "too many input files", allowed=MAX_INPUTS)
        files: dict[str, dict[str, str]] = {}
        left = MAX_INPUT_BYTES
        for ref in refs:
            uri = ref["uri"]
            if uri not in files:
                target = folder / f"{len(files):03d}-{_safe_name(ref.get('name') or uri)}"
                sha256 = self._download(uri, ref.get("sha256") or "", owner_id=owner_id, target=target, limit=left)
                left -= target.stat().st_size
                files[uri] = {"path": str(target), "sha256": sha256}
        return _with_files(inputs, files)

    def store(self, artifacts: Sequence[ArtifactRef], *, prefix: str, outbox: Path) -> list[ArtifactRef]:
        """Upload a task's saved files under `prefix` and return their refs with id, uri, size and digest.

        Raises:
            ObjectsFailed: not a regular file of the outbox, too big; or S3 is down.
        """
        if len(artifacts) > MAX_OUTPUTS:
            raise ObjectsFailed(FailureKind.BUG, "too_many_outputs", "too many output files", allowed=MAX_OUTPUTS)
        stored: list[ArtifactRef] = []
        names: set[str] = set()
        left = MAX_OUTPUT_BYTES
        for ref in artifacts:
            name = _safe_name(ref.name)
            if name in names:
                raise ObjectsFailed(FailureKind.BUG, "duplicate_name", f"two outputs are named {name!r}")
            names.add(name)
            key = f"{prefix}/{name}"
            digest, size = self.store_one(key, Path(ref.path or ""), folder=outbox, limit=left)
            left -= size
            stored.append(
                ref.model_copy(
                    update={"id": str(uuid.uuid4()), "uri": f"s3://{ARTIFACTS}/{key}", "name": name,
                            "size_bytes": size, "sha256": digest, "path": None}
                )
            )  # fmt: skip
        return stored

    def store_one(self, key: str, path: Path, *, folder: Path, limit: int = MAX_OUTPUT_BYTES) -> tuple[str, int]:
        """Upload one file of `folder` and return its digest (SHA-256, hexadecimal) and size in bytes.

        Raises:
            ObjectsFailed: not a regular file of the folder, over the limit; or S3 is down.
        """
        with _open_inside(path, folder) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise ObjectsFailed(
                    FailureKind.CAPACITY, "output_too_big", "the outputs are too big", allowed=MAX_OUTPUT_BYTES
                )
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            self._upload(key, file, size)
        return digest, size

    def fetch_one(self, key: str, *, sha256: str, owner_id: str, target: Path) -> None:
        """Download one object of the bucket `artifacts`.

        Raises:
            ObjectsFailed: a foreign, missing or changed object; or S3 is down.
        """
        self._download(f"s3://{ARTIFACTS}/{key}", sha256, owner_id=owner_id, target=target, limit=MAX_OUTPUT_BYTES)

    def delete_one(self, key: str) -> None:
        """Delete one object; what cannot be deleted now is left to the reaper."""
        with contextlib.suppress(MinioException, urllib3.exceptions.HTTPError, OSError):
            self._client.remove_object(bucket_name=ARTIFACTS, object_name=key)

    def delete(self, prefix: str) -> None:
        """Delete what a fenced attempt stored; what cannot be deleted now is left to the reaper."""
        try:
            for item in self._client.list_objects(bucket_name=ARTIFACTS, prefix=f"{prefix}/", recursive=True):
                self._client.remove_object(bucket_name=ARTIFACTS, object_name=item.object_name or "")
        except (MinioException, urllib3.exceptions.HTTPError, OSError):
            return

    def _download(self, uri: str, sha256: str, *, owner_id: str, target: Path, limit: int) -> str:
        place = parse_s3(uri)
        if place is None or place[0] not in {ARTIFACTS, UPLOADS} or not place[1].startswith(f"{owner_id}/"):
            raise ObjectsFailed(
                FailureKind.INPUT, "unsafe_input", "an input is not an object of the job's owner", got=uri[:200]
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        size = 0
        try:
            response = self._client.get_object(bucket_name=place[0], object_name=place[1])
            try:
                with open(target, "wb") as file:
                    for chunk in response.stream(_CHUNK_BYTES):
                        size += len(chunk)
                        if size > limit:
                            raise ObjectsFailed(
                                FailureKind.INPUT, "input_too_big", "the inputs are too big", allowed=MAX_INPUT_BYTES
                            )
                        digest.update(chunk)
                        file.write(chunk)
            finally:
                response.close()
                response.release_conn()
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise _translated(error, f"cannot read {uri}") from error
        found = digest.hexdigest()
        if sha256 and found != sha256.removeprefix("sha256:"):
            raise ObjectsFailed(
                FailureKind.INPUT, "input_changed", f"{uri} is not what was registered: its digest differs", got=uri
            )
        return found

    def _upload(self, key: str, file: Any, size: int) -> None:
        try:
            self._client.put_object(
                bucket_name=ARTIFACTS,
                object_name=key,
                data=file,
                length=size,
                content_type=mimetypes.guess_type(key)[0] or "application/octet-stream",
            )
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise _translated(error, f"cannot store {key}") from error


def media_refs(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every dict inside `value` whose `uri` is an S3 one."""
    if isinstance(value, dict):
        if isinstance(value.get("uri"), str) and value["uri"].startswith("s3://"):
            yield value
        for item in value.values():
            yield from media_refs(item)
    elif isinstance(value, list):
        for item in value:
            yield from media_refs(item)


def with_stored(value: Any, stored: dict[str, ArtifactRef]) -> Any:
    """Return outputs in which every saved file's dict (by its local `path`) holds its stored ref; other keys stay."""
    if isinstance(value, dict):
        ref = stored.get(value["path"]) if isinstance(value.get("path"), str) else None
        if ref is not None:
            added = {
                key: with_stored(item, stored) for key, item in value.items() if key not in ArtifactRef.model_fields
            }
            return {**added, **ref.model_dump(mode="json", exclude={"path"})}
        return {key: with_stored(item, stored) for key, item in value.items()}
    if isinstance(value, list):
        return [with_stored(item, stored) for item in value]
    return value


def _with_files(value: Any, files: dict[str, dict[str, str]]) -> Any:
    if isinstance(value, dict):
        found = {key: _with_files(item, files) for key, item in value.items()}
        uri = value.get("uri")
        return {**found, **files[uri]} if isinstance(uri, str) and uri in files else found
    if isinstance(value, list):
        return [_with_files(item, files) for item in value]
    return value


def _safe_name(name: str) -> str:
    plain = _UNSAFE.sub("_", name.rpartition("/")[2]).lstrip(".")
    return plain[-120:] or "file"


def _open_inside(path: Path, outbox: Path) -> Any:
    """Open a regular file that lies in the outbox; a link, device or outsider is refused."""
    try:
        if path.parent.resolve() != outbox.resolve():
            raise ObjectsFailed(FailureKind.BUG, "foreign_output", f"{path.name} was not saved through ctx.save")
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise ObjectsFailed(FailureKind.BUG, "lost_output", f"{path.name} cannot be opened: {error}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ObjectsFailed(FailureKind.BUG, "foreign_output", f"{path.name} is not a regular file")
    return os.fdopen(descriptor, "rb")


def _translated(error: Exception, what: str) -> ObjectsFailed:
    code = error.code if isinstance(error, S3Error) else None
    if code in _MISSING:
        return ObjectsFailed(FailureKind.INPUT, "missing_object", f"{what}: it does not exist")
    if code in _REFUSED:
        return ObjectsFailed(FailureKind.BUG, "storage_refused", f"{what}: {code}", hint="check the S3 settings")
    return ObjectsFailed(FailureKind.DEPENDENCY, "storage_down", f"{what}: {code or type(error).__name__}")
