"""A worker whose surroundings fail: no Redis, no Postgres, a killed supervisor, a drain."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from compose.services import Addresses, Services
from tests.services import Buckets
from tests.worker_process import Bell, Ledger, gone, running_worker, wait_for


@pytest.fixture
def ledger(addresses: Addresses) -> Iterator[Ledger]:
    ledger = Ledger(addresses.dsn)
    yield ledger
    ledger.db.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


def test_without_redis_runs_are_pulled(ledger: Ledger, addresses: Addresses, log: Path) -> None:
    nowhere = replace(addresses, redis_url="redis://127.0.0.1:1")
    job = ledger.job()
    for number in range(4):
        ledger.node(job, "test_noop", path=f"n{number}", status="ready")
    with running_worker(nowhere, log=log, ready=False):
        for number in range(4):
            assert ledger.ends(job, f"n{number}")["status"] == "succeeded"
    assert len(ledger.events(job)) == 8


def test_a_doorbell_that_was_lost_is_made_up_for(ledger: Ledger, addresses: Addresses, log: Path) -> None:
    with running_worker(addresses, log=log):
        job = ledger.job()
        ledger.node(job, "test_noop")  # dispatched, never rung
        assert ledger.ends(job)["status"] == "succeeded"


def test_a_killed_supervisor_takes_its_children_along_and_its_lease_lapses(
    ledger: Ledger, addresses: Addresses, log: Path, tmp_path: Path
) -> None:
    bell = Bell(addresses.redis_url)
    with running_worker(addresses, log=log) as worker:
        job = ledger.job()
        pids = tmp_path / "pids"
        ledger.node(job, "test_hang", params={"pid_file": str(pids)})
        bell.ring(job)
        wait_for(pids.exists)
        children = worker.children()
        assert len(children) == 2
        worker.kill()
        for pid in {*children, *map(int, pids.read_text().split())}:
            wait_for(lambda pid=pid: gone(pid), what=f"the end of {pid}")
    lapsed = "select lease_until < now() as lapsed from node_run where job_id = %s"
    wait_for(lambda: (ledger.db.execute(lapsed, (job,)).fetchone() or {})["lapsed"], what="the end of the lease")
    assert ledger.run(job)["status"] == "running"  # the sweeper's to free


def test_a_zombie_that_wakes_up_after_a_new_claim_publishes_nothing(
    ledger: Ledger, addresses: Addresses, log: Path, buckets: Buckets
) -> None:
    bell = Bell(addresses.redis_url)
    with running_worker(addresses, log=log, TIME_SCALE="1") as worker:
        job = ledger.job()
        ledger.node(job, "test_write_file", params={"pause_s": 0.3})
        bell.ring(job)
        ledger.ends(job, status="running")
        os.kill(worker.pid, signal.SIGSTOP)
        ledger.db.execute(
            "update node_run set epoch = 2, status = 'succeeded', result = '{\"value\": {}}' where job_id = %s", (job,)
        )
        os.kill(worker.pid, signal.SIGCONT)
        wait_for(lambda: "attempt.fenced" in log.read_text(), what="fencing")
        assert ledger.run(job)["result"] == {"value": {}}
        assert ledger.artifacts(job) == []
        wait_for(lambda: not list(buckets.client.list_objects(bucket_name="artifacts", recursive=True)))


def test_work_goes_on_while_postgres_is_away_and_is_committed_afterwards(
    ledger: Ledger, addresses: Addresses, log: Path, services: Services
) -> None:
    bell = Bell(addresses.redis_url)
    with running_worker(addresses, log=log, TIME_SCALE="0.3"):
        job = ledger.job()
        ledger.node(job, "test_write_file", params={"pause_s": 0.5})
        bell.ring(job)
        ledger.ends(job, status="running")
        dsn = addresses.dsn
        ledger.db.execute("update pg_database set datallowconn = false where datname = current_database()")
        ledger.db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        wait_for(lambda: "ledger.down" in log.read_text(), what="the outage")
        ledger.db.execute("update pg_database set datallowconn = true where datname = current_database()")
        assert dsn
        assert ledger.ends(job)["status"] == "succeeded"
        assert ledger.types(job) == ["node.running", "artifact.created", "node.completed"]


def test_a_drain_lets_a_short_run_finish(ledger: Ledger, addresses: Addresses, log: Path) -> None:
    bell = Bell(addresses.redis_url)
    with running_worker(addresses, log=log, TIME_SCALE="1") as worker:
        job = ledger.job()
        ledger.node(job, "test_noop", params={"ticks": 20, "pause_s": 0.05})
        bell.ring(job)
        ledger.ends(job, status="running")
        assert worker.stop() == 0
        assert ledger.run(job)["status"] == "succeeded"


def test_a_drain_gives_a_long_run_back_without_counting_a_crash(
    ledger: Ledger, addresses: Addresses, log: Path
) -> None:
    bell = Bell(addresses.redis_url)
    with running_worker(addresses, log=log) as worker:
        job = ledger.job()
        ledger.node(job, "test_hang", params={"seconds": 60})
        bell.ring(job)
        ledger.ends(job, status="running")
        began = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - began < 5
        run = ledger.run(job)
        assert (run["status"], run["crashes"], run["attempts"]) == ("ready", 0, 0)
        assert ledger.types(job) == ["node.running", "node.ready"]


def test_bad_settings_are_all_named(tmp_path: Path) -> None:
    import subprocess
    import sys

    ended = subprocess.run(
        [sys.executable, "-m", "worker", "run"], capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "REELGRAPH_WORKER_SLOTS": "0"}, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    for name in ("DSN", "REDIS_URL", "S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "SLOTS"):
        assert f"REELGRAPH_WORKER_{name}:" in ended.stderr
