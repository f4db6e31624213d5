"""A task whose effects are counted outside of the tables under test: every start and end is a line in a file."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pydantic import Field

from schemas.capability import port
from worker.context import TaskContext
from worker.registry import Inputs, Outputs, Params, task

LEDGER = "REELGRAPH_TASK_EFFECT_LEDGER"  # names the file that gets the lines `JOB NODE ATTEMPT PID begin|end`


class EffectParams(Params):
    """How long to take."""

    ticks: int = Field(default=5, ge=1, le=10_000)
    pause_s: float = Field(default=0.05, ge=0, le=60, description="Pause before each tick.")


@task(
    "test_effect",
    description="Append to a ledger, read a file, tick, write a file.",
    inputs={"file": port("object", "text", optional=True)},
    outputs={"file": port("object", "text")},
)
def effect(ctx: TaskContext, params: EffectParams, inputs: Inputs) -> Outputs:
    _append(f"{ctx.job_id} {ctx.node_id} {ctx.attempt} {os.getpid()} begin\n")
    text = Path(inputs["file"]["path"]).read_text() if inputs.get("file") else ""
    for tick in range(params.ticks):
        time.sleep(params.pause_s)
        ctx.progress((tick + 1) / params.ticks, stage="ticking", step=tick + 1, steps=params.ticks)
    path = ctx.workdir / "text.txt"
    path.write_text(f"{text}{ctx.node_id}\n")
    saved = ctx.save(path, kind="text", media={"attempt": ctx.attempt})
    _append(f"{ctx.job_id} {ctx.node_id} {ctx.attempt} {os.getpid()} end\n")
    return {"file": saved}


def _append(line: str) -> None:
    """Write one line in one call: lines of several processes never mix."""
    descriptor = os.open(os.environ[LEDGER], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
