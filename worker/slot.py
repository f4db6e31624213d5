"""A slot: one warm child, reused between tasks and replaced when it can no longer be trusted.

It knows time-outs and the ways a child ends; nothing of leases, objects or the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from schemas.outcome import Cancelled, Failed, Outcome, TaskFailure
from schemas.states import FailureKind
from worker.affinity import Warmth, flavour
from worker.child_process import ChildProcess
from worker.frames import BrokenFrame

log = structlog.get_logger()
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)
Message = dict[str, Any]
START_TIMEOUT_S = 60.0
CPU_SIGN_OF_LIFE_S = 0.02  # CPU use of the group between two looks that counts as life, at least ...
CPU_SIGN_OF_LIFE_RATIO = 0.001  # ... and of the idle time-out: a tool that only waits uses less


@dataclass(frozen=True)
class Limits:
    """Seconds. `idle_s`: no message and no CPU use; the two graces belong to a cancel."""

    run_s: float
    idle_s: float
    answer_grace_s: float = 1.0
    cancel_grace_s: float = 10.0


@dataclass(frozen=True)
class ChildPolicy:
    """How children are started and when they are replaced."""

    packages: tuple[str, ...]
    threads: int = 2
    max_tasks: int = 200
    max_rss_bytes: int = 3 * 2**30


@dataclass
class Slot:
    """One task at a time.

    Attributes:
        folder: scratch of this slot; every child lives in it.
        device: `cpu` or `cuda:N`.
        on_described: called with a child's `described` message.
        warmth: the models that its child holds.
    """

    name: str
    folder: Path
    policy: ChildPolicy
    device: str = "cpu"
    on_described: Callable[[Message], None] = lambda message: None
    warmth: Warmth = field(default_factory=Warmth)
    _child: ChildProcess | None = None
    _start: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def warm(self) -> ChildProcess:
        """Return the live child, starting one when there is none.

        Raises:
            RuntimeError: it ended or stayed silent before it could describe itself; the message has its log's end.
        """
        async with self._start:
            if self._child is not None and self._child.alive:
                return self._child
            began = time.monotonic()
            self.warmth.clear()
            child = await ChildProcess.start(
                folder=self.folder, packages=self.policy.packages, threads=self.policy.threads
            )
            described = None
            with contextlib.suppress(TimeoutError, BrokenFrame):
                described = await asyncio.wait_for(child.receive(), START_TIMEOUT_S)
            if described is None:
                code = await child.kill()
                raise RuntimeError(f"the child of {self.name} did not start (exit code {code}): {child.log_tail()}")
            log.info("child.started", slot=self.name, pid=child.pid, seconds=round(time.monotonic() - began, 3))
            self.on_described(described)
            self._child = child
            return child

    async def describe(self) -> None:
        """Ask the idle child again what this machine can do; only while the slot is free."""
        child = await self.warm()
        child.send({"type": "describe"})
        with contextlib.suppress(TimeoutError, BrokenFrame):
            described = await asyncio.wait_for(child.receive(), START_TIMEOUT_S)
            if described is not None:
                self.on_described(described)
                return
        await self.drop("silent")

    async def run(
        self, order: Message, *, limits: Limits, on_message: Callable[[Message], None], stop: asyncio.Event
    ) -> Outcome:
        """Run one order in the child and return how it ended; a killed child is a `crash` or `timeout` failure.

        Args:
            order: `task, params, inputs, job_id, node_id, attempt, workdir, seed, provenance`.
            limits: time-outs of this task.
            on_message: called with every `progress`, `preview` and `log`.
            stop: set to cancel: a soft signal, then after the grace the whole group is killed.
        """
        try:
            child = await self.warm()
        except RuntimeError as error:
            return _failed(FailureKind.CRASH, "child_did_not_start", "the worker child did not start", str(error))
        child.clear_log()
        watch = _Watch(child, limits=limits, on_message=on_message)
        child.send({"type": "run", "device": self.device, **order})
        listening = asyncio.ensure_future(watch.listen())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            ended = await watch.wait(listening, stopping)
        finally:
            stopping.cancel()
            listening.cancel()
        child.tasks_done += 1
        if ended is not None:
            await self.drop(ended)
            return watch.verdict(ended)
        result = watch.result
        if result is None:
            self.warmth.clear()
            code = await child.exit_code()
            log.warning("child.crashed", slot=self.name, pid=child.pid, exit_code=code)
            return _crash(code, child.log_tail())
        try:
            outcome = _OUTCOME.validate_python(result["outcome"])
        except (ValidationError, KeyError) as error:
            await self.drop("malformed")
            return _failed(FailureKind.BUG, "malformed_result", "the child sent a malformed result", str(error))
        ran = flavour(order["task"], order["params"])
        self.warmth.learn(ran, used=result.get("used", ()), resident=result.get("resident", ()))
        await self._retire(child, outcome, result.get("rss_bytes", 0))
        return outcome

    async def drop(self, reason: str) -> None:
        """Kill the child with all it started; the next use starts a fresh one."""
        child, self._child = self._child, None
        self.warmth.clear()
        if child is not None:
            code = await child.kill()
            log.info("child.dropped", slot=self.name, pid=child.pid, reason=reason, exit_code=code)

    async def _retire(self, child: ChildProcess, outcome: Outcome, rss_bytes: int) -> None:
        if isinstance(outcome, Cancelled):
            await self.drop("cancelled")
        elif isinstance(outcome, Failed) and outcome.failure.kind is FailureKind.CAPACITY:
            await self.drop(outcome.failure.code)
        elif rss_bytes > self.policy.max_rss_bytes:
            await self.drop("too_big")
        elif child.tasks_done >= self.policy.max_tasks:
            await self.drop("old")


class _Watch:
    """The eyes on one run: what the child says, and the four ways that it must be stopped."""

    def __init__(self, child: ChildProcess, *, limits: Limits, on_message: Callable[[Message], None]) -> None:
        self.child = child
        self.limits = limits
        self.result: Message | None = None
        self._on_message = on_message
        self._heard_at = self._began_at = time.monotonic()
        self._cpu_s: float | None = None
        self._answered = False
        self._stopped_at: float | None = None

    async def listen(self) -> None:
        """Take messages until the result or the end of the child."""
        with contextlib.suppress(BrokenFrame):
            while (message := await self.child.receive()) is not None:
                self._heard_at = time.monotonic()
                match message.get("type"):
                    case "result":
                        self.result = message
                        return
                    case "cancelling":
                        self._answered = True
                    case _:
                        self._on_message(message)

    async def wait(self, listening: asyncio.Future[None], stopping: asyncio.Future[Any]) -> str | None:
        """Return None when the child ended its order or itself, else why it must be killed."""
        while True:
            waiting = {listening} if self._stopped_at is not None else {listening, stopping}
            await asyncio.wait(waiting, timeout=self._next_look_s(), return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                return None
            if stopping.done() and self._stopped_at is None:
                self._stopped_at = time.monotonic()
                self.child.send({"type": "cancel"})
            if (reason := self._overdue()) is not None:
                return reason

    def verdict(self, reason: str) -> Outcome:
        """Return the outcome of a child that was killed for `reason`."""
        if reason == "cancelled":
            return Cancelled()
        limit_s = self.limits.run_s if reason == "run" else self.limits.idle_s
        text = "took longer than" if reason == "run" else "showed no sign of life for"
        code = "timeout" if reason == "run" else "idle_timeout"
        hint = "raise the node's timeout_s, or ask for less"
        return _failed(FailureKind.TIMEOUT, code, f"the task {text} {limit_s:g} s", self.child.log_tail(), hint)

    def _next_look_s(self) -> float:
        now = time.monotonic()
        if self._stopped_at is not None:
            grace = self.limits.cancel_grace_s if self._answered else self.limits.answer_grace_s
            return max(0.0, min(self._stopped_at + grace - now, 0.1))
        run_left_s = self._began_at + self.limits.run_s - now
        idle_left_s = self._heard_at + self.limits.idle_s / 2 - now  # twice per window, to see CPU use
        return max(0.005, min(run_left_s, idle_left_s if idle_left_s > 0 else self.limits.idle_s / 4))

    def _overdue(self) -> str | None:
        now = time.monotonic()
        if self._stopped_at is not None:
            grace = self.limits.cancel_grace_s if self._answered else self.limits.answer_grace_s
            return "cancelled" if now >= self._stopped_at + grace else None
        if now >= self._began_at + self.limits.run_s:
            return "run"
        if now - self._heard_at < self.limits.idle_s / 2:
            return None
        cpu_s = self.child.cpu_s()
        enough_s = max(CPU_SIGN_OF_LIFE_S, self.limits.idle_s * CPU_SIGN_OF_LIFE_RATIO)
        if self._cpu_s is None or cpu_s - self._cpu_s > enough_s:
            if self._cpu_s is not None:
                self._heard_at = now
            self._cpu_s = cpu_s
        return "idle" if now - self._heard_at >= self.limits.idle_s else None


def _crash(code: int, tail: str) -> Failed:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    hint = "it probably ran out of memory: ask for a smaller resolution" if code == -9 else None
    return _failed(FailureKind.CRASH, "child_crashed", f"the worker child {how}", tail, hint)


def _failed(kind: FailureKind, code: str, message: str, detail: str, hint: str | None = None) -> Failed:
    return Failed(failure=TaskFailure(kind=kind, code=code, message=message, detail=detail[-8000:] or None, hint=hint))
