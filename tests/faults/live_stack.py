"""A real stack (`python -m compose.stack`) to break: how to reach, watch and kill its processes. Not a test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from compose.services import Services
from tests.oracle import processes_of

ROOT = Path(__file__).resolve().parent.parent.parent
ENDED = {"completed", "failed", "cancelled"}
T = TypeVar("T")


def until(find: Callable[[], T], *, within_s: float, what: str) -> T:
    """Return what `find` returns as soon as it is true."""
    deadline = time.monotonic() + within_s
    while not (found := find()):
        assert time.monotonic() < deadline, f"{what}: not within {within_s:g} s"
        time.sleep(0.02)
    return found


def _lives(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


class LiveStack:
    """One stack. `start` and `stop` it; `kill` one process of it by name."""

    def __init__(self, data: Path, *, environment: dict[str, str]) -> None:
        self.data = data
        self.scratch = data / "scratch"  # inherited by every process: this is how strays are found
        self.scratch.mkdir(parents=True)
        self.scratch.chmod(0o777)
        self._environment = {**os.environ, **environment, "TMPDIR": str(self.scratch)}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def marker(self) -> str:
        """What the environment of each of its processes holds."""
        return f"TMPDIR={self.scratch}"

    def start(self) -> None:
        """Start it, also after its supervisor was killed, and wait until it is ready."""
        if self._process is not None:
            self._process.wait(10)
        (self.data / "logs").mkdir(exist_ok=True)
        with (self.data / "logs" / "stack.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "compose.stack", "--data", str(self.data)],
                env=self._environment, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        until(lambda: self.state.get("ready") and self.worker_pids(), within_s=90, what="the stack is ready")

    def stop(self) -> list[str]:
        """Stop it and return the processes that it left behind."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)
        left = processes_of(self.marker)
        names = [f"{one.pid} {' '.join(one.cmdline())[:120]}" for one in left]
        for one in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        return names

    @property
    def supervisor(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def state(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            read = json.loads((self.data / "stack.json").read_text())
            return read if read["supervisor"]["pid"] == self.supervisor else {}
        return {}

    @property
    def api(self) -> str:
        return str(self.state["api"])

    @cached_property
    def services(self) -> Services:
        return Services(self.data, must_be_free=False)

    @property
    def dsn(self) -> str:
        return self.services.addresses.dsn

    def s3(self) -> Any:
        """Return a client that may see every object."""
        from minio import Minio

        at = self.services.addresses
        return Minio(endpoint=at.s3_endpoint, access_key=at.s3_access_key, secret_key=at.s3_secret_key, secure=False)

    def pid(self, name: str) -> int:
        return int(self.state["processes"][name]["pid"])

    def worker_pids(self) -> list[int]:
        """Return the task children of the worker."""
        with contextlib.suppress(KeyError, psutil.Error):
            children = psutil.Process(self.pid("worker")).children()
            return [one.pid for one in children if "worker.child" in one.cmdline()]
        return []

    def kill(self, name: str, *, signal_: signal.Signals = signal.SIGKILL) -> int:
        """Signal one process by its name in `stack.json`, once it lives: it may still wait for its restart."""
        until(lambda: _lives(self.pid(name)), within_s=40, what=f"{name} lives")
        pid = self.pid(name)
        os.kill(pid, signal_)
        return pid

    def log_tail(self, name: str, *, lines: int = 15) -> str:
        with contextlib.suppress(OSError):
            return "\n".join((self.data / "logs" / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])
        return ""

    def submit(self, body: dict[str, Any], *, path: str = "/api/jobs", key: str | None = None) -> str:
        """Submit like a well-behaved client: with an idempotency key, again while the API is away."""
        headers = {"Idempotency-Key": key or os.urandom(8).hex()}
        answer = until(lambda: self._post(path, body, headers), within_s=60, what="the API accepts a job")
        assert answer.status_code in {200, 201, 202}, answer.text
        return str(answer.json()["jobId"])

    def get(self, path: str) -> Any:
        answer = until(lambda: self._try("GET", path), within_s=60, what=f"the API answers {path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return until(lambda: self._try("POST", path, json=body or {}), within_s=60, what=f"the API takes {path}")

    def _post(self, path: str, body: Any, headers: dict[str, str]) -> httpx.Response | None:
        return self._try("POST", path, json=body, headers=headers)

    def _try(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        with contextlib.suppress(httpx.TransportError, KeyError):
            answer = httpx.request(method, self.api + path, timeout=20, **options)
            return None if answer.status_code == 503 else answer
        return None


@dataclass
class Watcher:
    """A WebSocket client that reconnects with `after`, in a thread; it notes what it was sent."""

    stack: LiveStack
    job_id: str
    numbers: list[int] = field(default_factory=list)
    snapshots: list[int] = field(default_factory=list)
    seen: list[tuple[str, str | None]] = field(default_factory=list)
    ticks: int = 0
    connections: int = 0
    status: str = ""
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False

    def __enter__(self) -> Watcher:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._thread.join(30)

    def wait_for(self, type_: str, node: str | None = None, *, within_s: float = 30) -> None:
        """Wait until this event was received."""
        self._wait(lambda: (type_, node) in self.seen, within_s=within_s, what=f"event {type_} {node}")

    def wait_end(self, *, within_s: float) -> str:
        """Wait until the job ended, return its status."""
        self._wait(lambda: self.status in ENDED, within_s=within_s, what="the job's end")
        return self.status

    def gaps(self) -> list[str]:
        """Return what was lost, doubled or out of order: one snapshot, then every number once."""
        first = self.snapshots[0] if self.snapshots else 0
        wanted = list(range(first + 1, first + 1 + len(self.numbers)))
        extra = [f"more than one snapshot: {self.snapshots}"] if len(self.snapshots) > 1 else []
        return extra + ([] if self.numbers == wanted else [f"after snapshot {first} came {self.numbers}"])

    def _wait(self, true: Callable[[], bool], *, within_s: float, what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(true, timeout=within_s), (
                f"{what}: not within {within_s:g} s; the client knows {self.status} {self.seen[-5:]}"
            )

    def _run(self) -> None:
        from websockets.exceptions import ConnectionClosed, WebSocketException
        from websockets.sync.client import connect

        while not self._closed and self.status not in ENDED:
            after = self.numbers[-1] if self.numbers else (self.snapshots[0] if self.snapshots else 0)
            # a KeyError: the stack itself is away and its address not known
            with contextlib.suppress(OSError, WebSocketException, ConnectionClosed, EOFError, KeyError):
                url = self.stack.api.replace("http", "ws", 1) + f"/ws?jobId={self.job_id}&after={after}"
                with connect(url, open_timeout=5) as socket:
                    self.connections += 1
                    while not self._closed and self.status not in ENDED:
                        with contextlib.suppress(TimeoutError):
                            self._take(json.loads(socket.recv(timeout=0.5)))
            time.sleep(0.05)

    def _take(self, event: dict[str, Any]) -> None:
        with self._changed:
            if event["type"] == "snapshot":
                self.snapshots.append(event["seq"])
                self.status = event["status"]
            elif event["type"] == "error":
                raise ConnectionError(event.get("code"))  # a database that is away: connect and subscribe again
            elif event.get("seq") is None:
                self.ticks += 1
            else:
                self.numbers.append(event["seq"])
                if event["type"].startswith("job."):
                    self.status = event["status"]
            self.seen.append((event["type"], event.get("node")))
            self._changed.notify_all()


@contextlib.contextmanager
def live_stack(data: Path, **environment: str) -> Iterator[LiveStack]:
    """Run a stack; at the end no process of it may be left."""
    stack = LiveStack(data, environment=environment)
    try:
        stack.start()
        yield stack
    finally:
        left = stack.stop()
    assert not left, left
