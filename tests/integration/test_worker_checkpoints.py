"""What a task keeps outlives its process and its worker, and never a lost claim or other params."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compose.services import Addresses
from tests.services import Buckets
from tests.worker_process import Bell, Ledger, running_worker, wait_for

TASK = "test_count"


@pytest.fixture
def ledger(addresses: Addresses) -> Iterator[Ledger]:
    ledger = Ledger(addresses.dsn)
    yield ledger
    ledger.db.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


@pytest.fixture
def bell(addresses: Addresses) -> Bell:
    return Bell(addresses.redis_url)


def keys(buckets: Buckets) -> list[str]:
    return [str(one.object_name) for one in buckets.client.list_objects(bucket_name="artifacts", recursive=True)]


def value(run: dict[str, Any]) -> dict[str, Any]:
    assert run["status"] == "succeeded", run["error"]
    return run["result"]["value"]


def kept_step(ledger: Ledger, job: str) -> int:
    return (ledger.run(job)["checkpoint"] or {"step": 0})["step"]


def test_a_crashed_child_goes_on_where_it_kept_and_ends_as_if_nothing_had_been(
    ledger: Ledger, addresses: Addresses, log: Path, buckets: Buckets, bell: Bell
) -> None:
    with running_worker(addresses, log=log):
        plain, broken = ledger.job(), ledger.job()
        ledger.node(plain, TASK)
        ledger.node(broken, TASK, params={"die_at": 23})
        bell.ring(plain)
        bell.ring(broken)
        undisturbed = value(ledger.ends(plain))
        resumed = value(ledger.ends(broken))
    assert resumed == {"digest": undisturbed["digest"], "began_at": 20, "attempt": 2}
    lines = [event["body"] for event in ledger.events(broken) if event["type"] == "log"]
    assert lines == [{"message": "goes on from what an earlier attempt kept", "facts": {"step": 20}}]
    assert sorted(key.rpartition("/")[2] for key in keys(buckets)) == ["count.txt", "count.txt"]


@pytest.mark.parametrize(("edited", "began_at"), [({}, 10), ({"salt": "other"}, 0)])
def test_a_run_that_was_given_back_goes_on_unless_its_params_were_edited(
    ledger: Ledger, addresses: Addresses, log: Path, bell: Bell, edited: dict[str, Any], began_at: int
) -> None:
    job = ledger.job()
    ledger.node(job, TASK, params={"hang_at": 13})
    with running_worker(addresses, log=log) as worker:
        bell.ring(job)
        wait_for(lambda: kept_step(ledger, job) == 10, what="the second checkpoint")
        assert worker.stop() == 0
    ledger.db.execute(
        "update node_run set attempts = 1, input = jsonb_set(input, '{params}', input -> 'params' || %s) where job_id = %s",
        (json.dumps(edited), job),
    )
    with running_worker(addresses, log=log):
        assert value(ledger.ends(job))["began_at"] == began_at


def test_what_a_lost_claim_keeps_counts_for_nothing(
    ledger: Ledger, addresses: Addresses, log: Path, buckets: Buckets, bell: Bell
) -> None:
    with running_worker(addresses, log=log, TIME_SCALE="1"):
        job = ledger.job()
        ledger.node(job, TASK, params={"steps": 2000, "every": 1})
        bell.ring(job)
        wait_for(lambda: kept_step(ledger, job), what="a checkpoint")
        ledger.db.execute("update node_run set epoch = 2 where job_id = %s", (job,))
        kept = ledger.run(job)["checkpoint"]
        wait_for(lambda: "checkpoint.fenced" in log.read_text(), what="a fenced checkpoint")
        wait_for(lambda: "attempt.fenced" in log.read_text(), what="the end of the lost claim")
    assert ledger.run(job)["checkpoint"] == kept
    assert keys(buckets) == [kept["key"]]


def test_a_cancelled_run_leaves_no_checkpoint_behind(
    ledger: Ledger, addresses: Addresses, log: Path, buckets: Buckets, bell: Bell
) -> None:
    with running_worker(addresses, log=log):
        job = ledger.job()
        ledger.node(job, TASK, params={"hang_at": 13})
        bell.ring(job)
        wait_for(lambda: kept_step(ledger, job) == 10, what="a checkpoint")
        assert len(keys(buckets)) == 1
        ledger.db.execute("update job set status = 'cancelling', cancel_requested_at = now() where id = %s", (job,))
        bell.cancel(job)
        ledger.ends(job, status="cancelled")
    assert keys(buckets) == []


def test_a_file_outside_of_the_attempts_folder_is_not_kept(
    ledger: Ledger, addresses: Addresses, log: Path, bell: Bell, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    with running_worker(addresses, log=log):
        job = ledger.job()
        ledger.node(job, TASK, params={"stray": str(secret)})
        bell.ring(job)
        assert value(ledger.ends(job))["attempt"] == 1
    assert ledger.run(job)["checkpoint"] is None
    assert secret.read_text() == "not yours"


def test_a_checkpoint_whose_object_is_gone_means_to_begin_again(
    ledger: Ledger, addresses: Addresses, log: Path, buckets: Buckets, bell: Bell
) -> None:
    job = ledger.job()
    ledger.node(job, TASK, params={"hang_at": 13})
    with running_worker(addresses, log=log) as worker:
        bell.ring(job)
        wait_for(lambda: kept_step(ledger, job) == 10, what="a checkpoint")
        assert worker.stop() == 0
    ledger.db.execute("update node_run set attempts = 1 where job_id = %s", (job,))
    buckets.client.remove_object("artifacts", ledger.run(job)["checkpoint"]["key"])
    with running_worker(addresses, log=log):
        assert value(ledger.ends(job))["began_at"] == 0
