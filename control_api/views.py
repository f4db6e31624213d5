"""How a job looks from outside: status, record, snapshot. Pure: rows in, JSON out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphs.board import GATE_QUEUE
from graphs.rows import CACHE_QUEUE
from schemas.artifact import ARTIFACTS
from schemas.events import SCHEMA_VERSION
from schemas.plan import Plan
from schemas.states import JobStatus, NodeStatus, RunStatus, shown

Row = dict[str, Any]
_ENDED_BADLY = {"failed", "cancelled"}


def node_views(plan: Plan, runs: Iterable[Row], *, job_status: str) -> list[Row]:
    """Return every plan node with its state; items of a foreach are folded into their node."""
    by_node: dict[str, list[Row]] = {}
    for run in runs:
        by_node.setdefault(run["node_id"], []).append(run)
    return [
        _node_view(node.id, node.task, node.plane, node.progress_weight, by_node.get(node.id, []), job_status)
        for node in plan.nodes
    ]


def _node_view(node_id: str, task: str, plane: str, weight: float, runs: list[Row], job_status: str) -> Row:
    view: Row = {"id": node_id, "task": task, "plane": plane, "weight": weight, "progress": 0.0}
    if not runs and job_status == JobStatus.COMPLETED:  # a foreach over an empty list
        return {**view, "status": NodeStatus.COMPLETED, "progress": 1.0, "items": 0}
    if not runs:
        view["status"] = NodeStatus.SKIPPED if job_status in _ENDED_BADLY else NodeStatus.PENDING
        return view
    statuses = [RunStatus(run["status"]) for run in runs]
    view["status"] = _folded(statuses, gate=runs[0]["queue"] == GATE_QUEUE)
    view["progress"] = sum(1.0 if run["status"] == "succeeded" else run["progress"] for run in runs) / len(runs)
    view["attempt"] = max(run["attempts"] + run["crashes"] for run in runs) + 1
    starts = [run["started_at"] for run in runs if run["started_at"]]
    ends = [run["ended_at"] for run in runs if run["ended_at"]]
    if starts:
        view["startedAt"] = min(starts).isoformat()
    if starts and len(ends) == len(runs):
        view["endedAt"] = max(ends).isoformat()
        view["seconds"] = round((max(ends) - min(starts)).total_seconds(), 3)
    errors = [run["error"] for run in runs if run["error"]]
    if errors:
        view["error"] = errors[0]
    if all(run["queue"] == CACHE_QUEUE for run in runs):
        view["cached"] = True
    if len(runs) > 1 or "#" in runs[0]["node_path"]:
        view["items"] = len(runs)
    return view


def _folded(statuses: list[RunStatus], *, gate: bool) -> NodeStatus:
    if gate and statuses[0] is RunStatus.READY:
        return NodeStatus.AWAITING_APPROVAL
    names = [shown(status) for status in statuses]
    for name in (NodeStatus.FAILED, NodeStatus.RUNNING, NodeStatus.CANCELLED, NodeStatus.QUEUED, NodeStatus.READY):
        if name in names:
            return name
    return NodeStatus.COMPLETED


def progress_of(nodes: list[Row]) -> float:
    """Return the weighted progress of a job, 0.0 to 1.0."""
    total = sum(node["weight"] for node in nodes)
    return round(sum(node["weight"] * node["progress"] for node in nodes) / total, 4) if total else 0.0


def artifact_view(row: Row) -> Row:
    """Return an artifact row under DESIGN.md's names."""
    return {
        "id": str(row["id"]),
        "kind": row["kind"],
        "node": row["node_path"].partition("#")[0],
        "uri": f"s3://{ARTIFACTS}/{row['object_key']}",
        "name": row["name"],
        "role": row["role"],
        "size_bytes": row["size_bytes"],
        "sha256": row["sha256"],
        "media": row["media"],
        "registered": row["registered"],
        "url": f"/api/artifacts/{row['id']}",
    }


def status_view(job: Row, runs: list[Row]) -> Row:
    """Return `GET /api/status/{jobId}`."""
    planned = bool(job["plan"])  # a language model may still be at it, or have been refused
    nodes = node_views(Plan.model_validate(job["plan"]), runs, job_status=job["status"]) if planned else []
    return {
        "jobId": str(job["id"]),
        "title": job["title"],
        "status": job["status"],
        "progress": 1.0 if job["status"] == "completed" else progress_of(nodes),
        "mode": job["mode"],
        "variant": job["variant"],
        "profileId": str(job["profile_id"]) if job["profile_id"] else None,
        "nodes": nodes,
        "error": job["error"],
        "seq": job["last_seq"],
        "createdAt": job["created_at"].isoformat(),
        "startedAt": job["started_at"].isoformat() if job["started_at"] else None,
        "endedAt": job["ended_at"].isoformat() if job["ended_at"] else None,
    }


