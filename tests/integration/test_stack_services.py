"""The embedded servers: contents per test, restart on the same port and data, nothing left behind."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from compose.services import Services, make_buckets
from tests.services import Buckets


def test_a_test_gets_a_database_at_the_current_schema(database: str) -> None:
    with psycopg.connect(database) as connection:
        names = {row[0] for row in connection.execute("select tablename from pg_tables where schemaname = 'public'")}
    assert {"job", "node_run", "event", "outbox", "checkpoints"} <= names


def test_a_test_gets_an_empty_valkey(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    assert client.dbsize() == 0
    client.set("left", "over")
    client.close()


def test_a_test_gets_empty_buckets_and_keeps_what_it_writes(buckets: Buckets) -> None:
    assert not list(buckets.client.list_objects(bucket_name=buckets.uploads, recursive=True))
    buckets.client.put_object(bucket_name=buckets.uploads, object_name="a/b", data=io.BytesIO(b"x" * 10), length=10)
    response = buckets.client.get_object(bucket_name=buckets.uploads, object_name="a/b")
    assert response.read() == b"x" * 10
    response.close()


def test_wrong_passwords_are_refused(services: Services) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(services.postgres.dsn().replace(services.postgres.password, "wrong"))
    with socket.create_connection(("127.0.0.1", services.valkey.port)) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100).startswith(b"-NOAUTH")


@pytest.mark.slow
def test_killed_servers_come_back_on_the_same_port_with_their_data_and_leave_no_process(tmp_path: Path) -> None:
    own = Services(tmp_path)
    own.start()
    try:
        make_buckets(own.addresses)
        addresses = own.addresses
        with psycopg.connect(addresses.dsn, autocommit=True) as connection:
            connection.execute("create table kept as select 42 as answer")
        client = redis.Redis.from_url(addresses.redis_url)
        client.set("kept", "42")
        client.execute_command("WAITAOF", 1, 0, 2_000)
        s3 = Buckets(_minio(own)).client
        s3.put_object(bucket_name="models", object_name="kept", data=io.BytesIO(b"42"), length=2)
        family = [process for child in own.children.values() for process in _family(child.pid)]

        for child in own.children.values():
            os.kill(child.pid, signal.SIGKILL)
            assert child.wait(timeout_s=5)
        assert set(own.revive()) == {"postgres", "valkey", "s3"}

        assert own.addresses == addresses
        with psycopg.connect(addresses.dsn) as connection:
            assert connection.execute("select answer from kept").fetchone() == (42,)
        assert client.get("kept") == b"42"
        client.close()
        assert s3.get_object(bucket_name="models", object_name="kept").read() == b"42"
        family += [process for child in own.children.values() for process in _family(child.pid)]
    finally:
        own.stop()
    psutil.wait_procs(family, timeout=5)
    assert not [process for process in family if process.is_running()]
    assert not list(Path("/tmp").glob(f"seaweedfs-*{own.s3.ports['s3.grpc']}*"))
    assert "database system is shut down" in own.postgres.log.read_text()


@pytest.mark.slow
def test_servers_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from compose.services import Services\n"
        "s = Services(Path(sys.argv[1])); s.start()\n"
        "print(*(child.pid for child in s.children.values()), flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        family = [process for word in parent.stdout.readline().split() for process in _family(int(word))]
        parent.kill()
    assert len(family) >= 8  # Postgres is several
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive


def test_a_remembered_port_that_someone_took_is_replaced(tmp_path: Path) -> None:
    first = Services(tmp_path).valkey
    with socket.create_server(("127.0.0.1", first.port)):
        second = Services(tmp_path).valkey
    assert second.port != first.port
    assert second.password == first.password


def test_a_server_that_cannot_start_is_reported_with_its_log_and_the_others_are_stopped(tmp_path: Path) -> None:
    own = Services(tmp_path)
    own.valkey.folder.mkdir()
    (own.valkey.folder / "appendonlydir").write_text("in the way")
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="valkey did not answer"):
        own.start(timeout_s=3.5)
    assert not own.children
    assert time.monotonic() - began < 15


def _minio(own: Services) -> object:
    from minio import Minio

    at = own.addresses
    return Minio(endpoint=at.s3_endpoint, access_key=at.s3_access_key, secret_key=at.s3_secret_key, secure=False)


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
