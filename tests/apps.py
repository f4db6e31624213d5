"""Fixtures with the real API process, and a worker inside the test process that claims and commits through the SQL.

One database, one API and one worker a module, since a start costs seconds; tests look only at what they made.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from compose import ports
from compose.services import Addresses, Services
from tests.fake_worker import FakeWorker
from tests.services import Buckets

ROOT = Path(__file__).parent.parent
TABLES = ("job", "node_run", "event", "outbox", "artifact", "approval", "profile")
STOPPED = {0, -signal.SIGTERM}
"""Exit codes after SIGTERM: uvicorn raises the signal again once everything is closed."""


class Api:
    """One `python -m control_api` on a free port."""

    def __init__(self, addresses: Addresses, **settings: str) -> None:
        self.addresses = addresses
        self.port = ports.choose(["api"], remembered={})["api"]
        self.folder = Path(tempfile.mkdtemp(prefix="reelgraph-api-"))
        self.scratch = self.folder / "tmp"
        self.scratch.mkdir()
        self.killed = False
        own = {"PORT": str(self.port), "TIME_SCALE": "0.1", "NODE_PACKAGES": "tests.nodes_for_tests", **settings}
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("REELGRAPH_")},
            **addresses.environment("REELGRAPH_API_"),
            **{f"REELGRAPH_API_{name}": value for name, value in own.items()},
            "TMPDIR": str(self.scratch),
            "OMP_NUM_THREADS": "1",
        }
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "control_api"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )

    @property
    def log_path(self) -> Path:
        return self.folder / "api.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def wait_healthy(self, *, within_s: float = 40.0) -> None:
        ends_at = time.monotonic() + within_s
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2):
                    return
            except (URLError, OSError):
                assert self.process.poll() is None, f"the API ended: {self.log_path.read_text()[-4000:]}"
                assert time.monotonic() < ends_at, f"the API did not answer: {self.log_path.read_text()[-4000:]}"
            time.sleep(0.05)

    def children(self) -> list[str]:
        """The command lines of its living child processes."""
        listed = subprocess.run(
            ["ps", "-o", "stat=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True
        )
        return [line for line in listed.stdout.splitlines() if not line.lstrip().startswith("Z")]

    def left_in_scratch(self) -> list[str]:
        """The files in its temporary folder."""
        return [str(path.relative_to(self.scratch)) for path in self.scratch.rglob("*")]

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def kill(self) -> None:
        """End it as a power failure does; `running_api` then expects no clean exit."""
        self.killed = True
        self.process.kill()
        self.process.wait()


class Rows:
    """The tables and buckets seen from outside."""

    def __init__(self, dsn: str, buckets: Buckets) -> None:
        self.db = psycopg.connect(dsn, autocommit=True, row_factory=dict_row)
        self._buckets = buckets

    def counts(self) -> Counter[str]:
        """How many rows and objects there are, by table and bucket."""
        found = Counter(
            {table: self.db.execute(f"select count(*) as n from {table}").fetchone()["n"] for table in TABLES}  # type: ignore[index]
        )
        for bucket in ("uploads", "artifacts", "models"):
            found[bucket] = len(self.objects(bucket))
        return found

    def objects(self, bucket: str) -> list[str]:
        listed = self._buckets.client.list_objects(bucket_name=bucket, recursive=True)
        return [str(one.object_name) for one in listed]

    def body(self, uri: str) -> bytes:
        """The bytes behind an `s3://` uri."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        answer = self._buckets.client.get_object(bucket_name=bucket, object_name=key)
        try:
            return answer.read()
        finally:
            answer.close()
            answer.release_conn()

    def close(self) -> None:
        self.db.close()


@contextmanager
def running_api(addresses: Addresses, **settings: str) -> Iterator[Api]:
    """Start an API, wait for `/health`, and stop it at the end; `settings` without their prefix."""
    api = Api(addresses, **settings)
    try:
        api.wait_healthy()
        yield api
        code = api.stop()
        text = api.log_path.read_text()
        assert api.killed or code in STOPPED, f"exit code {code}: {text[-4000:]}"
        assert "Traceback" not in text, text[-6000:]
    finally:
        api.kill()
        shutil.rmtree(api.folder, ignore_errors=True)


