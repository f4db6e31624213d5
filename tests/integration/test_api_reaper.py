"""What a dead worker left in S3 goes after a day; what a row names stays."""

import io
from datetime import timedelta

import asyncpg

from compose.services import Addresses
from control_api.objects import Objects
from control_api.reaper import reap
from graphs.database import Database, open_pool
from tests.services import Buckets


async def test_only_old_objects_without_a_row_are_deleted(addresses: Addresses, buckets: Buckets) -> None:
    kept = ["me/job/render/1/kept.mp4", "me/job/train/checkpoints/1-0002.pt"]
    for key in (*kept, "me/job/render/1/orphan.mp4", "me/job/train/checkpoints/1-0001.pt", "me/job/over/checkpoints/1"):
        buckets.client.put_object("artifacts", key, io.BytesIO(b"x"), 1)
    objects = Objects(
        endpoint=addresses.s3_endpoint,
        access_key=addresses.s3_access_key,
        secret_key=addresses.s3_secret_key,
        secure=False,
    )
    pool: asyncpg.Pool = await open_pool(addresses.dsn, name="test", max_size=2)
    try:
        await pool.execute(_JOB)
        await pool.execute(_ARTIFACT)
        await pool.execute(_RUNS)
        database = Database(pool)
        assert await reap(objects, database, older_than=timedelta(hours=24)) == 0
        assert await reap(objects, database, older_than=timedelta(0)) == 3
    finally:
        await pool.close()
    left = [each.object_name for each in buckets.client.list_objects("artifacts", recursive=True)]
    assert left == kept


_ID = "00000000-0000-0000-0000-00000000000a"
_JOB = f"""
insert into job (id, tenant_id, owner_id, status, title, mode, request, request_hash, plan, plan_digest, graph_version,
    deadline_at)
values ('{_ID}', '{_ID}', '{_ID}', 'failed', 't', 'plan', '{{}}', '', '{{}}', 'sha256:0', 1, now())
"""
_ARTIFACT = f"""
insert into artifact (id, tenant_id, owner_id, job_id, node_path, epoch, name, kind, size_bytes, sha256, object_key)
values ('{_ID}', '{_ID}', '{_ID}', '{_ID}', 'render', 1, 'kept.mp4', 'video', 1, '', 'me/job/render/1/kept.mp4')
"""
_RUNS = f"""
insert into node_run (job_id, node_path, node_id, tenant_id, owner_id, queue, task, status, input, input_hash, checkpoint)
values ('{_ID}', 'train', 'train', '{_ID}', '{_ID}', 'cpu', 't', 'failed', '{{}}', '',
        '{{"key": "me/job/train/checkpoints/1-0002.pt"}}'),
    ('{_ID}', 'over', 'over', '{_ID}', '{_ID}', 'cpu', 't', 'succeeded', '{{}}', '',
        '{{"key": "me/job/over/checkpoints/1"}}')
"""
