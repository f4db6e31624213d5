"""An embedded stack with the test-only tasks, for benchmarks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
READY_S = 60.0


@dataclass(frozen=True)
class RunningStack:
    """How to reach it, and the process ids by name."""

    api: str
    data: Path
    pids: dict[str, int]
    ready_s: float


@contextmanager
def embedded_stack(data: Path | None = None) -> Iterator[RunningStack]:
    """Start a stack on a temporary data folder (or `data`), yield it when ready, stop it."""
    with tempfile.TemporaryDirectory(prefix="reelgraph-bench-") as folder:
        home = data or Path(folder)
        environment = {
            **os.environ,
            "REELGRAPH_WORKER_TASK_PACKAGES": "worker.tasks,tests.tasks_for_tests",
            "REELGRAPH_API_NODE_PACKAGES": "tests.nodes_for_tests",
            "REELGRAPH_API_MAX_PLAN_NODES": "256",
            "REELGRAPH_LOG_LEVEL": "WARNING",
        }
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "compose.stack", "--data", str(home)], env=environment, cwd=_ROOT
        )
        try:
            yield _ready(process, home, began)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _ready(process: subprocess.Popen[bytes], data: Path, began: float) -> RunningStack:
    state = data / "stack.json"
    while time.monotonic() - began < READY_S:
        if process.poll() is not None:
            raise RuntimeError(f"the stack ended with code {process.returncode}; see {data}/logs")
        if state.is_file():
            read = json.loads(state.read_text())
            if read.get("ready") and read["supervisor"]["pid"] == process.pid:
                pids = {name: entry["pid"] for name, entry in read["processes"].items()}
                return RunningStack(read["api"], data, {**pids, "supervisor": process.pid}, time.monotonic() - began)
        time.sleep(0.05)
    raise RuntimeError(f"the stack was not ready within {READY_S:g} s; see {data}/logs")
