"""The judge after every fault: reads Postgres, S3 and the process table, and names each broken invariant.

The invariants are those of RELIABILITY 4.1 (I1-I4, I6, I9). It shares no statement with the product.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from typing import Any

import psutil

_FAULTS = {
    "I1 a job did not end": """
        select id, status from job where status not in ('completed', 'failed', 'cancelled', 'awaiting_approval')""",
    "I1 a job ended without an end time, or has work left": """
        select id, status, wake, woken from job where status in ('completed', 'failed', 'cancelled')
            and (ended_at is null or wake > woken and status <> 'failed' and lease_until > now())""",
    "I2 a run of an ended job is not terminal": """
        select r.job_id, r.node_path, r.status from node_run r join job j on j.id = r.job_id
        where j.status in ('completed', 'cancelled') and r.status in ('ready', 'dispatched', 'running')
            or j.status = 'failed' and r.status in ('dispatched', 'running')""",
    "I2 a completed job lacks the result of a node": """
        select j.id, n.value ->> 'id' from job j, jsonb_array_elements(j.plan -> 'nodes') as n
        where j.status = 'completed' and n.value ->> 'foreach' is null and not exists (
            select 1 from node_run r where r.job_id = j.id and r.node_id = n.value ->> 'id'
                and r.status = 'succeeded' and r.result is not null)""",
    "I2 a result was told more or less than once": """
        select r.job_id, r.node_path, count(e.seq) from node_run r
        left join event e on e.job_id = r.job_id and e.node_path = r.node_path
            and e.type in ('node.completed', 'approval.answered')
        where r.status = 'succeeded' group by 1, 2 having count(e.seq) <> 1""",
    "I2 the end of a job was told more or less than once": """
        select j.id, j.status, count(e.seq) from job j
        left join event e on e.job_id = j.id and e.type = 'job.' || j.status
        where j.status in ('completed', 'cancelled') group by 1, 2 having count(e.seq) <> 1""",
    "I3 an artifact belongs to another claim than the committed one": """
        select a.job_id, a.node_path, a.epoch, r.epoch from artifact a
        join node_run r on r.job_id = a.job_id and r.node_path = a.node_path
        where r.status = 'succeeded' and a.role = 'output' and a.epoch <> r.epoch""",
    "I3 an artifact of a run that never committed": """
        select a.job_id, a.node_path, r.status from artifact a
        join node_run r on r.job_id = a.job_id and r.node_path = a.node_path
        where r.status in ('cancelled', 'dead') and r.attempts = 0""",
    "I4 the events of a job have a gap or a double": """
        select j.id, j.last_seq, count(e.seq), min(e.seq), max(e.seq) from job j left join event e on e.job_id = j.id
        group by 1, 2 having count(e.seq) <> j.last_seq or max(e.seq) <> j.last_seq or min(e.seq) <> 1""",
    "I6 a claim was not told, or told twice": """
        select r.job_id, r.node_path, r.epoch, count(e.seq) from node_run r
        left join event e on e.job_id = r.job_id and e.node_path = r.node_path and e.type = 'node.running'
        where r.queue in ('cpu', 'gpu') group by 1, 2, 3 having count(e.seq) <> r.epoch""",
    "I9 a lease lives on": """
        select r.job_id, r.node_path, r.lease_until from node_run r join job j on j.id = r.job_id
        where j.status in ('completed', 'failed', 'cancelled') and r.status = 'running' and r.lease_until > now()""",
    "I9 a doorbell was never sent": """
        select o.id, o.body, now() - o.created_at from outbox o
        where o.sent_at is null and o.created_at < now() - interval '5 seconds'""",
}


def broken_invariants(dsn: str, store: Any, *, bucket: str = "artifacts") -> list[str]:
    """Return one line for every broken invariant; `store` is a Minio client."""
    import psycopg

    found: list[str] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name, statement in _FAULTS.items():
            found += [f"{name}: {tuple(map(str, row))}" for row in connection.execute(statement).fetchall()]  # type: ignore[arg-type]
        rows = connection.execute(
            "select a.object_key, a.size_bytes, a.sha256 from artifact a join job j on j.id = a.job_id"
        ).fetchall()
        runs = connection.execute(
            "select j.owner_id, r.job_id, r.node_path, r.epoch from node_run r join job j on j.id = r.job_id"
            " where j.status in ('completed', 'failed', 'cancelled')"
        ).fetchall()
        kept = connection.execute(
            "select r.checkpoint ->> 'key' from node_run r join job j on j.id = r.job_id where r.checkpoint is not null"
            " and r.status not in ('succeeded', 'cancelled') and j.status not in ('completed', 'cancelled')"
        ).fetchall()
    objects = {str(one.object_name) for one in store.list_objects(bucket_name=bucket, recursive=True)}
    for key, size_bytes, sha256 in rows:
        if key not in objects:
            found.append(f"I3 an artifact has no object: {key}")
        elif (digest := _digest(store, bucket, key)) != (sha256.removeprefix("sha256:"), size_bytes):
            found.append(f"I3 an object is not what its row says: {key} {digest} {sha256} {size_bytes}")
    found += [f"I3 a kept checkpoint has no object: {key}" for (key,) in kept if key not in objects]
    known = {key for key, _, _ in rows} | {key for (key,) in kept}
    claims = {f"{owner}/{job}/{path}/": epoch for owner, job, path, epoch in runs}
    found += [f"I9 an object has no row: {key}" for key in sorted(objects - known) if _must_be_gone(key, claims)]
    return found


def processes_of(marker: str) -> list[psutil.Process]:
    """Return every living process that inherited `marker` in its environment (`NAME=value`)."""
    wanted = marker.encode()
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            with open(f"/proc/{process.pid}/environ", "rb") as file:
                here = wanted in file.read().split(b"\0")
            if here and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (OSError, psutil.Error):
            continue
    return found


def orphans(marker: str, *, supervisor: int) -> list[str]:
    """Return the processes of a stack that are not (any more) below its supervisor."""
    found = processes_of(marker)  # before the family: what is born meanwhile is no stray
    family = {supervisor}
    with contextlib.suppress(psutil.NoSuchProcess):
        family |= {child.pid for child in psutil.Process(supervisor).children(recursive=True)}
    return [_described(one) for one in found if one.pid not in family and one.is_running()]


def _described(process: psutil.Process) -> str:
    try:
        return f"{process.pid} (child of {process.ppid()}): {' '.join(process.cmdline())[:200]}"
    except psutil.Error:
        return f"{process.pid} (gone)"


def _digest(store: Any, bucket: str, key: str) -> tuple[str, int]:
    response = store.get_object(bucket_name=bucket, object_name=key)
    try:
        content = response.read()
    finally:
        response.close()
        response.release_conn()
    return hashlib.sha256(content).hexdigest(), len(content)


def _must_be_gone(key: str, claims: dict[str, int]) -> bool:
    """Tell whether an object without a row is a fault: of a run claimed once it is.

    A worker that was killed between upload and commit cannot take its objects back; they are for a reaper.
    """
    return any(key.startswith(prefix) and epoch == 1 for prefix, epoch in claims.items())


def counted(lines: Iterable[str]) -> dict[tuple[str, str, str], int]:
    """Return how often each `(job, node, begin|end)` stands in an effect ledger."""
    counts: dict[tuple[str, str, str], int] = {}
    for line in lines:
        job, node, _attempt, _pid, what = line.split()
        counts[job, node, what] = counts.get((job, node, what), 0) + 1
    return counts
