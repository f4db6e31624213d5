"""A real worker process for tests, and the ledger seen from outside: jobs and runs put in by SQL, looked at by SQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg.rows import dict_row

from compose.services import Addresses
from graphs.broker import DramatiqBroker
from schemas.channels import CANCEL, DOORBELL, MANIFEST_PATTERN

ROOT = Path(__file__).parent.parent
OWNER = "00000000-0000-0000-0000-000000000001"
FAST = {"TIME_SCALE": "0.1", "DRAIN_BUDGET_S": "10", "TASK_PACKAGES": "tests.tasks_for_tests"}


def wait_for(condition: Callable[[], Any], *, within_s: float = 15.0, what: str = "the condition") -> Any:
    """Return the first true value of `condition`; another process makes it true, so it is polled."""
    ends_at = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > ends_at:
            raise AssertionError(f"{what} did not happen within {within_s} s")
        time.sleep(0.01)
    return value


class Ledger:
    """Jobs and runs in the test's database."""

    def __init__(self, dsn: str) -> None:
        self.db: psycopg.Connection[dict[str, Any]] = psycopg.Connection[dict[str, Any]].connect(
            dsn, autocommit=True, row_factory=dict_row
        )

    def job(self, *, status: str = "running") -> str:
        job_id = str(uuid.uuid4())
        self.db.execute(
            "insert into job (id, tenant_id, owner_id, status, title, mode, request, request_hash, plan, plan_digest,"
            " graph_version, deadline_at) values (%s, %s, %s, %s, 'test', 'generate', '{}', '', '{}', 'sha256:0', 1,"
            " now() + interval '1 hour')",
            (job_id, OWNER, OWNER, status),
        )
        return job_id

    def node(self, job_id: str, task: str, *, path: str = "node", params: Any = None, inputs: Any = None,
             max_attempts: int = 5, timeout_s: float = 60, status: str = "dispatched") -> str:  # fmt: skip
        self.db.execute(
            "insert into node_run (job_id, node_path, node_id, tenant_id, owner_id, queue, task, status, max_attempts,"
            " timeout_s, input, input_hash, dispatched_at) values (%s, %s, %s, %s, %s, 'cpu', %s, %s, %s, %s, %s, '',"
            " now())",
            (job_id, path, path, OWNER, OWNER, task, status, max_attempts, timeout_s,
             json.dumps({"params": params or {}, "inputs": inputs or {}})),
        )  # fmt: skip
        return path

    def run(self, job_id: str, path: str = "node") -> dict[str, Any]:
        row = self.db.execute("select * from node_run where job_id = %s and node_path = %s", (job_id, path)).fetchone()
        assert row is not None
        return row

    def events(self, job_id: str) -> list[dict[str, Any]]:
        rows = self.db.execute("select * from event where job_id = %s order by seq", (job_id,)).fetchall()
        last = self.db.execute("select last_seq from job where id = %s", (job_id,)).fetchone()
        assert [row["seq"] for row in rows] == list(range(1, (last or {})["last_seq"] + 1)), "the log has a gap"
        return rows

    def types(self, job_id: str) -> list[str]:
        return [row["type"] for row in self.events(job_id)]

    def artifacts(self, job_id: str) -> list[dict[str, Any]]:
        return self.db.execute("select * from artifact where job_id = %s order by name", (job_id,)).fetchall()

    def ends(self, job_id: str, path: str = "node", *, status: str = "", within_s: float = 20.0) -> dict[str, Any]:
        """Wait until a run has ended (or reached `status`) and return it."""
        wanted = {status} if status else {"succeeded", "failed", "cancelled", "dead"}
        seen: dict[str, Any] = {}

        def reached() -> bool:
            seen.update(self.run(job_id, path))
            return seen["status"] in wanted

        wait_for(reached, within_s=within_s, what=f"a run in {sorted(wanted)}")
        return seen


class Bell:
    """Rings as the API does: enqueue, then publish."""

    def __init__(self, url: str) -> None:
        self.redis = redis.Redis.from_url(url)
        self._broker = DramatiqBroker(url)

    def ring(self, job_id: str, path: str = "node", *, queue: str = "cpu") -> None:
        self._broker.enqueue([(queue, job_id, path)])
        self.redis.publish(DOORBELL.format(queue=queue), "1")

    def cancel(self, job_id: str) -> None:
        self.redis.publish(CANCEL, job_id)


class WorkerProcess:
    """One `python -m worker run`."""

    def __init__(self, addresses: Addresses, *, log: Path, **settings: str) -> None:
        prefix = "REELGRAPH_WORKER_"
        own = {f"{prefix}{name}": value for name, value in {**FAST, **settings}.items()}
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker", "run"],
                cwd=ROOT,
                env={**os.environ, **addresses.environment(prefix), **own, "OMP_NUM_THREADS": "1"},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def children(self) -> list[int]:
        """The pids of its living children."""
        listed = subprocess.run(["ps", "-o", "pid=,stat=", "--ppid", str(self.pid)], capture_output=True, text=True)
        return [int(line.split()[0]) for line in listed.stdout.splitlines() if "Z" not in line.split()[1]]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


@contextmanager
def running_worker(addresses: Addresses, *, log: Path, ready: bool = True, **settings: str) -> Iterator[WorkerProcess]:
    """A worker that has advertised itself; stopped at the end."""
    worker = WorkerProcess(addresses, log=log, **settings)
    try:
        if ready:
            client = redis.Redis.from_url(addresses.redis_url)
            wait_for(lambda: client.keys(MANIFEST_PATTERN) or worker.process.poll() is not None, what="a manifest")
            assert worker.process.poll() is None, log.read_text()[-4000:]
        yield worker
    finally:
        worker.stop()
        if (text := log.read_text()) and "Traceback" in text:
            print(text[-6000:])


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]) == "Z"
    except FileNotFoundError:
        return True