@dataclass(frozen=True)
class Platform:
    """What a module's tests share."""

    api: Api
    worker: FakeWorker
    rows: Rows


@pytest.fixture(scope="module")
def platform(services: Services, migrated_template: str) -> Iterator[Platform]:
    """A fresh database, empty buckets, a flushed Valkey, the API and the fake worker: one set a module."""
    import redis
    from minio import Minio

    at = services.addresses
    name = f"api_{uuid.uuid4().hex}"
    addresses = replace(at, dsn=services.postgres.dsn(name))
    with psycopg.connect(services.postgres.dsn("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} template {migrated_template}")  # type: ignore[arg-type]
    with redis.Redis.from_url(at.redis_url) as client:
        client.flushall()
    buckets = Buckets(Minio(at.s3_endpoint, access_key=at.s3_access_key, secret_key=at.s3_secret_key, secure=False))
    rows = Rows(addresses.dsn, buckets)
    try:
        with FakeWorker(addresses) as worker, running_api(addresses) as api:
            yield Platform(api, worker, rows)
    finally:
        rows.close()
        with psycopg.connect(services.postgres.dsn("postgres"), autocommit=True) as admin:
            admin.execute(f"drop database if exists {name} with (force)")  # type: ignore[arg-type]


@pytest.fixture
def fake_worker(platform: Platform) -> FakeWorker:
    """The worker of this module."""
    return platform.worker


@pytest.fixture
def rows(platform: Platform) -> Rows:
    """The tables and buckets of this module."""
    return platform.rows


@pytest.fixture
def api(platform: Platform) -> Api:
    """The API process of this module."""
    return platform.api


@pytest.fixture
async def client(api: Api) -> AsyncIterator[Client]:
    """An HTTP client of the API."""
    async with httpx.AsyncClient(base_url=api.url, timeout=20) as http:
        yield Client(http)


class Client:
    """`httpx.AsyncClient` with the verbs of a job."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def submit(self, body: dict[str, Any], *, to: str = "/api/jobs", key: str | None = None) -> str:
        """Return the id of the accepted job."""
        answer = await self.http.post(to, json=body, headers={"Idempotency-Key": key} if key else None)
        assert answer.status_code == 202, answer.text
        return answer.json()["jobId"]

    async def reaches(self, job_id: str, *statuses: str, within_s: float = 15.0) -> dict[str, Any]:
        """Wait until the job is in one of the states; return `/api/status`."""
        ends_at = time.monotonic() + within_s
        while True:
            status = await self.get(f"/api/status/{job_id}")
            if status["status"] in statuses:
                return status
            assert time.monotonic() < ends_at, f"not {statuses} but {status}"
            await asyncio.sleep(0.01)

    async def log(self, job_id: str) -> list[dict[str, Any]]:
        """Return the whole event log, checked to be without gaps."""
        items = (await self.get(f"/api/jobs/{job_id}/events", limit=1000))["items"]
        assert [item["seq"] for item in items] == list(range(1, len(items) + 1))
        return items


def plan(*nodes: dict[str, Any], edges: list[tuple[str, str]] | None = None, **context: Any) -> dict[str, Any]:
    """Return a plan; a chain when no edges are given."""
    ids = [node["id"] for node in nodes]
    pairs = edges if edges is not None else list(itertools.pairwise(ids))
    return {
        "workflow_id": "test",
        "nodes": list(nodes),
        "edges": [{"from": source, "to": target} for source, target in pairs],
        "context": context,
    }


def noop(node_id: str, **fields: Any) -> dict[str, Any]:
    """A node on the fake worker; `params` decide what it does (see `tests/fake_worker.py`)."""
    return {"id": node_id, "task": "noop", "plane": "python", **fields}


def echo(node_id: str, *, task: str = "test.echo", **fields: Any) -> dict[str, Any]:
    """A control-plane node."""
    return {"id": node_id, "task": task, "plane": "node", **fields}
