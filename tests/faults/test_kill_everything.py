"""One job of six nodes, and a kill -9 of each process at each station of its way (DESIGN.md section 3).

After every fault: the job completed once, its effects are accounted for, the log and a reconnecting client have
every event once, and nothing is left behind. Leases are ten times shorter than in production.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.faults.live_stack import ROOT, LiveStack, Watcher, live_stack, until
from tests.oracle import broken_invariants, counted, orphans
from tests.tasks_for_tests.effect import LEDGER

pytestmark = pytest.mark.slow
TIME_SCALE = 0.1
LEASE_S = 15 * TIME_SCALE
END_WITHIN_S = 60.0
TARGETS = ("api", "worker", "child", "valkey", "s3", "postgres")
STATIONS = ("submitted", "queued", "running", "committed", "near the end")
EFFECTS = ("write", "twin", "read")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """One real stack for the whole file."""
    data = tmp_path_factory.mktemp("stack")
    with live_stack(data, **environment(data)) as running:
        yield running


def environment(data: Path) -> dict[str, str]:
    """Return the settings of a stack with the test-only tasks, short leases and an effect ledger."""
    return {
        "REELGRAPH_WORKER_TASK_PACKAGES": "worker.tasks,tests.tasks_for_tests",
        "REELGRAPH_API_NODE_PACKAGES": "tests.nodes_for_tests",
        "REELGRAPH_API_TIME_SCALE": str(TIME_SCALE),
        "REELGRAPH_WORKER_TIME_SCALE": str(TIME_SCALE),
        LEDGER: str(data / "effects.txt"),
    }


def six_nodes(*, ticks: int = 8, pause_s: float = 0.04) -> dict[str, Any]:
    """Return the plan: control, slow control, two branches that write files, one node that reads one, control."""
    params = {"ticks": ticks, "pause_s": pause_s}
    nodes = [
        {"id": "script", "task": "test.echo", "plane": "node"},
        {"id": "profile", "task": "test.slow", "plane": "node"},
        *({"id": name, "task": "test_effect", "plane": "python", "params": params} for name in EFFECTS),
        {"id": "register", "task": "test.echo", "plane": "node"},
    ]
    nodes[4]["inputs"] = {"file": "write.file"}
    edges = [("script", "profile"), ("profile", "write"), ("profile", "twin"), ("write", "read"), ("twin", "read")]
    edges.append(("read", "register"))
    return {"workflow_id": "faults", "nodes": nodes, "edges": [{"from": a, "to": b} for a, b in edges]}


def kill(stack: LiveStack, target: str) -> None:
    """Kill one process; Postgres gets what crash recovery is for."""
    if target == "child":
        for pid in stack.worker_pids():
            os.kill(pid, signal.SIGKILL)
    else:
        stack.kill(target, signal_=signal.SIGQUIT if target == "postgres" else signal.SIGKILL)


def reach(station: str, watcher: Watcher) -> None:
    """Wait until the job is there; a job that ran on meanwhile is as good."""
    match station:
        case "queued":
            watcher.wait_for("node.queued", "write")
        case "running":
            watcher.wait_for("node.running", "write")
            over = ("node.completed", "write")
            until(lambda: watcher.ticks >= 2 or over in watcher.seen, within_s=20, what="two progress ticks")
        case "committed":
            watcher.wait_for("node.completed", "write")
        case "near the end":
            watcher.wait_for("node.completed", "read")
        case _:
            return


def settled(stack: LiveStack) -> None:
    """Wait until everything runs again, and judge what is left."""
    until(lambda: stack.get("/ready") and stack.worker_pids(), within_s=40, what="the stack is whole again")
    deadline = time.monotonic() + 12
    while broken := broken_invariants(stack.dsn, stack.s3()):
        assert time.monotonic() < deadline, "\n".join(broken)
        time.sleep(0.3)
    assert not orphans(stack.marker, supervisor=stack.supervisor)


def check_effects(stack: LiveStack, job_id: str, *, exactly_once: bool) -> None:
    """Compare the ledger with what was committed."""
    record = stack.get(f"/api/jobs/{job_id}")
    attempts = {node["id"]: node["attempt"] for node in record["nodes"]}
    counts = counted((stack.data / "effects.txt").read_text().splitlines())
    for node in EFFECTS:
        begun, ended = counts[job_id, node, "begin"], counts.get((job_id, node, "end"), 0)
        assert 1 <= ended <= begun <= attempts[node], (node, begun, ended, attempts[node])
        if exactly_once:
            assert begun == 1, (node, begun)
    texts = {one["node"]: one for one in record["artifacts"] if one["kind"] == "text"}
    assert set(texts) == set(EFFECTS)
    assert len(record["artifacts"]) == len(EFFECTS)


@pytest.mark.parametrize("station", STATIONS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_killed_process_costs_no_result_no_event_and_no_second_effect(
    stack: LiveStack, target: str, station: str
) -> None:
    until(stack.worker_pids, within_s=40, what="a worker child lives")
    job_id = stack.submit({"plan": six_nodes()})
    with Watcher(stack, job_id) as watcher:
        reach(station, watcher)
        kill(stack, target)
        assert watcher.wait_end(within_s=END_WITHIN_S) == "completed"
    assert not watcher.gaps()
    assert stack.get(f"/api/jobs/{job_id}/events?after=0")["items"][-1]["type"] == "job.completed"
    check_effects(stack, job_id, exactly_once=target in {"api", "valkey"})
    settled(stack)


def test_a_worker_that_was_frozen_longer_than_its_lease_commits_nothing(stack: LiveStack) -> None:
    job_id = stack.submit({"plan": six_nodes(ticks=75)})
    with Watcher(stack, job_id) as watcher:
        watcher.wait_for("node.running", "write")
        frozen = [stack.pid("worker"), *stack.worker_pids()]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            watcher.wait_for("node.retrying", "write", within_s=LEASE_S * 4 + 5)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        assert watcher.wait_end(within_s=END_WITHIN_S) == "completed"
    assert not watcher.gaps()
    record = stack.get(f"/api/jobs/{job_id}")
    assert next(node for node in record["nodes"] if node["id"] == "write")["attempt"] == 2
    check_effects(stack, job_id, exactly_once=False)
    settled(stack)


def test_the_result_of_a_frozen_worker_is_refused_when_another_took_over(stack: LiveStack) -> None:
    until(stack.worker_pids, within_s=40, what="a worker child lives")
    job_id = stack.submit({"plan": six_nodes()})
    with Watcher(stack, job_id) as watcher:
        for node in ("write", "twin"):
            watcher.wait_for("node.running", node)
        frozen = stack.pid("worker")
        os.kill(frozen, signal.SIGSTOP)  # its children go on and finish
        try:
            with second_worker(stack):
                watcher.wait_for("node.completed", "write", within_s=30)
                watcher.wait_for("node.completed", "twin")
                os.kill(frozen, signal.SIGCONT)
                assert watcher.wait_end(within_s=END_WITHIN_S) == "completed"
                until(lambda: "attempt.fenced" in stack.log_tail("worker", lines=200), within_s=20, what="a refusal")
        finally:
            os.kill(frozen, signal.SIGCONT)
    assert not watcher.gaps()
    check_effects(stack, job_id, exactly_once=False)
    settled(stack)
    keys = [one.object_name for one in stack.s3().list_objects(bucket_name="artifacts", recursive=True)]
    assert [key.split("/")[3] for key in keys if f"{job_id}/write/" in key] == ["2"]
    assert len([key for key in keys if job_id in key]) == len(EFFECTS)


@contextlib.contextmanager
def second_worker(stack: LiveStack) -> Iterator[None]:
    """Run another worker on the same services."""
    addresses = stack.services.addresses.environment("REELGRAPH_WORKER_")
    with (stack.data / "logs" / "second.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker", "run"], cwd=ROOT, stdout=log, stderr=log,
            env={**os.environ, **environment(stack.data), **addresses, "TMPDIR": str(stack.scratch)},
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def test_a_flushed_valkey_in_the_middle_of_a_run_loses_nothing(stack: LiveStack) -> None:
    job_id = stack.submit({"plan": six_nodes()})
    with Watcher(stack, job_id) as watcher:
        for type_, node in (("node.queued", "write"), ("node.running", "twin"), ("node.completed", "write")):
            watcher.wait_for(type_, node)
            flush(stack)
        assert watcher.wait_end(within_s=END_WITHIN_S) == "completed"
    assert not watcher.gaps()
    check_effects(stack, job_id, exactly_once=True)
    settled(stack)


def flush(stack: LiveStack) -> None:
    """Empty Valkey."""
    import redis

    with redis.Redis.from_url(stack.services.addresses.redis_url) as client:
        client.flushall()


def test_a_job_runs_from_end_to_end_while_there_is_no_valkey(stack: LiveStack) -> None:
    with absent(stack, "valkey"):
        job_id = stack.submit({"plan": six_nodes()})
        with Watcher(stack, job_id) as watcher:
            assert watcher.wait_end(within_s=END_WITHIN_S) == "completed"
        assert not watcher.gaps()
    check_effects(stack, job_id, exactly_once=True)
    settled(stack)


@contextlib.contextmanager
def absent(stack: LiveStack, name: str) -> Iterator[None]:
    """Kill a process and hold the supervisor, so that nobody starts it again."""
    os.kill(stack.supervisor, signal.SIGSTOP)
    try:
        stack.kill(name)
        yield
    finally:
        os.kill(stack.supervisor, signal.SIGCONT)


@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.2, 0.28, 0.36, 0.5])
def test_a_cancel_that_races_a_commit_ends_in_one_of_both_and_publishes_nothing_afterwards(
    stack: LiveStack, delay_s: float
) -> None:
    job_id = stack.submit({"plan": six_nodes()})
    with Watcher(stack, job_id) as watcher:
        watcher.wait_for("node.running", "write")
        time.sleep(delay_s)  # the moment of the race is the parameter
        assert stack.post(f"/api/jobs/{job_id}/cancel").status_code == 202
        assert watcher.wait_end(within_s=20) == "cancelled"
    assert not watcher.gaps()
    items = stack.get(f"/api/jobs/{job_id}/events?after=0")["items"]
    types = [(one["type"], one.get("node")) for one in items]
    after = types[types.index(("job.cancelling", None)) + 1 :]
    assert not [one for one in after if one[0] in {"artifact.created", "node.running", "node.completed"}], types
    settled(stack)


def test_twenty_jobs_at_once_survive_a_kill_of_each_process_in_turn(stack: LiveStack) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: stack.submit({"plan": six_nodes(ticks=4)}), range(20)))
    for target in TARGETS:
        until(stack.worker_pids, within_s=40, what="a worker child lives")
        kill(stack, target)
        time.sleep(LEASE_S)
    for job_id in ids:
        until(
            lambda job_id=job_id: stack.get(f"/api/status/{job_id}")["status"] == "completed",
            within_s=END_WITHIN_S,
            what=f"job {job_id} completes",
        )
    for job_id in ids:
        check_effects(stack, job_id, exactly_once=False)
    settled(stack)


def test_a_stack_whose_supervisor_is_killed_resumes_its_job_at_the_next_start(tmp_path: Path) -> None:
    with live_stack(tmp_path, **environment(tmp_path)) as stack:
        job_id = stack.submit({"plan": six_nodes(ticks=20)})
        with Watcher(stack, job_id) as watcher:
            watcher.wait_for("node.running", "write")
            family = psutil.Process(stack.supervisor).children(recursive=True)
            os.kill(stack.supervisor, signal.SIGKILL)
            assert not psutil.wait_procs(family, timeout=20)[1], "children outlive a killed supervisor"
            stack.start()
            assert watcher.wait_end(within_s=END_WITHIN_S) == "completed"
        assert not watcher.gaps()
        check_effects(stack, job_id, exactly_once=False)
        settled(stack)
