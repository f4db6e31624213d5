"""The small parts of the worker: frames, failures, ticks, refs, files, memory, messages, settings."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.artifact import ArtifactRef
from schemas.events import LiveEvent
from schemas.states import FailureKind
from worker.broker import _is_call
from worker.failures import failure_of
from worker.frames import MAX_FRAME_BYTES, BrokenFrame, pack, receive_frame
from worker.memory import MemoryBudget
from worker.objects import ObjectsFailed, ObjectStore, media_refs, with_stored
from worker.publish import Ticker
from worker.settings import WorkerSettings

NEEDED = {"dsn": "d", "redis_url": "r", "s3_endpoint": "s", "s3_access_key": "a", "s3_secret_key": "k"}


def test_a_frame_arrives_as_it_was_sent() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall(pack({"type": "progress", "text": "ü\n\x00"}))
        assert receive_frame(right) == {"type": "progress", "text": "ü\n\x00"}
        left.close()
        assert receive_frame(right) is None


def test_a_frame_over_the_limit_is_refused_before_it_is_sent() -> None:
    with pytest.raises(BrokenFrame, match="save big values as artifacts"):
        pack({"text": "x" * MAX_FRAME_BYTES})


class CustomTimeout(TimeoutError):
    """A subclass, as clients have them."""


@pytest.mark.parametrize(
    ("error", "kind", "code", "unknown"),
    [
        (MemoryError(), FailureKind.CAPACITY, "out_of_memory", False),
        (OSError(28, "No space left on device"), FailureKind.CAPACITY, "disk_full", False),
        (OSError(12, "Cannot allocate memory"), FailureKind.CAPACITY, "out_of_memory", False),
        (ConnectionResetError(), FailureKind.DEPENDENCY, "connection_lost", False),
        (CustomTimeout(), FailureKind.DEPENDENCY, "dependency_timeout", False),
        (RuntimeError("CUDA error: device-side assert"), FailureKind.CAPACITY, "gpu_failed", False),
        (FileNotFoundError("x"), FailureKind.BUG, "unexpected_error", True),
        (ValueError("x\x00y"), FailureKind.BUG, "unexpected_error", True),
    ],
)
def test_each_exception_has_its_kind(error: BaseException, kind: FailureKind, code: str, unknown: bool) -> None:
    failure = failure_of(error)
    assert (failure.kind, failure.code, failure.unknown) == (kind, code, unknown)
    assert "\x00" not in failure.message


class Recorder:
    """Stands for the publisher."""

    def __init__(self) -> None:
        self.sent: list[LiveEvent] = []
        self.forgotten: list[str] = []

    def tick(self, event: LiveEvent, *, keep: bool) -> None:
        self.sent.append(event)

    def forget_tick(self, job_id: str, *, node: str) -> None:
        self.forgotten.append(node)


def test_the_first_tick_goes_at_once_and_the_latest_wins() -> None:
    async def scenario() -> Recorder:
        recorder = Recorder()
        ticker = Ticker(recorder, job_id="j", node="n")  # type: ignore[arg-type]
        for step in range(1, 101):
            ticker.offer({"type": "progress", "progress": step / 100})
        assert [event.progress for event in recorder.sent] == [0.01]
        await asyncio.sleep(0.3)
        assert [event.progress for event in recorder.sent] == [0.01, 1.0]
        ticker.close()
        return recorder

    assert asyncio.run(scenario()).forgotten == ["n"]


def test_progress_never_goes_back() -> None:
    async def scenario() -> float:
        ticker = Ticker(Recorder(), job_id="j", node="n")  # type: ignore[arg-type]
        ticker.offer({"type": "progress", "progress": 0.8})
        ticker.offer({"type": "progress", "progress": 0.2})
        ticker.close()
        return ticker.progress

    assert asyncio.run(scenario()) == 0.8


def test_media_refs_are_found_at_any_depth() -> None:
    inputs = {"profile": {"lora": {"uri": "s3://artifacts/a"}}, "images": [{"uri": "s3://uploads/b"}], "text": "s3://c"}
    assert [ref["uri"] for ref in media_refs(inputs)] == ["s3://artifacts/a", "s3://uploads/b"]


def test_a_saved_file_is_replaced_by_its_stored_ref() -> None:
    ref = ArtifactRef(id="1", uri="s3://artifacts/k", kind="text", name="a", sha256="d")
    outputs: Any = {"video": {"path": "/w/a", "extra": 1}, "list": [{"path": "/w/a"}], "other": {"path": "/w/b"}}
    replaced = with_stored(outputs, {"/w/a": ref})
    assert replaced["video"]["uri"] == replaced["list"][0]["uri"] == "s3://artifacts/k"
    assert "path" not in replaced["video"]
    assert replaced["other"] == {"path": "/w/b"}


@pytest.mark.parametrize("trick", ["link", "outside", "missing", "fifo"])
def test_only_regular_files_of_the_outbox_are_stored(tmp_path: Path, trick: str) -> None:
    import os

    outbox = tmp_path / "outbox"
    outbox.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path = outbox / "file"
    match trick:
        case "link":
            path.symlink_to(secret)
        case "outside":
            path = secret
        case "fifo":
            os.mkfifo(path)
        case _:
            pass
    store = ObjectStore("127.0.0.1:1", access_key="a", secret_key="b", secure=False)
    with pytest.raises(ObjectsFailed) as caught:
        store.store([ArtifactRef(kind="text", name="file", path=str(path))], prefix="p", outbox=outbox)
    assert caught.value.failure.kind is FailureKind.BUG


def test_a_task_waits_for_memory_that_another_holds() -> None:
    async def scenario() -> list[str]:
        budget, order = MemoryBudget(4.0), []
        assert not budget.can_ever(5.0)
        async with budget.lent(3.0):

            async def second() -> None:
                async with budget.lent(2.0):
                    order.append("second")

            waiting = asyncio.create_task(second())
            await asyncio.sleep(0)
            order.append("first")
        await waiting
        return order

    assert asyncio.run(scenario()) == ["first", "second"]


@pytest.mark.parametrize(
    ("job_id", "node_path", "good"),
    [
        ("00000000-0000-0000-0000-000000000001", "render", True),
        ("00000000-0000-0000-0000-000000000001", "render#0001", True),
        ("00000000-0000-0000-0000-000000000001", "../x", False),
        ("00000000-0000-0000-0000-000000000001", "a\nb", False),
        ("'; drop table job", "render", False),
        (1, "render", False),
        ("00000000-0000-0000-0000-000000000001", None, False),
    ],
)
def test_a_message_carries_well_formed_ids_or_is_dropped(job_id: object, node_path: object, good: bool) -> None:
    assert _is_call(job_id, node_path) is good


def test_settings_read_lists_and_scale_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELGRAPH_WORKER_QUEUES", "cpu, gpu")
    monkeypatch.setenv("REELGRAPH_WORKER_TIME_SCALE", "0.1")
    settings = WorkerSettings(**NEEDED)  # type: ignore[arg-type]
    assert settings.queues == ("cpu", "gpu")
    assert settings.timing.scaled("lease_s") == pytest.approx(1.5)
    assert "'k'" not in repr(settings)


def test_a_worker_needs_a_slot() -> None:
    with pytest.raises(ValidationError, match="slots"):
        WorkerSettings(**NEEDED, slots=0)  # type: ignore[arg-type]
