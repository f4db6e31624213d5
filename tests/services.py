"""The fixtures that give a test real Postgres, Valkey and S3: one set of servers a session, fresh contents a test."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from compose.services import BUCKETS, Addresses, Services, make_buckets

_TEMPLATE = "migrated"


@dataclass(frozen=True)
class Buckets:
    """The three buckets, empty, and a client that may do everything in them."""

    client: Any
    uploads: str = "uploads"
    artifacts: str = "artifacts"
    models: str = "models"


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """The running servers; `.addresses` says how to reach them, `.children` holds the processes."""
    folder = Path(tempfile.mkdtemp(prefix="reelgraph-test-"))
    running = Services(folder)
    try:
        running.start()
        make_buckets(running.addresses)
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_template(services: Services) -> str:
    """The name of a database at the current schema, to be copied and never written."""
    from schemas.sql.migrate import migrate

    _execute(services, f"create database {_TEMPLATE}")
    migrate(services.postgres.dsn(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def empty_database(services: Services) -> Iterator[str]:
    """The URI of a new database without any table."""
    yield from _database(services, template="template0")


@pytest.fixture
def database(services: Services, migrated_template: str) -> Iterator[str]:
    """The URI of a new database at the current schema."""
    yield from _database(services, template=migrated_template)


@pytest.fixture
def redis_url(services: Services) -> str:
    """The URL of the Valkey server, flushed."""
    import redis

    url = services.valkey.url()
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture
def buckets(services: Services) -> Buckets:
    """The buckets `uploads`, `artifacts` and `models`, emptied."""
    from minio import Minio
    from minio.deleteobjects import DeleteObject

    at = services.addresses
    client = Minio(endpoint=at.s3_endpoint, access_key=at.s3_access_key, secret_key=at.s3_secret_key, secure=False)
    for bucket in BUCKETS:
        old = [DeleteObject(str(one.object_name)) for one in client.list_objects(bucket_name=bucket, recursive=True)]
        if old:
            errors = list(client.remove_objects(bucket_name=bucket, delete_object_list=old))
            assert not errors, errors
    return Buckets(client)


@pytest.fixture
def addresses(services: Services, database: str, redis_url: str, buckets: Buckets) -> Addresses:
    """Everything at once: a migrated database, a flushed Valkey and empty buckets."""
    return replace(services.addresses, dsn=database, redis_url=redis_url)


def _database(services: Services, *, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    _execute(services, f"create database {name} template {template}")
    yield services.postgres.dsn(name)
    _execute(services, f"drop database if exists {name} with (force)")


def _execute(services: Services, statement: str) -> None:
    import psycopg

    with psycopg.connect(services.postgres.dsn("postgres"), autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[arg-type]
