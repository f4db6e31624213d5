"""Tasks that end badly, each in its own way."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from pydantic import Field

from schemas.capability import port
from schemas.states import FailureKind
from worker.context import TaskContext, TaskError
from worker.registry import Inputs, Outputs, Params, task

NONE = {"value": port("object", "json", optional=True)}
OUT = {"value": port("object", "json")}


class CrashParams(Params):
    times: int = Field(default=99, description="Crash while the attempt number is at most this.")


@task("test_crash", description="Kill its own process.", inputs=NONE, outputs=OUT)
def crash(ctx: TaskContext, params: CrashParams, inputs: Inputs) -> Outputs:
    if ctx.attempt <= params.times:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"value": {"attempt": ctx.attempt}}


class HangParams(Params):
    seconds: float = 600.0
    busy: bool = Field(default=False, description="Use CPU meanwhile.")
    pid_file: str = Field(default="", description="Where to write the pids of this process and of a tool it started.")


@task("test_hang", description="Ignore a cancel.", inputs=NONE, outputs=OUT, idle_timeout_s=2.0)
def hang(ctx: TaskContext, params: HangParams, inputs: Inputs) -> Outputs:
    tool = subprocess.Popen(["sleep", str(params.seconds)])
    if params.pid_file:
        partial = Path(params.pid_file + ".part")
        partial.write_text(f"{os.getpid()} {tool.pid}")
        partial.rename(params.pid_file)
    ends_at = time.monotonic() + params.seconds
    while time.monotonic() < ends_at:
        if not params.busy:
            time.sleep(0.01)
    tool.wait()
    return {"value": {}}


class FailParams(Params):
    kind: FailureKind = FailureKind.INPUT
    until: int = Field(default=99, description="Fail while the attempt number is at most this.")


@task("test_fail", description="Fail with a kind.", inputs=NONE, outputs=OUT)
def fail(ctx: TaskContext, params: FailParams, inputs: Inputs) -> Outputs:
    if ctx.attempt <= params.until:
        path = ctx.workdir / "partial.txt"
        path.write_text("half")
        ctx.save(path, kind="text", role="part")
        raise TaskError("test_failure", f"failed as {params.kind}", kind=params.kind, hint="nothing to do")
    return {"value": {"attempt": ctx.attempt}}


class RaiseParams(Params):
    what: str = "ValueError"


@task("test_raise", description="Raise an exception.", inputs=NONE, outputs=OUT)
def raise_(ctx: TaskContext, params: RaiseParams, inputs: Inputs) -> Outputs:
    raise {"ValueError": ValueError, "MemoryError": MemoryError, "ConnectionError": ConnectionError}[params.what]("x")


@task("test_no_output", description="Return nothing.", inputs=NONE, outputs=OUT)
def no_output(ctx: TaskContext, params: Params, inputs: Inputs) -> Outputs:
    return {}


class BigParams(Params):
    mebibytes: int = 20


@task("test_big_output", description="Return a value over the frame limit.", inputs=NONE, outputs=OUT)
def big_output(ctx: TaskContext, params: BigParams, inputs: Inputs) -> Outputs:
    return {"value": {"text": "x" * (params.mebibytes << 20)}}
