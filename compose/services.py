"""The three embedded servers of a data folder, Postgres, Valkey and S3, as one thing to start and stop.

It knows neither the API nor the worker; `compose/stack.py` does.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from compose import ports
from compose.postgres import Postgres
from compose.process import ChildProcess
from compose.seaweedfs import PORTS as S3_PORTS
from compose.seaweedfs import SeaweedFS
from compose.valkey import Valkey

BUCKETS = ("uploads", "artifacts", "models")
_POLL_S = 0.02
_RESPAWN_AFTER_S = 0.3  # a server that is killed frees its memory and locks a moment later
_LOG_TAIL_CHARS = 1_500


class Service(Protocol):
    """A server that can be started again on the same port and data."""

    @property
    def name(self) -> str: ...

    @property
    def log(self) -> Path: ...

    @property
    def stop_signal(self) -> signal.Signals: ...

    @property
    def stop_grace_s(self) -> float: ...

    def start(self) -> ChildProcess: ...

    def is_ready(self) -> bool: ...

    def clean_up(self) -> None: ...


@dataclass(frozen=True)
class Addresses:
    """How to reach the servers. `s3_endpoint` is `HOST:PORT`."""

    dsn: str
    redis_url: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    s3_secure: bool = False

    def environment(self, prefix: str) -> dict[str, str]:
        """Return them as a process's settings, e.g. `REELGRAPH_API_DSN` for the prefix `REELGRAPH_API_`."""
        return {
            f"{prefix}DSN": self.dsn,
            f"{prefix}REDIS_URL": self.redis_url,
            f"{prefix}S3_ENDPOINT": self.s3_endpoint,
            f"{prefix}S3_ACCESS_KEY": self.s3_access_key,
            f"{prefix}S3_SECRET_KEY": self.s3_secret_key,
            f"{prefix}S3_SECURE": str(self.s3_secure).lower(),
        }


class Services:
    """The embedded servers of one data folder; ports and passwords are kept in its `services.json`."""

    def __init__(self, data: Path, *, must_be_free: bool = True) -> None:
        """`must_be_free=False` only looks up the addresses of servers that run already."""
        data = data.resolve()
        data.mkdir(parents=True, exist_ok=True)
        settings = _settings(data / "services.json", must_be_free=must_be_free)
        port, secret = settings["ports"], settings["secrets"]
        self.ports = frozenset(port.values())
        logs = data / "logs"
        self.postgres = Postgres(
            folder=data / "postgres", log=logs / "postgres.log", port=port["postgres"], password=secret["postgres"]
        )
        self.valkey = Valkey(
            folder=data / "valkey", log=logs / "valkey.log", port=port["valkey"], password=secret["valkey"]
        )
        self.s3 = SeaweedFS(
            folder=data / "s3",
            log=logs / "s3.log",
            ports={name: port[name] for name in S3_PORTS},
            access_key=secret["s3_access_key"],
            secret_key=secret["s3_secret_key"],
        )
        self.all: tuple[Service, ...] = (self.s3, self.valkey, self.postgres)  # the slowest to start comes first
        self.children: dict[str, ChildProcess] = {}

    @property
    def addresses(self) -> Addresses:
        """How to reach the servers; valid before they run."""
        return Addresses(
            dsn=self.postgres.dsn(),
            redis_url=self.valkey.url(),
            s3_endpoint=self.s3.endpoint,
            s3_access_key=self.s3.access_key,
            s3_secret_key=self.s3.secret_key,
        )

    def start(self, *, timeout_s: float = 60.0) -> None:
        """Start all of them side by side and wait until each answers.

        Raises:
            RuntimeError: One did not come up in time; all are stopped again.
        """
        try:
            for service in self.all:
                self.spawn(service)
            for service in self.all:
                self.wait_ready(service, timeout_s=timeout_s)
        except BaseException:
            self.stop()
            raise

    def spawn(self, service: Service) -> ChildProcess:
        """Start one, without waiting for it."""
        child = service.start()
        self.children[service.name] = child
        return child

    def wait_ready(self, service: Service, *, timeout_s: float, pause: Callable[[float], None] = time.sleep) -> None:
        """Wait until one answers; start it again when it ends meanwhile. `pause` takes seconds and may raise."""
        deadline = time.monotonic() + timeout_s
        while not service.is_ready():
            if time.monotonic() > deadline:
                tail = service.log.read_text(errors="replace")[-_LOG_TAIL_CHARS:]
                raise RuntimeError(f"{service.name} did not answer within {timeout_s:.0f} s; its log ends:\n{tail}")
            if self.children[service.name].exit_code is not None:
                pause(_RESPAWN_AFTER_S)
                self.spawn(service)
            pause(_POLL_S)

    def revive(self, *, timeout_s: float = 60.0) -> list[str]:
        """Start the dead ones again on the same port and data, wait for them, and return their names."""
        dead = [service for service in self.all if self.children[service.name].exit_code is not None]
        for service in dead:
            self.spawn(service)
        for service in dead:
            self.wait_ready(service, timeout_s=timeout_s)
        return [service.name for service in dead]

    def stop(self) -> None:
        """End all of them, Postgres last, and leave nothing behind; harmless when they do not run."""
        running = [service for service in self.all if service.name in self.children]
        for service in running:
            self.children[service.name].ask_to_stop(service.stop_signal)
        for service in running:
            self.children.pop(service.name).finish_stop(grace_s=service.stop_grace_s)
            service.clean_up()


def make_buckets(addresses: Addresses) -> None:
    """Create the buckets that are missing."""
    from minio import Minio

    client = Minio(
        endpoint=addresses.s3_endpoint,
        access_key=addresses.s3_access_key,
        secret_key=addresses.s3_secret_key,
        secure=addresses.s3_secure,
    )
    for bucket in BUCKETS:
        if not client.bucket_exists(bucket_name=bucket):
            client.make_bucket(bucket_name=bucket)


def _settings(path: Path, *, must_be_free: bool) -> dict[str, Any]:
    """Return ports and passwords: the kept ones, with a new port for each that someone else took meanwhile."""
    kept = json.loads(path.read_text()) if path.exists() else {"ports": {}, "secrets": {}}
    names = ["postgres", "valkey", *S3_PORTS]
    if not must_be_free:
        return kept
    settings = {
        "ports": ports.choose(names, remembered=kept["ports"]),
        "secrets": {
            **{name: secrets.token_urlsafe(24) for name in ("postgres", "valkey", "s3_access_key", "s3_secret_key")},
            **kept["secrets"],
        },
    }
    if settings != kept:
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(settings, indent=2))
        os.replace(fresh, path)
    return settings
