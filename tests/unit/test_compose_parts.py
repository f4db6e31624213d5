"""The small parts of the stack: job view, terminal, logs, state, processes, back-off."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from compose import process
from compose.job_view import JobView
from compose.logs import rotate, tail
from compose.ports import choose
from compose.process import ProcessId
from compose.stack import EXIT_RESTART, _next_backoff
from compose.state import Recorded, StackState, read_state, remembered_api_port
from compose.terminal import follow

_SNAPSHOT = {
    "type": "snapshot",
    "jobId": "j",
    "status": "running",
    "nodes": [{"id": "script", "status": "completed", "progress": 1.0}, {"id": "render", "status": "queued"}],
}


def test_a_job_view_follows_events_and_ignores_late_ticks() -> None:
    view = JobView()
    for event in (
        _SNAPSHOT,
        {"type": "progress", "node": "render", "progress": 0.4, "message": "scene 2 of 5"},
        {"type": "progress", "node": "render", "progress": 0.2},
        {"type": "node.completed", "node": "render", "seq": 5},
        {"type": "progress", "node": "render", "progress": 0.9},
        {"type": "job.completed", "seq": 6},
    ):
        view.apply(event)
    assert view.status == "completed"
    assert view.nodes["render"].status == "completed"
    assert view.nodes["render"].progress == 1.0


def test_a_retried_node_starts_again_from_nothing() -> None:
    view = JobView()
    view.apply(_SNAPSHOT)
    view.apply({"type": "progress", "node": "render", "progress": 0.4})
    view.apply({"type": "node.retrying", "node": "render", "seq": 3})
    assert (view.nodes["render"].status, view.nodes["render"].progress) == ("running", 0.0)


def test_without_a_terminal_progress_is_few_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    ticks = [{"type": "progress", "node": "render", "progress": step / 100, "message": "[x]"} for step in range(100)]
    follow([_SNAPSHOT, *ticks, {"type": "node.completed", "node": "render"}, {"type": "job.completed"}])
    printed = capsys.readouterr().out.splitlines()
    assert 4 <= len(printed) <= 9
    assert printed[-1].split()[:3] == ["render", "completed", "100%"]


def test_a_log_over_its_limit_is_copied_and_emptied_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 100)
        assert rotate(tmp_path, limit_bytes=50) == [log]
        writer.write(b"new\n")
    assert log.read_text() == "new\n"
    assert (tmp_path / "api.log.1").read_text().startswith("old")
    assert tail(tmp_path / "api.log.1", lines=2) == ["old", "old"]
    assert tail(tmp_path / "none.log", lines=2) == []


def test_a_child_that_asks_for_a_restart_gets_it_at_once_and_a_crashing_one_waits_longer_each_time() -> None:
    assert _next_backoff(8.0, lived_s=0.1, exit_code=EXIT_RESTART) == 0.0
    assert _next_backoff(8.0, lived_s=3600, exit_code=1) == 0.0
    waits = [0.0]
    for _ in range(12):
        waits.append(_next_backoff(waits[-1], lived_s=0.1, exit_code=1))
    assert waits[1:4] == [0.25, 0.5, 1.0]
    assert waits[-1] == 30.0


def test_state_survives_a_round_trip_and_nonsense_reads_as_nothing(tmp_path: Path) -> None:
    me = process.ChildProcess.own_id()
    recorded = Recorded(me.pid, me.started_at, int(signal.SIGTERM))
    StackState(str(tmp_path), "http://127.0.0.1:20001", recorded, processes={"api": recorded}).write()
    state = read_state(tmp_path)
    assert state is not None
    assert state.is_running()
    assert remembered_api_port(tmp_path) == 20001
    for text in ("", "[]", '{"data": 1}', '{"data": "", "api": "", "supervisor": {"pid": 1}}'):
        (tmp_path / "stack.json").write_text(text)
        assert read_state(tmp_path) is None


def test_a_reused_process_number_is_not_mistaken_for_the_old_process() -> None:
    assert process.ChildProcess.own_id().find() is not None
    assert ProcessId(os.getpid(), 1.0).find() is None


def test_a_child_that_ignores_the_request_is_killed_with_what_it_started(tmp_path: Path) -> None:
    script = (
        "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid, flush=True); time.sleep(600)"
    )
    log = tmp_path / "child.log"
    child = process.start([sys.executable, "-c", script], log=log, death_signal=signal.SIGKILL)
    while not log.exists() or not log.read_text().strip():
        assert child.exit_code is None
        child.wait(timeout_s=0.02)
    grandchild = ProcessId(int(log.read_text()), _started_at(int(log.read_text())))
    child.stop(signal.SIGTERM, grace_s=0.1)
    assert child.exit_code == -signal.SIGKILL
    assert grandchild.find() is None


def test_ports_are_kept_while_free_and_never_given_twice() -> None:
    first = choose(["a", "b", "c"], remembered={})
    assert len(set(first.values())) == 3
    assert choose(["a", "b"], remembered=first) == {"a": first["a"], "b": first["b"]}
    twice = choose(["a", "b"], remembered={"a": first["a"], "b": first["a"]})
    assert twice["a"] != twice["b"]
    promised = choose(["api"], remembered={"api": first["a"]}, taken=first.values())
    assert promised["api"] not in first.values()


def _started_at(pid: int) -> float:
    import psutil

    return psutil.Process(pid).create_time()
