"""A worker process against real Postgres, Valkey and S3: how runs end, and what is left of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from compose.services import Addresses
from schemas.channels import EVENTS, MANIFEST_PATTERN, TICKS
from tests.services import Buckets
from tests.worker_process import OWNER, Bell, Ledger, WorkerProcess, gone, running_worker, wait_for


@pytest.fixture
def ledger(addresses: Addresses) -> Iterator[Ledger]:
    ledger = Ledger(addresses.dsn)
    yield ledger
    ledger.db.close()


@pytest.fixture
def bell(addresses: Addresses) -> Bell:
    return Bell(addresses.redis_url)


@pytest.fixture
def worker(addresses: Addresses, tmp_path: Path) -> Iterator[WorkerProcess]:
    with running_worker(addresses, log=tmp_path / "worker.log") as worker:
        yield worker


def test_a_rung_run_succeeds_once_with_gap_free_events(ledger: Ledger, bell: Bell, worker: WorkerProcess) -> None:
    job = ledger.job()
    ledger.node(job, "test_noop", params={"ticks": 5, "lines": 3}, inputs={"value": {"a": 1}})
    bell.ring(job)
    run = ledger.ends(job)
    assert run["status"] == "succeeded"
    assert run["result"] == {"value": {"ticks": 5, "attempt": 1, "got": {"a": 1}}}
    assert (run["epoch"], run["progress"], run["attempts"]) == (1, 1.0, 0)
    types = ledger.types(job)
    assert types[0] == "node.running"
    assert types[-1] == "node.completed"
    assert types.count("log") == 3


def test_a_file_becomes_an_artifact_that_the_next_node_reads(
    ledger: Ledger, bell: Bell, worker: WorkerProcess, buckets: Buckets
) -> None:
    job = ledger.job()
    ledger.node(job, "test_write_file", path="write", params={"text": "black holes", "count": 2})
    bell.ring(job, "write")
    file = ledger.ends(job, "write")["result"]["file"]
    rows = ledger.artifacts(job)
    assert [row["name"] for row in rows] == ["0-note.txt", "1-note.txt"]
    assert [row["object_key"] for row in rows] == [f"{OWNER}/{job}/write/1/{row['name']}" for row in rows]
    assert file["id"] == str(rows[0]["id"])
    assert file["sha256"] == rows[0]["sha256"]
    assert buckets.client.stat_object(bucket_name="artifacts", object_name=rows[0]["object_key"]).size == 11
    assert ledger.types(job) == ["node.running", "artifact.created", "artifact.created", "node.completed"]

    ledger.node(job, "test_read_file", path="read", inputs={"file": file})
    bell.ring(job, "read")
    assert ledger.ends(job, "read")["result"] == {"value": {"text": "black holes"}}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"uri": f"s3://uploads/{OWNER}/none.png"}, "missing_object"),
        ({"uri": "s3://uploads/00000000-0000-0000-0000-000000000002/a.png"}, "unsafe_input"),
        ({"uri": f"s3://models/{OWNER}/a.png"}, "unsafe_input"),
        ({"uri": f"s3://uploads/{OWNER}/../x"}, "unsafe_input"),
        ({"uri": f"s3://uploads/{OWNER}/kept.txt", "sha256": "0" * 64}, "input_changed"),
    ],
)
def test_an_input_that_is_not_the_owners_own_is_refused(
    ledger: Ledger, bell: Bell, worker: WorkerProcess, buckets: Buckets, change: dict[str, str], code: str
) -> None:
    import io

    buckets.client.put_object(
        bucket_name="uploads", object_name=f"{OWNER}/kept.txt", data=io.BytesIO(b"kept"), length=4
    )
    job = ledger.job()
    ledger.node(job, "test_read_file", inputs={"file": {"kind": "text", "name": "a.txt", **change}})
    bell.ring(job)
    run = ledger.ends(job)
    assert (run["status"], run["error"]["code"]) == ("failed", code)


def test_a_duplicate_message_only_reports(ledger: Ledger, bell: Bell, worker: WorkerProcess) -> None:
    job = ledger.job()
    ledger.node(job, "test_noop", params={"ticks": 5, "pause_s": 0.05})
    for _ in range(5):
        bell.ring(job)
    ledger.ends(job)
    bell.ring(job)
    after = ledger.job()
    ledger.node(after, "test_noop")
    bell.ring(after)
    ledger.ends(after)
    assert ledger.run(job)["epoch"] == 1
    assert ledger.types(job) == ["node.running", "node.completed"]


def test_a_child_that_crashes_three_times_is_poisoned(ledger: Ledger, bell: Bell, worker: WorkerProcess) -> None:
    job = ledger.job()
    ledger.node(job, "test_crash")
    bell.ring(job)
    run = ledger.ends(job)
    assert (run["status"], run["crashes"], run["epoch"], run["attempts"]) == ("dead", 3, 3, 0)
    assert run["error"]["code"] == "poisoned"
    assert ledger.types(job) == ["node.running", "node.retrying"] * 2 + ["node.running", "node.failed"]
    assert worker.process.poll() is None


def test_a_crash_that_passes_is_forgiven(ledger: Ledger, bell: Bell, worker: WorkerProcess) -> None:
    job = ledger.job()
    ledger.node(job, "test_crash", params={"times": 1})
    bell.ring(job)
    run = ledger.ends(job)
    assert (run["status"], run["crashes"], run["result"]) == ("succeeded", 1, {"value": {"attempt": 2}})


@pytest.mark.parametrize(
    ("kind", "until", "attempts", "status"),
    [
        ("input", 9, 1, "failed"),
        ("dependency", 2, 2, "succeeded"),
        ("capacity", 9, 2, "failed"),
        ("bug", 9, 1, "failed"),
    ],
)
def test_the_kind_of_a_failure_decides_its_attempts(
    ledger: Ledger, bell: Bell, worker: WorkerProcess, kind: str, until: int, attempts: int, status: str
) -> None:
    job = ledger.job()
    ledger.node(job, "test_fail", params={"kind": kind, "until": until})
    bell.ring(job)
    run = ledger.ends(job)
    assert (run["status"], run["attempts"]) == (status, attempts)
    if status == "failed":
        assert run["error"]["kind"] == kind
        assert [row["name"] for row in ledger.artifacts(job)] == ["partial.txt"]


@pytest.mark.parametrize(
    ("task", "params", "code"),
    [
        ("test_noop", {"ticks": -1}, "invalid_param"),
        ("test_noop", {"unknown": 1}, "invalid_param"),
        ("test_no_output", {}, "missing_output"),
        ("test_big_output", {}, "result_too_big"),
        ("test_raise", {"what": "MemoryError"}, "out_of_memory"),
        ("test_raise", {"what": "ValueError"}, "unexpected_error"),
    ],
)
def test_a_bad_end_names_its_code(
    ledger: Ledger, bell: Bell, worker: WorkerProcess, task: str, params: dict[str, object], code: str
) -> None:
    job = ledger.job()
    ledger.node(job, task, params=params, max_attempts=1)
    bell.ring(job)
    run = ledger.ends(job)
    assert (run["status"], run["error"]["code"]) == ("failed", code)


def test_a_run_over_its_time_is_killed_with_its_tools(
    ledger: Ledger, bell: Bell, worker: WorkerProcess, tmp_path: Path
) -> None:
    job = ledger.job()
    pids = tmp_path / "pids"
    ledger.node(job, "test_hang", params={"busy": True, "pid_file": str(pids)}, timeout_s=0.7)
    bell.ring(job)
    run = ledger.ends(job)
    assert (run["status"], run["error"]["code"]) == ("failed", "timeout")
    assert all(wait_for(lambda pid=pid: gone(int(pid))) for pid in pids.read_text().split())


def test_a_child_without_a_sign_of_life_is_killed(ledger: Ledger, bell: Bell, worker: WorkerProcess) -> None:
    job = ledger.job()
    ledger.node(job, "test_hang")  # its idle time-out is 2 s
    bell.ring(job)
    run = ledger.ends(job)
    assert (run["status"], run["error"]["code"]) == ("failed", "idle_timeout")


@pytest.mark.parametrize("told", [True, False], ids=["by a message", "at the next renewal"])
def test_a_cancel_kills_the_process_group(
    ledger: Ledger, bell: Bell, worker: WorkerProcess, tmp_path: Path, told: bool
) -> None:
    job = ledger.job()
    pids = tmp_path / "pids"
    ledger.node(job, "test_hang", params={"busy": True, "pid_file": str(pids)})
    bell.ring(job)
    wait_for(pids.exists)
    ledger.db.execute("update job set status = 'cancelling', cancel_requested_at = now() where id = %s", (job,))
    if told:
        bell.cancel(job)
    run = ledger.ends(job)
    assert run["status"] == "cancelled"
    assert all(wait_for(lambda pid=pid: gone(int(pid))) for pid in pids.read_text().split())
    assert ledger.types(job)[-1] == "node.cancelled"


def test_a_result_that_races_a_cancel_is_discarded(
    ledger: Ledger, bell: Bell, worker: WorkerProcess, buckets: Buckets
) -> None:
    job = ledger.job()
    ledger.node(job, "test_write_file", params={"pause_s": 0.3})
    bell.ring(job)
    ledger.ends(job, status="running")
    ledger.db.execute("update job set status = 'cancelling' where id = %s", (job,))  # not yet heard by the worker
    assert ledger.ends(job)["status"] == "cancelled"
    assert ledger.artifacts(job) == []
    assert ledger.types(job) == ["node.running", "node.cancelled"]
    assert list(buckets.client.list_objects(bucket_name="artifacts", recursive=True)) == []


def test_a_lost_claim_publishes_nothing_and_deletes_its_objects(
    ledger: Ledger, bell: Bell, worker: WorkerProcess, buckets: Buckets, tmp_path: Path
) -> None:
    job = ledger.job()
    ledger.node(job, "test_write_file", params={"pause_s": 0.8})
    bell.ring(job)
    ledger.ends(job, status="running")
    ledger.db.execute("update node_run set epoch = epoch + 1 where job_id = %s", (job,))  # somebody else claimed it
    wait_for(lambda: "attempt.fenced" in (tmp_path / "worker.log").read_text(), what="fencing")
    assert ledger.artifacts(job) == []
    assert ledger.types(job) == ["node.running"]
    assert list(buckets.client.list_objects(bucket_name="artifacts", recursive=True)) == []


def test_progress_and_events_are_published(ledger: Ledger, bell: Bell, worker: WorkerProcess) -> None:
    job = ledger.job()
    ledger.node(job, "test_noop", params={"ticks": 20, "pause_s": 0.05})
    heard = bell.redis.pubsub(ignore_subscribe_messages=True)
    heard.subscribe(EVENTS.format(job_id=job), "rg:wake")
    heard.get_message(timeout=1)
    bell.ring(job)
    messages = []
    while not messages or messages[-1]["channel"] != b"rg:wake":
        message = heard.get_message(timeout=5)
        if message:
            messages.append(message)
    assert messages[-1]["data"].decode() == job
    events = [json.loads(message["data"]) for message in messages[:-1]]
    assert [event["seq"] for event in events if event.get("seq")] == [1, 2]
    ticks = [event for event in events if event["type"] == "progress"]
    assert ticks[0]["progress"] == 0.05
    assert 3 <= len(ticks) <= 7  # 1 s at 4 a second
    assert all(tick["node"] == "node" and tick["stage"] == "ticking" for tick in ticks)
    assert ticks[-1]["etaSeconds"] < 1
    assert wait_for(lambda: not bell.redis.hgetall(TICKS.format(job_id=job)))


def test_a_child_knows_no_secret(ledger: Ledger, bell: Bell, worker: WorkerProcess, addresses: Addresses) -> None:
    job = ledger.job()
    ledger.node(job, "test_environment")
    bell.ring(job)
    value = ledger.ends(job)["result"]["value"]
    text = json.dumps(value["names"])
    assert not [name for name in value["names"] if name.startswith("REELGRAPH_WORKER_")]
    assert not [secret for secret in (addresses.dsn, addresses.s3_secret_key, addresses.redis_url) if secret in text]
    assert value["names"]["HF_HUB_OFFLINE"] == "1"
    assert value["oom_score_adj"] == 900


def test_a_warm_child_is_reused(ledger: Ledger, bell: Bell, worker: WorkerProcess) -> None:
    job = ledger.job()
    pids = set()
    for number in range(4):
        ledger.node(job, "test_environment", path=f"n{number}")
        bell.ring(job, f"n{number}")
        pids.add(ledger.ends(job, f"n{number}")["result"]["value"]["pid"])
    assert len(pids) <= 2


def test_the_manifest_names_tasks_and_queues_and_goes_with_the_worker(
    ledger: Ledger, bell: Bell, addresses: Addresses, tmp_path: Path
) -> None:
    with running_worker(addresses, log=tmp_path / "worker.log"):
        (key,) = bell.redis.keys(MANIFEST_PATTERN)
        manifest = json.loads(bell.redis.get(key) or b"")
        assert manifest["tasks"]["test_noop"]["enabled"]
        assert manifest["queues"]["test_noop"] == "cpu"
        assert 0 < bell.redis.ttl(key) <= 15
        row = wait_for(lambda: ledger.db.execute("select * from worker").fetchone())
        assert row["manifest"]["tasks"].keys() == manifest["tasks"].keys()
    assert bell.redis.keys(MANIFEST_PATTERN) == []
    row = ledger.db.execute("select draining from worker").fetchone()
    assert row == {"draining": True}
