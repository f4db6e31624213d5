"""The child process: imports the tasks, runs one at a time in its main thread, keeps what they cached between runs.

Started as `python -P -m worker.child FD PACKAGE...`. It holds no credentials and knows no broker, database or S3.
When the supervisor's end of the socket closes, it kills its whole process group, tools included.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from schemas.capability import fitted
from schemas.contracts.table import contracts
from schemas.outcome import Cancelled, Failed, Outcome, Succeeded, TaskFailure
from schemas.provenance.record import Parent, Provenance
from schemas.states import FailureKind
from schemas.text import clean_json
from worker.context import TaskCancelled, TaskContext, TaskError
from worker.failures import failure_of, invalid_params
from worker.frames import BrokenFrame, pack, receive_frame
from worker.models.catalogue import catalogue
from worker.models.resident import residents, take_used, used
from worker.registry import Params, Registry, Task, discover

MAX_RESULT_BYTES = 2**20  # values travel through rows and checkpoints; files do not
OOM_SCORE = 900  # the kernel takes the child before the supervisor. Source: RELIABILITY 4.4


class Line:
    """The child's end of the socket. Sending is safe from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.cancelled = threading.Event()
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Send one message to the supervisor."""
        data = pack(message)
        with self._lock:
            self.connection.sendall(data)

    def listen(self) -> None:
        """Sort what the supervisor says until it is gone, then take the whole process group down."""
        with contextlib.suppress(BrokenFrame):
            while (message := receive_frame(self.connection)) is not None:
                if message["type"] == "cancel":
                    self.cancelled.set()
                    self.send({"type": "cancelling"})
                else:
                    self.orders.put(message)
        os.killpg(os.getpgid(0), signal.SIGKILL)


def perform(order: dict[str, Any], *, registry: Registry, line: Line) -> Outcome:
    """Run one task and return how it ended; no exception leaves, except those that end a process."""
    try:
        task = registry.get(order["task"])
    except KeyError as error:
        return Failed(failure=_unavailable(str(error.args[0])))
    reason = task.reason or task.available()
    if reason is not None or task.function is None:
        return Failed(failure=_unavailable(f"{task.name} cannot run on this worker: {reason}"))
    context = TaskContext(
        job_id=order["job_id"],
        node_id=order["node_id"],
        attempt=order["attempt"],
        workdir=Path(order["workdir"]),
        emit=line.send,
        device=order["device"],
        seed=order["seed"],
        provenance=order["provenance"],
        checkpoint=Path(order["checkpoint"]) if order.get("checkpoint") else None,
        cancelled=line.cancelled,
    )
    try:
        params = task.params.model_validate(order["params"])
    except ValidationError as error:
        return Failed(failure=invalid_params(error))
    try:
        context.record = partial(record_of, task, params, order)
        return _checked(task, task.function(context, params, fitted(task.inputs, order["inputs"])), context)
    except TaskCancelled:
        return Cancelled()
    except Exception as error:  # the edge of the process: everything becomes data
        return Failed(failure=failure_of(error), artifacts=tuple(context.saved))


def record_of(task: Task, params: Params, order: dict[str, Any]) -> Provenance:
    """Return where a file comes from that this attempt saves now."""
    given = params.model_dump(mode="json")
    return Provenance(
        software=order["provenance"].get("software", ""),
        plan_digest=order["provenance"].get("plan_digest", ""),
        job_id=order["job_id"],
        node_id=order["node_id"],
        task=task.name,
        task_version=task.version,
        params=given,
        seed=given.get("seed") or order["seed"],
        models=_models(task),
        parents=tuple(Parent.model_validate(parent) for parent in order.get("parents", ())),
    )


def _models(task: Task) -> dict[str, str]:
    """Return id -> sha256 of the models that were lent to this attempt, else of those that the task names.

    A model that cannot be read by now is left out: what was made with it is worth more than the record of it.
    """
    with contextlib.suppress(TaskError, OSError):
        lent = used()
        found = {model.id: model.sha256 for model in catalogue() if model.id in lent} if lent else {}
        return found or dict(task.models())
    return {}


def describe(registry: Registry) -> dict[str, Any]:
    """Return what this machine can do now: the manifest, and what the supervisor needs to know of each task."""
    facts = {}
    for task in registry.tasks.values():
        contract = contracts().get(task.name)
        fact = {
            "queue": task.queue,
            "idle_timeout_s": task.idle_timeout_s,
            "memory_gib": task.resources.memory_gib,
        }
        for name in {task.name, contract.alias if contract else None} - {None}:
            facts[name] = fact
    return {"type": "described", "manifest": registry.manifest(), "facts": facts}


def main(argv: list[str]) -> None:
    """Serve orders until told to stop."""
    line = Line(socket.socket(fileno=int(argv[1])))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=line.listen, daemon=True, name="line").start()
    registry = discover(*argv[2:])
    line.send(describe(registry))
    while True:
        order = line.orders.get()
        match order["type"]:
            case "run":
                line.cancelled.clear()
                outcome = perform(order, registry=registry, line=line)
                ended = clean_json(outcome.model_dump(mode="json"), strict=False)
                models = {"used": take_used(), "resident": residents()}
                line.send({"type": "result", "outcome": ended, "rss_bytes": _rss_bytes(), **models})
            case "describe":
                line.send(describe(registry))
            case _:
                return


def _checked(task: Task, outputs: Any, context: TaskContext) -> Outcome:
    """Return the outcome of a task that returned: its outputs must be JSON and hold every promised port."""
    kept = tuple(context.saved)
    required = {name for name, port in task.outputs.items() if not port.optional}
    if not isinstance(outputs, dict) or not required <= outputs.keys():
        got = sorted(outputs) if isinstance(outputs, dict) else type(outputs).__name__
        failure = TaskFailure(
            kind=FailureKind.BUG,
            code="missing_output",
            message=f"{task.name} did not return every output port",
            got=got,
            allowed=sorted(required),
        )
        return Failed(failure=failure, artifacts=kept)
    outputs = clean_json(outputs, strict=False)
    if len(orjson.dumps(outputs)) > MAX_RESULT_BYTES:
        failure = TaskFailure(
            kind=FailureKind.BUG,
            code="result_too_big",
            message=f"{task.name} returned more than {MAX_RESULT_BYTES} bytes of values",
            hint="save big values as artifacts",
        )
        return Failed(failure=failure, artifacts=kept)
    return Succeeded(outputs=outputs, artifacts=kept)


def _unavailable(message: str) -> TaskFailure:
    return TaskFailure(kind=FailureKind.DEPENDENCY, code="task_unavailable", message=message[:2000])


def _rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(sys.argv)
