"""A slot with a real child: how a run ends, and when the child is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.outcome import Cancelled, Failed, Outcome, Succeeded
from schemas.states import FailureKind
from worker.child_process import child_environment
from worker.slot import ChildPolicy, Limits, Slot

PACKAGES = ("tests.tasks_for_tests",)


@asynccontextmanager
async def open_slot(folder: Path, **policy: Any) -> AsyncIterator[Slot]:
    slot = Slot("slot0", folder / "child", ChildPolicy(packages=PACKAGES, threads=1, **policy))
    try:
        yield slot
    finally:
        await slot.drop("end of the test")


def order(folder: Path, task: str, **params: Any) -> dict[str, Any]:
    workdir = folder / "work"
    workdir.mkdir(exist_ok=True)
    return {
        "task": task, "params": params, "inputs": {}, "job_id": "j", "node_id": "n", "attempt": 1,
        "workdir": str(workdir), "seed": 1, "provenance": {},
    }  # fmt: skip


async def run(
    slot: Slot, given: dict[str, Any], *, limits: Limits | None = None, heard: list[Any] | None = None,
    stop: asyncio.Event | None = None,
) -> Outcome:  # fmt: skip
    return await slot.run(
        given,
        limits=limits or Limits(run_s=10, idle_s=10),
        on_message=(heard if heard is not None else []).append,
        stop=stop or asyncio.Event(),
    )


def test_a_child_is_warm_between_tasks_and_its_progress_is_heard(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_slot(tmp_path) as slot:
            heard: list[dict[str, Any]] = []
            assert isinstance(await run(slot, order(tmp_path, "test_noop", ticks=3), heard=heard), Succeeded)
            first = (await slot.warm()).pid
            assert isinstance(await run(slot, order(tmp_path, "test_noop")), Succeeded)
            assert (await slot.warm()).pid == first
            assert [message["progress"] for message in heard] == [1 / 3, 2 / 3, 1.0]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("task", "params", "kind", "code"),
    [
        ("test_crash", {}, FailureKind.CRASH, "child_crashed"),
        ("test_raise", {"what": "MemoryError"}, FailureKind.CAPACITY, "out_of_memory"),
    ],
)
def test_a_child_that_cannot_be_trusted_is_replaced(
    tmp_path: Path, task: str, params: dict[str, Any], kind: FailureKind, code: str
) -> None:
    async def scenario() -> None:
        async with open_slot(tmp_path) as slot:
            first = (await slot.warm()).pid
            outcome = await run(slot, order(tmp_path, task, **params))
            assert isinstance(outcome, Failed)
            assert (outcome.failure.kind, outcome.failure.code) == (kind, code)
            assert (await slot.warm()).pid != first

    asyncio.run(scenario())


def test_a_child_is_replaced_after_its_number_of_tasks(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_slot(tmp_path, max_tasks=2) as slot:
            pids = []
            for _ in range(4):
                pids.append((await slot.warm()).pid)
                await run(slot, order(tmp_path, "test_noop", ticks=0))
            assert pids[0] == pids[1] != pids[2] == pids[3]

    asyncio.run(scenario())


def limited(limits: Limits, **params: Any) -> Callable[[Path], Coroutine[None, None, Outcome]]:
    async def scenario(folder: Path) -> Outcome:
        async with open_slot(folder) as slot:
            return await run(slot, order(folder, "test_hang", **params), limits=limits)

    return scenario


def test_a_task_over_its_time_is_a_timeout(tmp_path: Path) -> None:
    outcome = asyncio.run(limited(Limits(run_s=0.2, idle_s=10), busy=True)(tmp_path))
    assert isinstance(outcome, Failed)
    assert (outcome.failure.kind, outcome.failure.code) == (FailureKind.TIMEOUT, "timeout")


def test_a_silent_task_without_cpu_use_is_idle(tmp_path: Path) -> None:
    outcome = asyncio.run(limited(Limits(run_s=5, idle_s=0.2))(tmp_path))
    assert isinstance(outcome, Failed)
    assert outcome.failure.code == "idle_timeout"


def test_a_silent_task_that_computes_is_alive(tmp_path: Path) -> None:
    outcome = asyncio.run(limited(Limits(run_s=5, idle_s=0.6), busy=True, seconds=1.4)(tmp_path))
    assert isinstance(outcome, Succeeded)


@pytest.mark.parametrize(
    ("task", "params"), [("test_noop", {"ticks": 1000, "pause_s": 0.01}), ("test_hang", {"busy": True})]
)
def test_a_cancel_ends_a_task_that_listens_and_one_that_does_not(
    tmp_path: Path, task: str, params: dict[str, Any]
) -> None:
    async def scenario() -> None:
        async with open_slot(tmp_path) as slot:
            stop = asyncio.Event()
            asyncio.get_running_loop().call_later(0.1, stop.set)
            limits = Limits(run_s=10, idle_s=10, answer_grace_s=0.3, cancel_grace_s=0.5)
            assert isinstance(await run(slot, order(tmp_path, task, **params), limits=limits, stop=stop), Cancelled)

    asyncio.run(scenario())


def test_a_child_that_cannot_start_says_why(tmp_path: Path) -> None:
    async def scenario() -> Outcome:
        slot = Slot("slot0", tmp_path / "child", ChildPolicy(packages=("tests.no_such_package",)))
        return await run(slot, order(tmp_path, "test_noop"))

    outcome = asyncio.run(scenario())
    assert isinstance(outcome, Failed)
    assert outcome.failure.code == "child_did_not_start"
    assert "no_such_package" in (outcome.failure.detail or "")


def test_the_environment_of_a_child_is_an_allow_list() -> None:
    outer = {"PATH": "/bin", "REELGRAPH_WORKER_DSN": "secret", "AWS_SECRET_KEY": "secret", "REELGRAPH_TASK_X": "1"}
    kept = child_environment(outer, threads=3)
    assert kept["PATH"] == "/bin"
    assert kept["REELGRAPH_TASK_X"] == "1"
    assert kept["OMP_NUM_THREADS"] == "3"
    assert "secret" not in kept.values()
