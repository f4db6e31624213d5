"""The board of a job: what is recorded, what is ready, what to write next, and the verdict. Pure.

It knows the plan, the rows and the graph's progress; it never touches a database, a clock or LangGraph.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schemas.artifact import parse_s3
from schemas.errors import ValidationFailed
from schemas.plan import Binding, Plan, PlanNode, parse_binding
from schemas.states import JobStatus, RunStatus

GATE_QUEUE = "gate"
REGISTERING = frozenset({"artifacts.registerOutputs"})
MAX_ITEMS = 1000
# Request values that name uploads -> kind; the kind of a file under another key is nobody's but its task's business.
REQUEST_MEDIA = {"images": "image", "audio": "audio", "svg": "svg", "video": "video"}
_LIVE = frozenset({RunStatus.READY, RunStatus.DISPATCHED, RunStatus.RUNNING})


@dataclass(frozen=True)
class Run:
    """What the ledger knows of one node run."""

    node_path: str
    node_id: str
    status: RunStatus
    queue: str
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class Work:
    """A run to create: a node, or one item of a foreach; ports bound to the foreach's list get the item."""

    node: PlanNode
    path: str
    inputs: dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """Where the job stands when nothing more can be done now."""

    status: JobStatus
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None


@dataclass
class Board:
    """The rows of one job by node, beside its plan."""

    plan: Plan
    runs: dict[str, list[Run]] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)

    def record(self, run: Run) -> None:
        """Add or replace a run."""
        runs = self.runs.setdefault(run.node_id, [])
        runs[:] = [known for known in runs if known.node_path != run.node_path] + [run]

    def settled(self) -> list[str]:
        """Return the paths of the runs that can never change again."""
        return [run.node_path for runs in self.runs.values() for run in runs if run.status is RunStatus.SUCCEEDED]

    def queues(self, node_ids: list[str]) -> list[str]:
        """Return the queue of every run of these nodes."""
        return [run.queue for node_id in node_ids for run in self.runs.get(node_id, ())]

    def to_create(self, announced: dict[str, int], done: dict[str, int]) -> list[Work]:
        """Return the work of announced nodes that have no rows yet.

        Raises:
            ValidationFailed: a binding or foreach names a value that the request or a result does not have.
        """
        work: list[Work] = []
        for node in self.plan.nodes:
            if node.id not in announced or node.id in done or node.id in self.runs or node.id in self.empty:
                continue
            bound = {port: self.value(binding) for port, binding in node.bindings().items()}
            inputs = {port: value for port, value in bound.items() if value is not None}
            if node.foreach is None:
                work.append(Work(node, node.id, inputs))
                continue
            items = self._items(node)
            if not items:
                self.empty.add(node.id)
            each = [port for port, text in node.inputs.items() if text == node.foreach]
            work += [
                Work(node, f"{node.id}#{index:04d}", {**inputs, **dict.fromkeys(each, item)})
                for index, item in enumerate(items)
            ]
        return work

    def to_write(self, announced: dict[str, int], done: dict[str, int]) -> list[str]:
        """Return announced nodes whose every run succeeded and which the graph does not have yet."""
        return [
            node_id
            for node_id in announced
            if node_id not in done
            and (
                node_id in self.empty
                or (node_id in self.runs and all(run.status is RunStatus.SUCCEEDED for run in self.runs[node_id]))
            )
        ]

    def value(self, binding: Binding) -> Any:
        """Return what a binding stands for: a request value, a result, or the gathered list of a foreach."""
        if binding.from_request:
            return _as_refs(_dig(self.plan.context, binding.port), kind=REQUEST_MEDIA.get(binding.port, "json"))
        node = self.plan.node(binding.source)
        runs = sorted(self.runs.get(binding.source, []), key=lambda run: run.node_path)
        if node.foreach is not None:
            return [_dig(run.result or {}, binding.port) for run in runs]
        return _dig(runs[0].result or {}, binding.port) if runs else None

    def verdict(self, done: dict[str, int]) -> Verdict:
        """Return where the job stands: completed, running, awaiting approval or failed (parked)."""
        if all(node.id in done for node in self.plan.nodes):
            return Verdict(JobStatus.COMPLETED, result=self._result())
        every = [run for runs in self.runs.values() for run in runs]
        gates = [run for run in every if run.queue == GATE_QUEUE and run.status is RunStatus.READY]
        if any(run.status in _LIVE for run in every if run not in gates):
            return Verdict(JobStatus.RUNNING)
        if gates:
            return Verdict(JobStatus.AWAITING_APPROVAL)
        for run in every:
            if run.status in {RunStatus.FAILED, RunStatus.DEAD}:
                return Verdict(JobStatus.FAILED, error=_job_error(run))
        return Verdict(
            JobStatus.FAILED,
            error={"code": "stalled", "message": "nothing is left to run and the plan is not finished"},
        )

    def _items(self, node: PlanNode) -> list[Any]:
        binding = parse_binding(node.foreach or "")
        items = self.value(binding) if binding else None
        if not isinstance(items, list):
            raise ValidationFailed(
                f"foreach of node {node.id!r} is not a list", path=f"/nodes/{node.id}/foreach", got=type(items).__name__
            )
        if len(items) > MAX_ITEMS:
            raise ValidationFailed(f"foreach of node {node.id!r} is too long", got=len(items), allowed=MAX_ITEMS)
        return items

    def _result(self) -> dict[str, Any]:
        """Return what the last nodes produced, and what was only registered after that: the deliverables."""
        registering = {node.id for node in self.plan.nodes if node.task in REGISTERING}
        inner = {edge.source for edge in self.plan.edges if edge.target not in registering}
        return {
            node.id: [run.result for run in sorted(self.runs.get(node.id, []), key=lambda run: run.node_path)]
            if node.foreach
            else next((run.result for run in self.runs.get(node.id, [])), {})
            for node in self.plan.nodes
            if node.id not in inner
        }


def _as_refs(value: Any, *, kind: str) -> Any:
    """Return uploads that a request names by uri as references, which is how files travel between nodes."""
    if isinstance(value, list):
        return [_as_refs(item, kind=kind) for item in value]
    place = parse_s3(value) if isinstance(value, str) else None
    return value if place is None else {"uri": value, "kind": kind, "name": place[1].rpartition("/")[2][-200:]}


def _job_error(run: Run) -> dict[str, Any]:
    error = dict(run.error or {"code": "failed", "message": "the node failed"})
    if run.status is RunStatus.DEAD:
        error["code"] = "poisoned"
    return {**error, "node": run.node_id}


def _dig(value: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