def snapshot_view(job: Row, runs: list[Row], artifacts: list[Row], approvals: list[Row]) -> Row:
    """Return the first WebSocket message: everything a card shows."""
    return {
        "type": "snapshot",
        "schema_version": SCHEMA_VERSION,
        **status_view(job, runs),
        "artifacts": [artifact_view(row) for row in artifacts],
        "approvals": [approval_view(row) for row in approvals if row["status"] == "open"],
        "script": script_of(runs),
        "backends": _backends(runs),
    }


def record_view(job: Row, runs: list[Row], artifacts: list[Row], approvals: list[Row]) -> Row:
    """Return `GET /api/jobs/{jobId}`: the status, the plan, the quote beside what happened, artifacts, approvals."""
    status = status_view(job, runs)
    return {
        **status,
        "goal": job["request"].get("goal"),
        "request": job["request"],
        "plan": job["plan"],
        "planDigest": job["plan_digest"],
        "estimate": job["estimate"],
        "actual": {node["id"]: node["seconds"] for node in status["nodes"] if "seconds" in node},
        "quote": quote_view(job["estimate"], status, runs),
        "result": job["result"],
        "script": script_of(runs),
        "backends": _backends(runs),
        "artifacts": [artifact_view(row) for row in artifacts],
        "approvals": [approval_view(row) for row in approvals],
    }


def quote_view(estimate: Row | None, status: Row, runs: list[Row]) -> Row | None:
    """Return what was quoted beside what it took; `actual_s` is None for what has not completed.

    A job takes the seconds in which at least one of its steps runs: neither a person's answer nor a free worker was
    quoted.
    """
    if not estimate:
        return None
    took = {node["id"]: node.get("seconds") for node in status["nodes"] if node["status"] == NodeStatus.COMPLETED}
    nodes = [
        {"node": item["node"], "p50_s": item["p50_s"], "p90_s": item["p90_s"], "actual_s": took.get(item["node"])}
        for item in estimate["nodes"]
    ]
    done = status["status"] == JobStatus.COMPLETED
    actual_s = busy_s(runs) if done else None
    return {"p50_s": estimate["p50_s"], "p90_s": estimate["p90_s"], "actual_s": actual_s, "nodes": nodes}


def busy_s(runs: Iterable[Row]) -> float:
    """Return the seconds in which at least one run was running."""
    total_s, until = 0.0, None
    for began, ended in sorted((run["started_at"], run["ended_at"]) for run in runs if run["started_at"]):
        if ended is not None and (until is None or ended > until):
            total_s += (ended - (began if until is None else max(began, until))).total_seconds()
            until = ended
    return round(total_s, 3)


def list_view(row: Row) -> Row:
    """Return a job as an item of `GET /api/jobs`."""
    return {
        "jobId": str(row["id"]),
        "title": row["title"],
        "status": row["status"],
        "mode": row["mode"],
        "variant": row["variant"],
        "profileId": str(row["profile_id"]) if row["profile_id"] else None,
        "createdAt": row["created_at"].isoformat(),
        "startedAt": row["started_at"].isoformat() if row["started_at"] else None,
        "endedAt": row["ended_at"].isoformat() if row["ended_at"] else None,
        "error": row["error"],
        "seq": row["last_seq"],
        "thumbnail": f"/api/artifacts/{row['thumbnail_id']}/content" if row["thumbnail_id"] else None,
        "video": f"/api/artifacts/{row['video_id']}/content" if row["video_id"] else None,
    }


def approval_view(row: Row) -> Row:
    """Return a question with its hash, as `POST .../approve` wants it."""
    return {
        "id": str(row["id"]),
        "node": row["node_path"],
        "question": row["question"].get("question", row["question"]),
        "questionHash": row["question_hash"],
        "status": row["status"],
        "answer": row["answer"],
    }


def script_of(runs: list[Row]) -> Row | None:
    """Return the script that the job wrote, if it has one."""
    for run in runs:
        script = (run["result"] or {}).get("script")
        if isinstance(script, dict):
            return script
    return None


def _backends(runs: list[Row]) -> dict[str, str]:
    """Return node -> what did the work, for the badge on the card."""
    found: dict[str, str] = {}
    for run in runs:
        for value in (run["result"] or {}).values():
            name = value.get("backend") or value.get("model") if isinstance(value, dict) else None
            if name:
                found[run["node_id"]] = str(name)
    return found
