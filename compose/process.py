"""One child process in a session of its own: start, stop, and recognise it later. It knows nothing of what it runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

_LAUNCHER = Path(__file__).with_name("launcher.py")
_SAME_USER = -1
_KILL_LIMIT_S = 2.0  # a killed process frees its memory first


@dataclass(frozen=True)
class SystemUser:
    """Whom a child runs as, by number."""

    uid: int
    gid: int


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be confused with a later one of the same number; `started_at` is Unix time in seconds."""

    pid: int
    started_at: float

    def find(self) -> psutil.Process | None:
        """Return the living process, or None when it is gone or its number belongs to another one now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) < 0.05
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class ChildProcess:
    """A started program. Start it from the main thread: it dies when the *thread* that started it ends."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self._family: list[ProcessId] = []
        self.id = ProcessId(popen.pid, psutil.Process(popen.pid).create_time())

    @staticmethod
    def own_id() -> ProcessId:
        """Return this process itself."""
        return ProcessId(os.getpid(), psutil.Process().create_time())

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._popen.poll()

    def send(self, signal_: signal.Signals) -> None:
        """Signal the program itself, not what it started."""
        if self.exit_code is None:
            self._popen.send_signal(signal_)

    def wait(self, *, timeout_s: float) -> bool:
        """Return whether it ended within `timeout_s`."""
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, signal_: signal.Signals, *, grace_s: float) -> None:
        """Ask it to end, kill it after `grace_s`, then kill whatever it left behind."""
        self.ask_to_stop(signal_)
        self.finish_stop(grace_s=grace_s)

    def ask_to_stop(self, signal_: signal.Signals) -> None:
        """Remember what it started, then signal it; several can so be stopped side by side."""
        self._family = descendants(self.id)
        self.send(signal_)

    def finish_stop(self, *, grace_s: float) -> None:
        """Wait for the end that was asked for, kill it after `grace_s`, then kill whatever it left behind."""
        if not self.wait(timeout_s=grace_s):
            self._family += descendants(self.id)
            self._popen.kill()
            self._popen.wait()
        kill_all(self._family)
        self.sweep()

    def sweep(self) -> None:
        """Kill what is left of its session after it ended."""
        kill_all([one for one in _session(self.pid) if one.pid != self.pid])


def start(
    command: list[str],
    *,
    log: Path,
    death_signal: signal.Signals,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: SystemUser | None = None,
) -> ChildProcess:
    """Start `command` in its own session, output appended to `log`; it gets `death_signal` when this thread ends.

    Args:
        env: Added to this process's environment.
        user: Whom to become; needs root.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    uid, gid = (user.uid, user.gid) if user else (_SAME_USER, _SAME_USER)
    head = [sys.executable, "-I", "-S", str(_LAUNCHER), str(int(death_signal)), str(os.getpid()), str(uid), str(gid)]
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [*head, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd or "/",
            start_new_session=True,
        )
    return ChildProcess(popen)


def descendants(of: ProcessId) -> list[ProcessId]:
    """Return what a process started, directly and indirectly."""
    process = of.find()
    if process is None:
        return []
    found: list[ProcessId] = []
    for child in process.children(recursive=True):
        try:
            found.append(ProcessId(child.pid, child.create_time()))
        except psutil.NoSuchProcess:
            continue
    return found


def _session(leader: int) -> list[ProcessId]:
    """Return the living processes of the session that `leader` led."""
    found: list[ProcessId] = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader:
                found.append(ProcessId(process.pid, process.create_time()))
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def kill_all(ids: list[ProcessId]) -> None:
    """Kill the processes that still live, and no other; return when they are gone."""
    living = [process for one in ids if (process := one.find()) is not None]
    for process in living:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + _KILL_LIMIT_S
    while any(one.find() is not None for one in ids) and time.monotonic() < deadline:
        time.sleep(0.005)


def stop_foreign(one: ProcessId, signal_: signal.Signals, *, grace_s: float) -> bool:
    """End a process that another run started, with all it started; return whether there was one."""
    process = one.find()
    if process is None:
        return False
    family = descendants(one)
    try:
        process.send_signal(signal_)
        deadline = time.monotonic() + grace_s
        while one.find() is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        if (left := one.find()) is not None:
            left.kill()
    except psutil.NoSuchProcess:
        pass
    kill_all(family)
    return True
