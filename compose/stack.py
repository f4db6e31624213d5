"""The supervisor of the embedded stack: servers, schema, buckets, API and worker, kept alive and stopped in order.

It knows nothing of jobs. `python -m compose.stack --data DIR` is what a detached stack runs.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.error import URLError

from compose import ports
from compose.logs import rotate, tail
from compose.process import ChildProcess, start, stop_foreign
from compose.programs import Programs, reelgraph_programs
from compose.services import Services, make_buckets
from compose.state import Recorded, StackState, read_state, remembered_api_port

EXIT_RESTART = 75  # a program that ends with it asks for a fresh one at once
_READY_LIMIT_S = 120.0
_POLL_S = 0.05
_HOUSEKEEPING_S = 5.0
_BACKOFF_FIRST_S, _BACKOFF_MAX_S = 0.25, 30.0
_STEADY_S = 30.0  # who lived this long starts again without delay
_ORPHAN_GRACE_S = 5.0
_ROOT = Path(__file__).resolve().parent.parent

_MIGRATE = "import os; from schemas.sql.migrate import migrate; migrate(os.environ['REELGRAPH_DSN'])"


class StackBusy(RuntimeError):
    """Raised when another stack holds the data folder."""


class StopRequested(Exception):
    """Raised inside the supervisor when SIGINT or SIGTERM arrives."""


@dataclass
class _Member:
    """A process to keep alive; `born_at` and `due_at` are monotonic seconds."""

    name: str
    start: Callable[[], ChildProcess]
    stop_signal: signal.Signals
    stop_grace_s: float
    child: ChildProcess | None = None
    born_at: float = 0.0
    due_at: float | None = None
    backoff_s: float = 0.0


class Stack:
    """One embedded stack on one data folder; run it from the main thread."""

    def __init__(self, data: Path, *, programs: Programs = reelgraph_programs, migrate: bool = True) -> None:
        self.data = data.resolve()
        self.data.mkdir(parents=True, exist_ok=True)
        self._programs = programs
        self._migrate = migrate
        self._stop_requested = False
        self._members: list[_Member] = []
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        os.set_blocking(self._wake_w, False)

    def run(self, *, on_ready: Callable[[StackState], None] = lambda _state: None) -> None:
        """Start everything, call `on_ready`, keep it alive until SIGINT or SIGTERM, stop it.

        Raises:
            StackBusy: Another stack uses the data folder.
            RuntimeError: Something did not come up; all is stopped again.
        """
        with (self.data / "stack.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StackBusy(f"another stack runs on {self.data}") from error
            self._catch_signals()
            self._stop_orphans()
            services = Services(self.data)
            try:
                self._start(services)
                self._state.ready = True
                self._state.write()
                on_ready(self._state)
                self._supervise()
            except StopRequested:
                pass
            finally:
                self._stop(services)

    # --- start ---------------------------------------------------------------------------------------------------

    def _start(self, services: Services) -> None:
        remembered = {"api": remembered_api_port(self.data)}
        api_port = ports.choose(["api"], remembered=remembered, taken=services.ports)["api"]
        me = ChildProcess.own_id()
        self._state = StackState(
            data=str(self.data),
            api=f"http://{ports.LOOPBACK}:{api_port}",
            supervisor=Recorded(me.pid, me.started_at, int(signal.SIGTERM)),
        )
        for service in services.all:
            self._add(_Member(service.name, service.start, service.stop_signal, service.stop_grace_s))
        for service in sorted(services.all, key=lambda one: one.name != "postgres"):
            self._wait_for(service.name, service.is_ready)
            if service.name == "postgres" and self._migrate:
                self._bring_schema_up(services)  # meanwhile S3, the slowest, comes up
        make_buckets(services.addresses)
        for program in self._programs(services.addresses, api_port):
            self._add(
                _Member(
                    program.name,
                    lambda program=program: start(
                        list(program.command),
                        log=self._log(program.name),
                        death_signal=signal.SIGKILL,
                        env=program.env,
                        cwd=_ROOT,
                    ),
                    signal.SIGTERM,
                    program.stop_grace_s,
                )
            )
        self._wait_for("api", lambda: _answers(f"{self._state.api}/ready"))

    def _bring_schema_up(self, services: Services) -> None:
        child = start(
            [sys.executable, "-c", _MIGRATE],
            log=self._log("migrate"),
            death_signal=signal.SIGKILL,
            env={"REELGRAPH_DSN": services.postgres.dsn()},
            cwd=_ROOT,
        )
        try:
            while child.exit_code is None:
                self._pause(_POLL_S)
        finally:
            child.stop(signal.SIGTERM, grace_s=2)
        if child.exit_code != 0:
            raise RuntimeError("the database schema could not be brought up to date:\n" + self._tail("migrate"))

    def _wait_for(self, name: str, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_LIMIT_S
        while not is_ready():
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"{name} was not ready after {_READY_LIMIT_S:.0f} s; its log ends:\n{self._tail(name)}"
                )
            self._restart_dead()
            self._pause(_POLL_S)

    # --- keep alive ----------------------------------------------------------------------------------------------

    def _supervise(self) -> None:
        housekeeping_at = time.monotonic() + _HOUSEKEEPING_S
        while True:
            self._restart_dead()
            if time.monotonic() >= housekeeping_at:
                rotate(self.data / "logs")
                housekeeping_at = time.monotonic() + _HOUSEKEEPING_S
            due = [member.due_at for member in self._members if member.due_at is not None]
            self._pause(max(0.0, min([housekeeping_at, *due]) - time.monotonic()))

    def _restart_dead(self) -> None:
        now = time.monotonic()
        for member in self._members:
            if member.due_at is not None and now >= member.due_at:
                self._spawn(member)
            elif member.due_at is None and member.child is not None and (code := member.child.exit_code) is not None:
                member.backoff_s = _next_backoff(member.backoff_s, lived_s=now - member.born_at, exit_code=code)
                member.due_at = now + member.backoff_s
                _say("process.ended", name=member.name, exit_code=code, restart_in_s=member.backoff_s)
                if member.backoff_s == 0.0:
                    self._spawn(member)

    def _add(self, member: _Member) -> None:
        self._members.append(member)
        self._spawn(member)

    def _spawn(self, member: _Member) -> None:
        if member.child is not None:  # what the dead one started must not work beside the new one
            member.child.sweep()
        member.child = member.start()
        member.born_at, member.due_at = time.monotonic(), None
        one = member.child.id
        self._state.processes[member.name] = Recorded(one.pid, one.started_at, int(member.stop_signal))
        self._state.write()
        _say("process.started", name=member.name, pid=one.pid)

    # --- stop ----------------------------------------------------------------------------------------------------

    def _stop(self, services: Services) -> None:
        """End our programs first, then the servers they need, Postgres last."""
        servers = {service.name for service in services.all}
        for group in (
            [member for member in self._members if member.name not in servers],
            [member for member in self._members if member.name in servers and member.name != "postgres"],
            [member for member in self._members if member.name == "postgres"],
        ):
            running = [(member, member.child) for member in group if member.child is not None]
            for member, child in running:
                child.ask_to_stop(member.stop_signal)
            for member, child in running:
                child.finish_stop(grace_s=member.stop_grace_s)
                _say("process.stopped", name=member.name)
        for service in services.all:
            service.clean_up()
        if self._members:
            self._state.ready = False
            self._state.processes = {}
            self._state.write()

    def _stop_orphans(self) -> None:
        """End what an earlier, killed supervisor left; only processes that it recorded and that are still the same."""
        left = read_state(self.data)
        if left is None:
            return
        for name, one in reversed(left.processes.items()):
            if stop_foreign(one.id, signal.Signals(one.stop_signal), grace_s=_ORPHAN_GRACE_S):
                _say("orphan.stopped", name=name, pid=one.pid)

    # --- signals and time ----------------------------------------------------------------------------------------

    def _catch_signals(self) -> None:
        def note(number: int, _frame: FrameType | None) -> None:
            self._stop_requested = self._stop_requested or number != signal.SIGCHLD

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, note)
        signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)

    def _pause(self, seconds: float) -> None:
        """Sleep until a signal comes, at most `seconds`.

        Raises:
            StopRequested: SIGINT, SIGTERM or SIGHUP came, now or before.
        """
        if not self._stop_requested and select.select([self._wake_r], [], [], seconds)[0]:
            os.read(self._wake_r, 4096)
        if self._stop_requested:
            raise StopRequested

    def _log(self, name: str) -> Path:
        return self.data / "logs" / f"{name}.log"

    def _tail(self, name: str) -> str:
        return "\n".join(tail(self._log(name), lines=20))


def _next_backoff(last_s: float, *, lived_s: float, exit_code: int) -> float:
    """Return how long to wait before the next start, in seconds."""
    if exit_code == EXIT_RESTART or lived_s >= _STEADY_S:
        return 0.0
    return min(_BACKOFF_MAX_S, max(_BACKOFF_FIRST_S, last_s * 2))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310
            return response.status == 200
    except (URLError, OSError):
        return False


def _say(event: str, **fields: object) -> None:
    """Write one line to the supervisor's own log, which is its standard error."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(stamp, event, *(f"{key}={value}" for key, value in fields.items()), file=sys.stderr, flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "--data":
        sys.exit("usage: python -m compose.stack --data DIR")
    try:
        Stack(Path(sys.argv[2])).run()
    except RuntimeError as problem:
        sys.exit(str(problem))
