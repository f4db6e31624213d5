"""The bucket `models` of one S3 server, as the mirror reads it."""

from __future__ import annotations

from collections.abc import Iterator

import urllib3
from minio import Minio
from minio.error import MinioException

from worker.models.mirror import ModelObject

BUCKET = "models"
SHA256_KEY = "x-amz-meta-sha256"
_CHUNK_BYTES = 1 << 20
_TROUBLE = (MinioException, urllib3.exceptions.HTTPError)


class ModelBucket:
    """Reads objects through a client that may list and read the bucket. A bucket that is not there is an error too."""

    def __init__(self, client: Minio) -> None:
        self._client = client

    def listed(self) -> Iterator[ModelObject]:
        """Yield every object; folder markers are left out.

        Raises:
            ConnectionError: S3 cannot be reached, or refuses.
        """
        try:
            for item in self._client.list_objects(bucket_name=BUCKET, recursive=True):
                if item.object_name and not item.is_dir:
                    yield ModelObject(item.object_name, item.size or 0, (item.etag or "").strip('"'))
        except _TROUBLE as error:
            raise ConnectionError(f"cannot list s3://{BUCKET}: {error}") from error

    def sha256_of(self, name: str) -> str | None:
        """Return the digest in the object's own metadata (`sha256`), if whoever stored it gave one.

        Raises:
            ConnectionError: S3 cannot be reached, or refuses.
        """
        try:
            told = self._client.stat_object(bucket_name=BUCKET, object_name=name).metadata or {}
        except _TROUBLE as error:
            raise ConnectionError(f"cannot look at s3://{BUCKET}/{name}: {error}") from error
        found = told.get(SHA256_KEY)
        return found.lower() if found else None

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of an object.

        Raises:
            ConnectionError: S3 cannot be reached, or refuses, or stops in the middle.
        """
        try:
            response = self._client.get_object(bucket_name=BUCKET, object_name=name)
            try:
                yield from response.stream(_CHUNK_BYTES)
            finally:
                response.close()
                response.release_conn()
        except _TROUBLE as error:
            raise ConnectionError(f"cannot read s3://{BUCKET}/{name}: {error}") from error
