"""The facade a task sees: progress, cancellation, files in and out. It knows no broker, database or S3.

A fresh context per attempt. Files are saved into the attempt's folder; the supervisor checks, hashes and
uploads them after the task returned, so a task never holds credentials.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from schemas.artifact import ArtifactKind, ArtifactRef
from schemas.outcome import TaskFailure
from schemas.states import FailureKind

Emit = Callable[[dict[str, Any]], None]
MAX_PREVIEW_BYTES = 48_000


class TaskError(Exception):
    """Raised by a task that cannot go on; its kind decides whether it is tried again."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        kind: FailureKind = FailureKind.INPUT,
        path: str | None = None,
        got: Any = None,
        allowed: Any = None,
        hint: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message)
        self.failure = TaskFailure(
            kind=kind, code=code, message=message[:2000], path=path, got=got, allowed=allowed, hint=hint,
            detail=detail[-8000:] if detail else None,
        )  # fmt: skip


class TaskCancelled(Exception):
    """Raised by `check_cancelled` when the job was cancelled or the claim was lost."""


@dataclass
class TaskContext:
    """What a running task may use.

    Attributes:
        job_id, node_id, attempt: whose attempt this is.
        workdir: empty folder of this attempt; anything written here is removed at its end.
        device: `cpu` or `cuda:N`.
        seed: deterministic seed derived from job and node (0 .. 2**31-1).
        provenance: what media files carry in their metadata (`plan_digest`, `job_id`, `node_id`, `software`).
    """

    job_id: str
    node_id: str
    attempt: int
    workdir: Path
    emit: Emit
    device: str = "cpu"
    seed: int = 0
    provenance: dict[str, str] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)
    saved: list[ArtifactRef] = field(default_factory=list)

    def progress(
        self,
        fraction: float,
        *,
        stage: str | None = None,
        step: int | None = None,
        steps: int | None = None,
        message: str | None = None,
    ) -> None:
        """Report how far the task is, 0.0 to 1.0; also the sign of life. Raises TaskCancelled when cancelled."""
        self.check_cancelled()
        tick: dict[str, Any] = {"type": "progress", "progress": min(1.0, max(0.0, fraction)), "ts": time.time()}
        for key, value in (("stage", stage), ("step", step), ("steps", steps), ("message", message)):
            if value is not None:
                tick[key] = value
        self.emit(tick)

    def preview(self, jpeg: bytes) -> None:
        """Show a small JPEG (at most 48 kB, about 320 px wide) on the live card; lossy."""
        if len(jpeg) <= MAX_PREVIEW_BYTES:
            data = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
            self.emit({"type": "preview", "preview": data})

    def log(self, message: str, **facts: Any) -> None:
        """Write a durable line into the job's log: something a user wants to read later."""
        self.emit({"type": "log", "message": message[:1000], "facts": facts})

    def check_cancelled(self) -> None:
        """Raise TaskCancelled when the job was cancelled; call it at least once a second."""
        if self.cancelled.is_set():
            raise TaskCancelled

    def save(
        self,
        path: Path,
        *,
        kind: ArtifactKind,
        name: str | None = None,
        media: Mapping[str, Any] | None = None,
        role: str = "output",
    ) -> dict[str, Any]:
        """Keep a file as an artifact and return the port value for it.

        Args:
            path: a regular file; moved into the attempt's outbox.
            name: file name shown to users; unique within the task.
            media: facts such as `duration_s`, `width_px`, `height_px`, `fps`, `sample_rate_hz`.
            role: `output`, `thumbnail`, `subtitles`, `log` or `part`.

        Raises:
            ValueError: the name was saved before, or the file is missing or empty.
        """
        name = name or path.name
        if any(ref.name == name for ref in self.saved):
            raise ValueError(f"{name!r} was saved twice: give each file its own name")
        if not path.is_file() or path.is_symlink() or path.stat().st_size == 0:
            raise ValueError(f"{path} is not a non-empty regular file")
        outbox = self.workdir / "outbox"
        outbox.mkdir(exist_ok=True)
        kept = outbox / name
        if path.resolve() != kept.resolve():
            shutil.move(path, kept)
        ref = ArtifactRef(
            kind=kind, name=name, size_bytes=kept.stat().st_size, media=dict(media or {}), path=str(kept),
            role=role,  # type: ignore[arg-type]
        )  # fmt: skip
        self.saved.append(ref)
        return ref.model_dump(mode="json")

    def fail(self, code: str, message: str, *, kind: FailureKind = FailureKind.INPUT, **facts: Any) -> NoReturn:
        """Raise TaskError: the short spelling for tasks."""
        raise TaskError(code, message, kind=kind, **facts)

    def run(self, argv: Sequence[str], *, timeout_s: float, stdin: bytes | None = None, what: str = "") -> bytes:
        """Run a tool in the task's process group and return its stdout; cancel and time-out kill it.

        Raises:
            TaskError: it failed (`tool_failed`, with the end of its stderr), or took too long (`tool_timeout`).
            TaskCancelled: the job was cancelled meanwhile.
        """
        what = what or Path(argv[0]).name
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.workdir,
        )
        ends_at = time.monotonic() + timeout_s
        pending: bytes | None = stdin
        try:
            while True:
                try:
                    out, err = process.communicate(input=pending, timeout=0.25)
                    break
                except subprocess.TimeoutExpired:
                    pending = None
                    self.check_cancelled()
                    if time.monotonic() > ends_at:
                        raise TaskError(
                            "tool_timeout", f"{what} took longer than {timeout_s:g} s", kind=FailureKind.TIMEOUT
                        ) from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode != 0:
            tail = err.decode("utf-8", "replace")[-4000:]
            raise TaskError(
                "tool_failed", f"{what} ended with code {process.returncode}", kind=FailureKind.BUG, detail=tail
            )
        return out
