"""The API's objects in S3: existence, upload, short-lived links. The client blocks, so every call runs in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error

from graphs.facades import LOCAL_OWNER
from schemas.artifact import ARTIFACTS, UPLOADS, parse_s3
from schemas.errors import DependencyDown, UnsafeInput

T = TypeVar("T")
LINK_S = 300


def own_key(uri: str, path: str) -> tuple[str, str]:
    """Return bucket and key of one of the caller's objects.

    Raises:
        UnsafeInput: the uri names anything else.
    """
    parsed = parse_s3(uri)
    if parsed is None or parsed[0] not in {UPLOADS, ARTIFACTS} or not parsed[1].startswith(f"{LOCAL_OWNER}/"):
        raise UnsafeInput(
            "this is not one of your uploads or artifacts", path=path, got=uri[:200],
            allowed=f"s3://{UPLOADS}/{LOCAL_OWNER}/..., or an artifact id",
            hint="POST /api/uploads answers with the uri to use",
        )  # fmt: skip
    return parsed


class Objects:
    """S3 for the control plane."""

    def __init__(
        self, *, endpoint: str, access_key: str, secret_key: str, secure: bool, public_endpoint: str | None = None
    ) -> None:
        pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=2, read=10), retries=urllib3.Retry(1, backoff_factor=0.1), maxsize=16
        )
        keys: dict[str, Any] = {"access_key": access_key, "secret_key": secret_key, "secure": secure}
        self._client = Minio(endpoint, http_client=pool, region="us-east-1", **keys)
        self._links = Minio(public_endpoint or endpoint, region="us-east-1", **keys)

    async def size_of(self, bucket: str, key: str) -> int | None:
        """Return the object's size in bytes, or None when there is none."""
        try:
            return (await self._call(lambda: self._client.stat_object(bucket, key))).size
        except KeyError:
            return None

    async def put(
        self, bucket: str, key: str, path: Path, *, content_type: str, facts: Mapping[str, str] | None = None
    ) -> None:
        """Store a file, with short facts that `facts` returns again."""
        metadata: dict[str, str | list[str] | tuple[str]] = {**(facts or {})}
        await self._call(
            lambda: self._client.fput_object(bucket, key, str(path), content_type=content_type, metadata=metadata)
        )

    async def facts(self, bucket: str, key: str) -> dict[str, str]:
        """Return what was stored with an object beside its bytes, by names in lower case; empty when there is none."""
        try:
            found = (await self._call(lambda: self._client.stat_object(bucket, key))).metadata or {}
        except KeyError:
            return {}
        return {name.lower().removeprefix("x-amz-meta-"): text for name, text in found.items()}

    async def link(self, bucket: str, key: str, *, name: str, content_type: str, inline: bool) -> str:
        """Return a GET link that lives five minutes, with fixed response headers."""
        disposition = "inline" if inline else "attachment"
        headers: dict[str, str | list[str] | tuple[str]] = {
            "response-content-disposition": f'{disposition}; filename="{name}"',
            "response-content-type": content_type,
        }
        return await self._call(
            lambda: self._links.presigned_get_object(
                bucket, key, expires=timedelta(seconds=LINK_S), response_headers=headers
            )
        )

    async def keys(self, bucket: str, *, older_than: timedelta) -> list[str]:
        """Return the keys of objects last written at least so long ago."""

        def listed() -> list[str]:
            before = datetime.now(UTC) - older_than
            found = self._client.list_objects(bucket, recursive=True)
            return [str(each.object_name) for each in found if each.last_modified and each.last_modified <= before]

        return await self._call(listed)

    async def delete(self, bucket: str, keys: list[str]) -> None:
        """Delete objects; one that is gone already is no error."""

        def deleted() -> None:
            for _ in self._client.remove_objects(bucket, [DeleteObject(key) for key in keys]):
                raise OSError("an object was not deleted")

        if keys:
            await self._call(deleted)

    async def ready(self) -> bool:
        """Return whether S3 answers."""
        try:
            return await self._call(lambda: self._client.bucket_exists("artifacts"))
        except DependencyDown:
            return False

    async def _call(self, function: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(function)
        except S3Error as error:
            if error.code in {"NoSuchKey", "NoSuchBucket", "NoSuchObject", "ResourceNotFound"}:
                raise KeyError(error.code) from error
            raise DependencyDown("the object store refused", retry_after_s=2) from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise DependencyDown("the object store cannot be reached", retry_after_s=2) from error
