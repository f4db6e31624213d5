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
from schemas.provenance.files import SIDECAR, stamp
from schemas.provenance.record import Provenance
from schemas.states import FailureKind

Emit = Callable[[dict[str, Any]], None]
MAX_PREVIEW_BYTES = 48_000
READ_BY_PEOPLE = frozenset({"text", "script", "json"})
"""Kinds without a record of their own: their digest tells where they come from."""


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
        seed: deterministic seed (0 .. 2**31-1): of what names a cached result, else of job and node.
        provenance: what media files carry in their metadata (`plan_digest`, `job_id`, `node_id`, `software`).
        checkpoint: what an earlier attempt of this node kept last, or None.
        record: tells where a file comes from that is saved now; it is written into the file.
    """

    job_id: str
    node_id: str
    attempt: int
    workdir: Path
    emit: Emit
    device: str = "cpu"
    seed: int = 0
    provenance: dict[str, str] = field(default_factory=dict)
    checkpoint: Path | None = None
    record: Callable[[], Provenance] | None = None
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
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Report how far the task is, 0.0 to 1.0; also the sign of life. Raises TaskCancelled when cancelled.

        Args:
            metrics: name -> figure of this step, for a live chart (`loss`, `steps_per_s`).
        """
        self.check_cancelled()
        tick: dict[str, Any] = {"type": "progress", "progress": min(1.0, max(0.0, fraction)), "ts": time.time()}
        for key, value in (("stage", stage), ("step", step), ("steps", steps), ("message", message)):
            if value is not None:
                tick[key] = value
        if metrics:
            tick["metrics"] = {name: float(figure) for name, figure in metrics.items()}
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

        It gets the record of where it comes from; one that cannot hold it has it beside it, if it is an output.

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
        record = self.record() if self.record is not None else None
        stamped = record is None or stamp(kept, record)
        ref = ArtifactRef(
            kind=kind, name=name, size_bytes=kept.stat().st_size, media=dict(media or {}), path=str(kept),
            role=role,  # type: ignore[arg-type]
        )  # fmt: skip
        self.saved.append(ref)
        if record is not None and not stamped and role == "output" and kind not in READ_BY_PEOPLE:
            self._save_record(kept, record)
        return ref.model_dump(mode="json")

    def keep_checkpoint(self, path: Path, *, step: int) -> None:
        """Keep a file that a later attempt of this node gets as `checkpoint`; the latest one wins.

        It is copied at once, uploaded while the task goes on, and deleted when the node has ended well.

        Args:
            path: a regular file with all that is needed to go on.
            step: what has been done, for the log.
        """
        kept = self.workdir / "checkpoints"
        kept.mkdir(exist_ok=True)
        copy = kept / f"{step:08d}{path.suffix}"
        shutil.copyfile(path, copy)
        self.emit({"type": "checkpoint", "path": str(copy), "step": step})

    def _save_record(self, kept: Path, record: Provenance) -> None:
        beside = kept.with_name(kept.name + SIDECAR)
        beside.write_text(record.text(), encoding="utf-8")
        size_bytes = beside.stat().st_size
        self.saved.append(
            ArtifactRef(kind="json", name=beside.name, size_bytes=size_bytes, path=str(beside), role="part")
        )

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
