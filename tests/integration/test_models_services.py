"""Models with real services: the bucket is mirrored by a worker, and a run goes to the worker that has its model."""

from __future__ import annotations

import io
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import redis

from compose.services import Addresses
from schemas.channels import MANIFEST_PATTERN
from tests.model_files import SD15, weights_file
from tests.services import Buckets
from tests.worker_process import Bell, Ledger, running_worker, wait_for
from worker.affinity import WARM
from worker.models.bucket import ModelBucket
from worker.models.mirror import mirror


@pytest.fixture
def ledger(addresses: Addresses) -> Iterator[Ledger]:
    ledger = Ledger(addresses.dsn)
    yield ledger
    ledger.db.close()


def store(buckets: Buckets, name: str, data: bytes, **metadata: str) -> None:
    buckets.client.put_object(
        bucket_name="models", object_name=name, data=io.BytesIO(data), length=len(data), metadata=metadata
    )


def test_the_real_bucket_is_mirrored_with_its_digests_checked(buckets: Buckets, tmp_path: Path) -> None:
    import hashlib

    good = weights_file(tmp_path / "a.safetensors", SD15).read_bytes()
    store(buckets, "plain.safetensors", good)
    store(buckets, "folder/a.safetensors", good, sha256=hashlib.sha256(good).hexdigest())
    store(buckets, "wrong.safetensors", good, sha256="0" * 64)
    done = mirror(ModelBucket(buckets.client), tmp_path / "models")
    assert sorted(done.fetched) == ["folder/a.safetensors", "plain.safetensors"]
    assert list(done.refused) == ["wrong.safetensors"]
    assert (tmp_path / "models" / "folder" / "a.safetensors").read_bytes() == good
    assert mirror(ModelBucket(buckets.client), tmp_path / "models").fetched == []


def test_a_bucket_that_cannot_be_read_is_an_outage_not_a_crash(tmp_path: Path) -> None:
    import urllib3
    from minio import Minio

    http = urllib3.PoolManager(timeout=1.0, retries=urllib3.Retry(total=0))
    nowhere = Minio(endpoint="127.0.0.1:9", access_key="a", secret_key="b", secure=False, http_client=http)
    with pytest.raises(ConnectionError):
        mirror(ModelBucket(nowhere), tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_worker_brings_the_bucket_into_its_first_folder(
    addresses: Addresses, buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path / "models"))
    store(buckets, "base.safetensors", weights_file(tmp_path / "base.safetensors", SD15).read_bytes())
    with running_worker(addresses, log=tmp_path / "worker.log"):
        wait_for((tmp_path / "models" / "base.safetensors").exists, what="the model")
        wait_for((tmp_path / "models" / ".digests.json").exists, what="its digest")


def test_a_run_goes_to_the_worker_that_holds_its_model_and_waits_for_it_only_a_moment(
    addresses: Addresses, ledger: Ledger, tmp_path: Path
) -> None:
    bell = Bell(addresses.redis_url)
    client = redis.Redis.from_url(addresses.redis_url)

    def ran(model: str) -> tuple[str, bool]:
        job = ledger.job()
        ledger.node(job, "test_use_model", params={"model": model})
        bell.ring(job)
        run = ledger.ends(job)
        assert run["status"] == "succeeded"
        return str(run["worker_boot"]), run["result"]["value"]["loaded"]

    with running_worker(addresses, log=tmp_path / "a.log", SLOTS="1") as warm:
        boot, loaded = ran("m")
        assert loaded
        wait_for(lambda: client.hexists(WARM, boot), what="its word in Redis")
        advertised = lambda: json.loads(client.get(client.keys(MANIFEST_PATTERN)[0])).get("resident")  # noqa: E731
        wait_for(lambda: advertised() == ["m"], what="the model in its manifest")
        with running_worker(addresses, log=tmp_path / "b.log", SLOTS="1") as cold:
            wait_for(lambda: len(client.keys(MANIFEST_PATTERN)) == 2, what="the second worker")
            assert {ran("m") for _ in range(10)} == {(boot, False)}
            wait_for(lambda: "run.offered" in (tmp_path / "b.log").read_text(), what="an offer")

            warm.process.send_signal(signal.SIGSTOP)  # it listens, and does not answer
            try:
                began = time.monotonic()
                other, loaded = ran("m")
                took_s = time.monotonic() - began
            finally:
                warm.process.send_signal(signal.SIGCONT)
            assert (other != boot, loaded) == (True, True)
            assert took_s < 2.0
            assert cold.process.poll() is None


def test_a_word_about_a_worker_that_is_gone_or_nonsense_costs_nothing(
    addresses: Addresses, ledger: Ledger, tmp_path: Path
) -> None:
    bell = Bell(addresses.redis_url)
    client = redis.Redis.from_url(addresses.redis_url)
    client.hset(WARM, "gone", orjson.dumps({"until": time.time() + 60, "warm": ["test_use_model model=m"]}))
    client.hset(WARM, "old", orjson.dumps({"until": 1, "warm": ["test_use_model model=m"]}))
    with running_worker(addresses, log=tmp_path / "a.log", SLOTS="1"):
        wait_for(lambda: not client.hexists(WARM, "old"), what="the end of an old word")
        client.hset(WARM, "broken", b"\xff{")
        wait_for(lambda: not client.hexists(WARM, "broken"), what="the end of a malformed word")
        job = ledger.job()
        ledger.node(job, "test_use_model", params={"model": "m"})
        bell.ring(job)
        assert ledger.ends(job)["status"] == "succeeded"
