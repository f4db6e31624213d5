"""The supervisor with small stand-ins for the API and the worker: restart, clean stop, orphans, neighbours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from compose.state import StackState, read_state

_SUPERVISOR = """
import sys
from pathlib import Path
from compose.programs import Program
from compose.stack import Stack, StackBusy
API = '''
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
        if self.path == "/exit75": os._exit(75)
http.server.HTTPServer(("127.0.0.1", int(os.environ["REELGRAPH_API_PORT"])), Answer).serve_forever()
'''
def programs(addresses, port):
    env = {**addresses.environment("REELGRAPH_API_"), "REELGRAPH_API_PORT": str(port)}
    return [Program("api", (sys.executable, "-c", API), env),
            Program("worker", (sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '600'])"))]
try:
    Stack(Path(sys.argv[1]), programs=programs).run(on_ready=lambda state: print("ready", flush=True))
except StackBusy as busy:
    sys.exit(str(busy))
"""

Launch = Callable[[Path], "subprocess.Popen[str]"]


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Start a supervisor on a data folder; all are ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def one(data: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _SUPERVISOR, str(data)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield one
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


@pytest.mark.slow
def test_a_stack_restarts_its_dead_and_stops_without_leaving_a_process(tmp_path: Path, launch: Launch) -> None:
    stack = launch(tmp_path)
    state = _ready(stack, tmp_path)
    family = psutil.Process(stack.pid).children(recursive=True)

    for name in ("api", "worker", "valkey", "postgres"):
        old = _state(tmp_path).processes[name]
        os.kill(old.pid, signal.SIGKILL)
        _until(lambda name=name, old=old: _state(tmp_path).processes[name].pid != old.pid)
    _until(lambda: _answers(state.api))
    old = _state(tmp_path).processes["api"]
    _answers(state.api + "/exit75")
    _until(lambda: _state(tmp_path).processes["api"].pid != old.pid)

    family += psutil.Process(stack.pid).children(recursive=True)
    stack.send_signal(signal.SIGINT)
    assert stack.wait(timeout=30) == 0
    assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert _state(tmp_path).processes == {}
    assert (tmp_path / "logs" / "api.log").exists()


@pytest.mark.slow
def test_two_stacks_live_side_by_side_and_one_folder_has_one(tmp_path: Path, launch: Launch) -> None:
    left, right = launch(tmp_path / "left"), launch(tmp_path / "right")
    apis = {_ready(left, tmp_path / "left").api, _ready(right, tmp_path / "right").api}
    assert len(apis) == 2
    second = launch(tmp_path / "left")
    assert second.wait(timeout=20) == 1
    assert second.stderr is not None
    assert "another stack runs" in second.stderr.read()
    assert left.poll() is None
    assert _answers(_state(tmp_path / "left").api)


@pytest.mark.slow
def test_what_a_killed_supervisor_left_is_ended_and_its_address_taken_again(tmp_path: Path, launch: Launch) -> None:
    first = launch(tmp_path)
    before = _ready(first, tmp_path)
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        raw = json.loads((tmp_path / "stack.json").read_text())
        raw["processes"]["worker"] = {
            "pid": bystander.pid,
            "started_at": 1.0,
            "stop_signal": 9,
        }  # its number was reused
        first.kill()
        first.wait()
        (tmp_path / "stack.json").write_text(json.dumps(raw))
        after = _ready(launch(tmp_path), tmp_path)
        assert after.api == before.api
        assert bystander.poll() is None
        assert after.supervisor.pid != before.supervisor.pid
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.slow
def test_an_interrupt_while_starting_stops_what_was_started(tmp_path: Path, launch: Launch) -> None:
    (tmp_path / "stack.json").write_text("not json")
    stack = launch(tmp_path)
    _until(lambda: read_state(tmp_path) is not None and "postgres" in _state(tmp_path).processes)
    family = psutil.Process(stack.pid).children(recursive=True)
    stack.send_signal(signal.SIGTERM)
    assert stack.wait(timeout=30) == 0
    assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def _ready(stack: subprocess.Popen[str], data: Path) -> StackState:
    assert stack.stdout is not None
    assert stack.stderr is not None
    line = stack.stdout.readline()
    assert line == "ready\n", stack.stderr.read()
    return _state(data)


def _state(data: Path) -> StackState:
    state = read_state(data)
    assert state is not None
    return state


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def _until(true: Callable[[], bool], *, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.slow
def test_an_interrupted_demo_leaves_no_process_and_exits_130(tmp_path: Path) -> None:
    demo = subprocess.Popen([sys.executable, "-m", "compose.cli", "demo", "--data", str(tmp_path)])
    _until(lambda: read_state(tmp_path) is not None and "postgres" in _state(tmp_path).processes)
    supervisor = psutil.Process(_state(tmp_path).supervisor.pid)
    family = [supervisor, *supervisor.children(recursive=True)]
    demo.send_signal(signal.SIGINT)
    assert demo.wait(timeout=60) == 130
    assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
