"""A worker inside the test process: a thread that claims and commits through `work.sql`, with no media code.

The task `noop` does what its params say: `ticks` (progress ticks), `hold` (wait until the test calls `let_go`),
`fails` (fail while the attempt number is at most this) and `value`. `render_video` returns a reference to nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
import uuid
from typing import Any, Self

import asyncpg
import redis.asyncio
from redis.exceptions import RedisError

from compose.services import Addresses
from schemas.channels import DOORBELL, EVENTS, MANIFEST, MANIFEST_CHANGED, WAKE
from schemas.events import live
from schemas.queries import queries, set_codecs

JSON = {"type": "object", "kind": "json"}
MANIFEST_BODY: dict[str, Any] = {
    "tasks": {
        "noop": {
            "description": "Do as the params say.",
            "inputs": {"value": {**JSON, "optional": True}, "items": {"type": "array", "kind": "json", "optional": True}},
            "outputs": {"value": JSON},
            "params": {
                "type": "object",
                "properties": {
                    "ticks": {"type": "integer"}, "hold": {"type": "string"}, "fails": {"type": "integer"},
                    "value": {"type": "integer"},
                },
                "additionalProperties": False,
            },
        },
        "read_script": {
            "description": "Return the script.",
            "inputs": {"script": {"type": "object", "kind": "script"}},
            "outputs": {"value": JSON},
        },
        "render_video": {
            "description": "Pretend to render.",
            "variants": ["svd", "sadtalker"],
            "backends": {"svd": "fake", "sadtalker": "fake"},
        },
        "train_lora": {"enabled": False, "reason": "no diffusion base model is configured"},
        "train_voice": {"enabled": False, "reason": "no voice base model is configured"},
    },
    "queues": dict.fromkeys(("noop", "read_script", "render_video", "train_lora", "train_voice"), "cpu"),
}  # fmt: skip


class FakeWorker:
    """Advertised when the context is entered; serves the queue `cpu` until it is left."""

    def __init__(self, addresses: Addresses) -> None:
        self._at = addresses
        self._boot = uuid.uuid4()
        self._ready, self._stop = threading.Event(), threading.Event()
        self._held: dict[str, threading.Event] = {}
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="fake-worker", daemon=True)
        self.claims: list[tuple[str, str]] = []
        """(job id, node path) of every claim, in order."""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the fake worker did not come up"
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for held in self._held.values():
            held.set()
        self._thread.join(10)
        if self._error is not None:
            raise self._error

    def let_go(self, name: str) -> None:
        """Let every run with `hold: name` end, now and later."""
        self._held.setdefault(name, threading.Event()).set()

    def claims_of(self, job_id: str) -> list[str]:
        return [path for job, path in self.claims if job == job_id]

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._redis = redis.asyncio.Redis.from_url(self._at.redis_url, socket_timeout=None)
        self._pool = await asyncpg.create_pool(self._at.dsn, min_size=1, max_size=4, init=set_codecs)
        self._sql = queries("work")
        async with self._redis, self._redis.pubsub() as bell, asyncio.TaskGroup() as runs:
            await bell.subscribe(DOORBELL.format(queue="cpu"))
            advertised_at = 0.0
            while not self._stop.is_set():
                if time.monotonic() - advertised_at > 1.0:
                    await self._advertise()
                    advertised_at = time.monotonic()
                self._ready.set()
                while claimed := await self._claimed():
                    runs.create_task(self._work(claimed))
                with contextlib.suppress(RedisError):
                    await bell.get_message(ignore_subscribe_messages=True, timeout=0.03)
        await self._pool.close()

    async def _advertise(self) -> None:
        async with self._pool.acquire() as db:
            await self._sql.register_worker(
                db, boot=self._boot, host="fake", gpu_uuid=None, queues=["cpu"], slots=4, manifest=MANIFEST_BODY
            )
        await self._redis.set(MANIFEST.format(boot=self._boot), json.dumps(MANIFEST_BODY), ex=15)
        await self._redis.publish(MANIFEST_CHANGED, "1")

    async def _claimed(self) -> Any:
        async with self._pool.acquire() as db:
            rows = [row async for row in self._sql.ready_runs(db, queues=["cpu"], stale_s=0.0, count=1)]
            if not rows:
                return None
            return await self._sql.claim_run(
                db, job_id=rows[0]["job_id"], node_path=rows[0]["node_path"], boot=self._boot, lease_s=15.0,
                queues=["cpu"],
            )  # fmt: skip

    async def _work(self, run: Any) -> None:
        job_id, path = str(run["job_id"]), run["node_path"]
        self.claims.append((job_id, path))
        await self._publish(job_id, run["seq"], "node.running", path, run["body"])
        key = {"job_id": run["job_id"], "node_path": path, "epoch": run["epoch"]}
        params, inputs = run["input"]["params"], run["input"]["inputs"]
        for tick in range(params.get("ticks", 0)):
            body = {"progress": (tick + 1) / params["ticks"], "step": tick + 1, "steps": params["ticks"]}
            await self._publish(job_id, None, "progress", path, body)
        if "hold" in params and not await self._held_until_let_go(params["hold"], key):
            return
        attempt = run["attempts"] + run["crashes"] + 1
        if attempt <= params.get("fails", 0):
            error = {"kind": "input", "code": "told_to_fail", "message": "this task fails as told"}
            event = {"type": "node.failed", "body": {"status": "failed", "error": error}}
            await self._record("fail_run", [event], key, error=error, delay_s=None)
            return
        value = {"n": params.get("value", 0), "attempt": attempt, "got": inputs.get("value") or inputs.get("script")}
        result = {"video": {"kind": "video", "name": "fake.mp4"}} if run["task"] == "render_video" else {"value": value}
        event = {"type": "node.completed", "body": {"status": "completed", "progress": 1.0}}
        await self._record("commit_run", [event], key, result=result)

    async def _held_until_let_go(self, name: str, key: dict[str, Any]) -> bool:
        """Wait; False when the run was cancelled meanwhile (and has been stopped)."""
        held = self._held.setdefault(name, threading.Event())
        while not held.is_set() and not self._stop.is_set():
            async with self._pool.acquire() as db:
                rows = [
                    row async for row in self._sql.renew_runs(
                        db, job_ids=[key["job_id"]], node_paths=[key["node_path"]], epochs=[key["epoch"]],
                        progress=[0.0], lease_s=15.0,
                    )
                ]  # fmt: skip
            if not rows or rows[0]["cancel"]:
                async with self._pool.acquire() as db:
                    answer = await self._sql.stop_run(db, **key, release=False)
                if answer is not None:
                    await self._publish(
                        str(key["job_id"]), answer["seq"], "node.cancelled", key["node_path"], {"status": "cancelled"}
                    )
                    await self._redis.publish(WAKE, str(key["job_id"]))
                return False
            await asyncio.sleep(0.02)
        return True

    async def _record(self, verb: str, events: list[dict[str, Any]], key: dict[str, Any], **facts: Any) -> None:
        async with self._pool.acquire() as db:
            answer = await getattr(self._sql, verb)(db, **key, **facts, artifacts=[], events=events)
        if answer is None:
            return
        job_id = str(key["job_id"])
        for index, event in enumerate(events):
            seq = answer["seq"] - len(events) + 1 + index
            await self._publish(job_id, seq, event["type"], key["node_path"], event["body"])
        await self._redis.publish(WAKE, job_id)

    async def _publish(self, job_id: str, seq: int | None, type_: str, node: str, body: dict[str, Any]) -> None:
        message = live(job_id, seq=seq, ts=time.time(), type_=type_, node=node, body=body)
        await self._redis.publish(EVENTS.format(job_id=job_id), message.model_dump_json(exclude_none=True))
