"""Start a stack in the background, wait until it is ready, find it again, stop it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from compose.logs import tail
from compose.problems import problem
from compose.process import stop_foreign
from compose.state import StackState, read_state

READY_LIMIT_S = 180.0
STOP_LIMIT_S = 45.0
_POLL_S = 0.05
_ROOT = Path(__file__).resolve().parent.parent


def running(data: Path) -> StackState | None:
    """Return the ready stack of a data folder, if it lives."""
    state = read_state(data.resolve())
    return state if state is not None and state.ready and state.is_running() else None


def start(data: Path) -> StackState:
    """Start a stack that outlives this process and return it when it is ready.

    An interrupt stops it again before it is passed on.
    """
    data = data.resolve()
    log = data / "logs" / "stack.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "compose.stack", "--data", str(data)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=_ROOT,
            env=dict(os.environ),
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_LIMIT_S
    try:
        while time.monotonic() < deadline:
            state = running(data)
            if state is not None:
                return state
            if supervisor.poll() is not None:
                break
            time.sleep(_POLL_S)
    except BaseException:
        supervisor.terminate()
        supervisor.wait(STOP_LIMIT_S)
        raise
    supervisor.terminate()
    supervisor.wait(STOP_LIMIT_S)
    raise problem(
        "stack_not_ready",
        "the stack did not start; its log ends:\n" + "\n".join(tail(log, lines=20)),
        hint=f"read the logs in {log.parent}, and try `reelgraph doctor`",
    )


def stop(data: Path) -> bool:
    """Stop the stack of a data folder and wait for it; return whether there was one."""
    state = read_state(data.resolve())
    return state is not None and stop_foreign(state.supervisor.id, signal.SIGTERM, grace_s=STOP_LIMIT_S)
