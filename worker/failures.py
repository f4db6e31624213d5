"""From exception to failure: one table that decides the kind. Runs in the child; knows classes by name only."""

from __future__ import annotations

import errno
import traceback

from pydantic import ValidationError

from schemas.outcome import TaskFailure
from schemas.states import FailureKind
from schemas.text import clean_text
from worker.context import TaskError

# Class name anywhere in the exception's ancestry -> kind, code, hint. Source: RELIABILITY 4.7.
_BY_NAME: dict[str, tuple[FailureKind, str, str | None]] = {
    "MemoryError": (FailureKind.CAPACITY, "out_of_memory", "choose a smaller resolution or duration"),
    "OutOfMemoryError": (FailureKind.CAPACITY, "gpu_out_of_memory", "choose a smaller resolution or a larger GPU"),
    "ConnectionError": (FailureKind.DEPENDENCY, "connection_lost", None),
    "TimeoutError": (FailureKind.DEPENDENCY, "dependency_timeout", None),
    "TransportError": (FailureKind.DEPENDENCY, "connection_lost", None),  # httpx
    "RequestException": (FailureKind.DEPENDENCY, "connection_lost", None),  # requests
}
_BY_ERRNO = {
    errno.ENOSPC: (FailureKind.CAPACITY, "disk_full", "free space in the worker's scratch folder"),
    errno.EDQUOT: (FailureKind.CAPACITY, "disk_full", "free space in the worker's scratch folder"),
    errno.ENOMEM: (FailureKind.CAPACITY, "out_of_memory", "choose a smaller resolution or duration"),
}
DETAIL_CHARS = 6000


def failure_of(error: BaseException) -> TaskFailure:
    """Return the failure that stands for an exception of a task; one we do not know is a `bug`, tried once more."""
    if isinstance(error, TaskError):
        return error.failure
    detail = clean_text("".join(traceback.format_exception(error))[-DETAIL_CHARS:])
    message = clean_text(f"{type(error).__name__}: {error}"[:2000])
    if isinstance(error, OSError) and error.errno in _BY_ERRNO:
        kind, code, hint = _BY_ERRNO[error.errno]
        return TaskFailure(kind=kind, code=code, message=message, hint=hint, detail=detail)
    for ancestor in type(error).__mro__:
        if ancestor.__name__ in _BY_NAME:
            kind, code, hint = _BY_NAME[ancestor.__name__]
            return TaskFailure(kind=kind, code=code, message=message, hint=hint, detail=detail)
    if "CUDA" in message:
        return TaskFailure(kind=FailureKind.CAPACITY, code="gpu_failed", message=message, detail=detail)
    return TaskFailure(kind=FailureKind.BUG, code="unexpected_error", message=message, detail=detail, unknown=True)


def invalid_params(error: ValidationError) -> TaskFailure:
    """Return the failure for params that the task's model refuses: every problem in the message, the first as path."""
    problems = error.errors(include_url=False, include_context=False)
    first = problems[0]
    return TaskFailure(
        kind=FailureKind.INPUT,
        code="invalid_param",
        message="; ".join(f"{_pointer(problem['loc'])}: {problem['msg']}" for problem in problems)[:2000],
        path="/params" + _pointer(first["loc"]),
        got=repr(first.get("input"))[:200],
        hint="fix the node's params and retry the job",
    )


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join(f"/{part}" for part in location)
