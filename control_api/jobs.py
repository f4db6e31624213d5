"""Jobs as the API sees them: read, snapshot, cancel, retry, approve. Submitting is `submission.py`."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from control_api import views
from graphs.bus import Bus
from graphs.database import Database
from graphs.facades import LOCAL_OWNER, parse_uuid
from schemas.channels import TICKS
from schemas.errors import Conflict, IllegalState, NotFound, ValidationFailed
from schemas.script import Script

Row = dict[str, Any]
GATE_PORT = "script"
"""The one output port of `gate.approve` (schemas/contracts)."""


class Jobs:
    """The caller's jobs."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        *,
        wake: Callable[[str], None],
        cancel_control: Callable[[str], None],
        redis: Redis,
    ) -> None:
        self._database = database
        self._bus = bus
        self._wake = wake
        self._cancel_control = cancel_control
        self._redis = redis

    async def get(self, job_id: str) -> Row:
        """Return the job row.

        Raises:
            NotFound: unknown, malformed or somebody else's.
        """
        row = await self._database.one("get_job", id=parse_uuid(job_id, what="job"), owner_id=LOCAL_OWNER)
        if row is None:
            raise NotFound("no such job", path="/jobId", got=job_id, hint="GET /api/jobs lists yours")
        return row

    async def status(self, job_id: str) -> Row:
        return views.status_view(await self.get(job_id), await self._runs(job_id))

    async def record(self, job_id: str) -> Row:
        job = await self.get(job_id)
        runs = await self._runs(job_id)
        artifacts = await self._database.all("get_artifacts", job_id=job_id)
        return views.record_view(job, runs, artifacts, await self._database.all("approvals", job_id=job_id))

    async def snapshot(self, job_id: str) -> Row:
        """Return the first WebSocket message. The job row is read first: later events only add to it."""
        job = await self.get(job_id)
        runs = await self._runs(job_id)
        artifacts = await self._database.all("get_artifacts", job_id=job_id)
        approvals = await self._database.all("approvals", job_id=job_id)
        snapshot = views.snapshot_view(job, runs, artifacts, approvals)
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            for node, tick in (await self._redis.hgetall(TICKS.format(job_id=job_id))).items():
                self._add_tick(snapshot, _text(node), orjson.loads(tick))
        return snapshot

    async def events(self, job_id: str, *, after: int, count: int) -> list[Row]:
        await self.get(job_id)
        return await self._database.all("events_after", job_id=job_id, after=after, count=count)

    async def page(self, *, limit: int, cursor: str | None, filters: Mapping[str, Any]) -> Row:
        """Return `{"items", "next"}`, newest first."""
        before_at, before_id = decode_cursor(cursor)
        rows = await self._database.all(
            "list_jobs",
            **{**filters, "owner_id": LOCAL_OWNER, "before_at": before_at, "before_id": before_id, "count": limit + 1},
        )
        return {"items": [views.list_view(row) for row in rows[:limit]], "next": encode_cursor(rows, limit)}

    async def cancel(self, job_id: str) -> Row:
        """Ask for a cancel; repeating it changes nothing.

        Raises:
            IllegalState: the job is completed.
        """
        answer = await self._database.one("cancel_job", id=parse_uuid(job_id, what="job"), owner_id=LOCAL_OWNER)
        if answer is None:
            raise NotFound("no such job", path="/jobId", got=job_id)
        if answer["was"] == "completed":
            raise IllegalState("a completed job cannot be cancelled", got="completed", path="/status")
        if answer["fresh"]:
            self._publish(job_id, answer["seq"], "job.cancelling", {"status": "cancelling"})
            self._cancel_control(job_id)
            self._bus.cancel(job_id)
            self._wake(job_id)
        return {"jobId": job_id, "status": "cancelled" if answer["was"] == "cancelled" else "cancelling"}

    async def retry(self, job_id: str, *, params: dict[str, dict[str, Any]]) -> Row:
        """Run the failed nodes again, with edited params when given; what succeeded is kept.

        Raises:
            IllegalState: the job is not failed, or has no plan.
            ValidationFailed: params name a node that did not fail.
        """
        job = await self.get(job_id)
        if not job["plan"]:
            raise IllegalState(
                "this job has no plan to run again", got=job["status"], path="/status", hint="submit its goal again"
            )
        failed = {row["node_id"] for row in await self._database.all("failed_nodes", id=job_id)}
        if job["status"] == "failed" and (unknown := sorted(set(params) - failed)):
            raise ValidationFailed(
                "params are for nodes that did not fail", path=f"/params/{unknown[0]}", got=unknown,
                allowed=sorted(failed),
            )  # fmt: skip
        answer = await self._database.one("retry_job", id=UUID(job_id), owner_id=LOCAL_OWNER, params=params)
        if answer is None or not answer["fresh"]:
            raise IllegalState("only a failed job can be retried", got=job["status"], allowed=["failed"])
        self._bus.publish(job_id, answer["events"])
        self._wake(job_id)
        return {"jobId": job_id, "status": "running"}

    async def approve(self, job_id: str, *, node: str, question_hash: str, approve: bool, value: Any) -> Row:
        """Answer an open gate; only the question that was asked, only once.

        Raises:
            Conflict: it was answered already, or another question stands there now.
            ValidationFailed: the edited value is not a script.
        """
        job = await self.get(job_id)
        gates = {row["node_path"]: row for row in await self._database.all("approvals", job_id=job_id)}
        gate = gates.get(node)
        if gate is None:
            raise NotFound("this job has no such gate", path="/node", got=node, allowed=sorted(gates))
        if approve and value is not None:
            _checked_script(value)
        answered = value if value is not None else gate["question"].get("question", {}).get("value")
        error = None if approve else {"kind": "input", "code": "rejected", "message": "a person rejected this value"}
        state = "completed" if approve else "failed"
        decision = "approve" if approve else "reject"
        events: list[Row] = [
            {"type": "approval.answered", "node": node, "body": {"decision": decision}},
            {"type": f"node.{state}", "node": node, "body": {"status": state, **({"error": error} if error else {})}},
        ]
        if job["status"] != "running":
            events.append({"type": "job.running", "node": None, "body": {"status": "running"}})
        answer = await self._database.one(
            "answer",
            job_id=job_id,
            owner_id=LOCAL_OWNER,
            node_path=node,
            question_hash=question_hash,
            answer={"decision": decision, "value": answered},
            run_status="succeeded" if approve else "failed",
            result={GATE_PORT: answered} if approve else None,
            error=error,
            events=events,
        )
        if answer is None:
            raise Conflict(
                "this question is not open", path="/questionHash", got=question_hash,
                allowed=gate["question_hash"] if gate["status"] == "open" else None,
                hint="read the job again: it may have been answered, cancelled or asked anew",
            )  # fmt: skip
        first = answer["seq"] - len(events) + 1
        self._bus.publish(job_id, [{**event, "seq": first + index} for index, event in enumerate(events)])
        self._wake(job_id)
        return {"jobId": job_id, "status": "running"}

    def _publish(self, job_id: str, seq: int, type_: str, body: Row) -> None:
        self._bus.publish(job_id, [{"seq": seq, "type": type_, "node": None, "body": body}])

    async def _runs(self, job_id: str) -> list[Row]:
        return await self._database.all("get_runs", job_id=UUID(job_id))

    @staticmethod
    def _add_tick(snapshot: Row, node_path: str, tick: Row) -> None:
        for node in snapshot["nodes"]:
            if node["id"] == node_path and node["status"] == "running":
                node |= {key: tick[key] for key in ("stage", "step", "steps", "etaSeconds", "message") if key in tick}
                node["progress"] = max(node["progress"], tick.get("progress") or 0.0)
        snapshot["progress"] = max(snapshot["progress"], views.progress_of(snapshot["nodes"]))


def _checked_script(value: Any) -> None:
    try:
        Script.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"/{part}" for part in first["loc"])
        raise ValidationFailed(
            f"the edited script is not one: {first['msg']}", path=f"/value{where}", allowed=sorted(Script.model_fields)
        ) from None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def encode_cursor(rows: list[Row], limit: int) -> str | None:
    """Return the opaque cursor after the page, or None at the end."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return base64.urlsafe_b64encode(orjson.dumps([last["created_at"].isoformat(), str(last["id"])])).decode()


def decode_cursor(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    """Return `(created_at, id)` of the last row seen.

    Raises:
        ValidationFailed: it is not a cursor of ours.
    """
    if not cursor:
        return None, None
    try:
        at, row_id = orjson.loads(base64.urlsafe_b64decode(cursor))
        when = datetime.fromisoformat(at)
        if when.tzinfo is None:
            raise ValueError("no time zone")
        return when, UUID(row_id)
    except (ValueError, TypeError, AttributeError):
        raise ValidationFailed("not a cursor", path="/cursor", got=cursor[:100], hint="use `next` of a page") from None
