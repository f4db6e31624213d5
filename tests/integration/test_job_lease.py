"""The lease of a job: held for one advance, renewed while held, free from the moment it is let go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest

from graphs.database import Database, open_pool

OWNER = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
async def ledger(database: str) -> AsyncIterator[Database]:
    pool = await open_pool(database, name="test", max_size=2)
    yield Database(pool)
    await pool.close()


@pytest.fixture
def job_id(database: str) -> str:
    """A running job with something to advance."""
    found = str(uuid4())
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(
            "insert into job (id, tenant_id, owner_id, status, title, mode, request, request_hash, plan, plan_digest,"
            " graph_version, deadline_at, wake) values (%s, %s, %s, 'running', 't', 'plan', '{}', '', '{}', 'd', 1,"
            " now() + interval '1 hour', 1)",
            (found, OWNER, OWNER),
        )
    return found


def wake(database: str, job_id: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("update job set wake = wake + 1 where id = %s", (job_id,))


async def take(ledger: Database, job_id: str, *, runner: str = "one") -> dict[str, object] | None:
    return await ledger.one("take_job", id=job_id, runner=runner, lease_s=15.0)


async def release(ledger: Database, job: dict[str, object]) -> None:
    await ledger.one("release_job", id=job["id"], runner="one", epoch=job["epoch"], wake=job["wake"], status=None,
                     error=None, result=None, events=[])  # fmt: skip


async def test_a_held_job_is_nobody_elses(ledger: Database, database: str, job_id: str) -> None:
    assert await take(ledger, job_id)
    wake(database, job_id)
    assert await ledger.all("renew_jobs", ids=[job_id], runner="one", lease_s=15.0)
    assert await take(ledger, job_id, runner="two") is None


async def test_a_renewal_that_comes_after_the_release_holds_nothing(
    ledger: Database, database: str, job_id: str
) -> None:
    """The renewal runs beside the advances; it stalled a job for a whole lease when it came a moment too late."""
    job = await take(ledger, job_id)
    assert job is not None
    await release(ledger, job)
    wake(database, job_id)

    assert await ledger.all("renew_jobs", ids=[job_id], runner="one", lease_s=15.0) == []
    assert await take(ledger, job_id, runner="two")
