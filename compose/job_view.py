"""A job as its events tell it: folded from the snapshot and what follows. Pure; no terminal, no network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_ENDED = {"completed", "failed", "skipped", "cancelled"}


@dataclass
class NodeView:
    """One node; `progress` is 0.0 to 1.0, `note` the latest thing it said."""

    id: str
    status: str = "pending"
    progress: float = 0.0
    note: str = ""

    @property
    def ended(self) -> bool:
        return self.status in _ENDED


@dataclass
class JobView:
    """The job that is watched."""

    job_id: str = ""
    title: str = ""
    status: str = "queued"
    progress: float = 0.0
    nodes: dict[str, NodeView] = field(default_factory=dict)
    error: dict[str, Any] | None = None

    def apply(self, event: dict[str, Any]) -> str | None:
        """Fold one event in; return the id of the node that it changed, if any."""
        kind = event["type"]
        if kind == "snapshot":
            self._restart(event)
            return None
        if kind.startswith("job."):
            self.status = "running" if kind in {"job.planned", "job.retried"} else kind.removeprefix("job.")
            self.error = (event.get("data") or {}).get("error", self.error)
            return None
        node_id = (event.get("node") or "").partition("#")[0]
        if not node_id or (kind not in {"progress"} and not kind.startswith("node.")):
            return None
        node = self.nodes.setdefault(node_id, NodeView(node_id))
        if kind.startswith("node."):
            self._move(node, kind.removeprefix("node."), event)
        elif not node.ended:
            node.status = "running"
            node.progress = max(node.progress, min(1.0, event.get("progress") or 0.0))
            node.note = event.get("message") or event.get("stage") or node.note
        return node_id

    def _restart(self, snapshot: dict[str, Any]) -> None:
        self.job_id, self.status = snapshot["jobId"], snapshot["status"]
        self.title = snapshot.get("title") or ""
        self.error = snapshot.get("error")
        self.nodes = {
            one["id"]: NodeView(one["id"], one["status"], one.get("progress") or 0.0, one.get("message") or "")
            for one in snapshot.get("nodes", [])
        }

    @staticmethod
    def _move(node: NodeView, status: str, event: dict[str, Any]) -> None:
        node.status = "running" if status == "retrying" else status
        if status == "completed":
            node.progress, node.note = 1.0, "from an earlier job" if (event.get("data") or {}).get("cached") else ""
        elif status == "retrying":
            node.progress, node.note = 0.0, "trying again"
        elif status == "failed":
            error = (event.get("data") or {}).get("error") or {}
            node.note = error.get("message") or event.get("message") or "failed"
