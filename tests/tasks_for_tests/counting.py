"""A task that counts, and keeps what it needs to go on: its result depends on every step, once and in order."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from pathlib import Path

from pydantic import Field

from schemas.capability import port
from worker.context import TaskContext
from worker.registry import Inputs, Outputs, Params, task


class CountParams(Params):
    """How far to count, and what may happen on the way."""

    steps: int = Field(default=40, ge=1, le=10_000)
    every: int = Field(default=5, ge=1, description="Steps between two checkpoints.")
    pause_s: float = Field(default=0.02, ge=0, le=60, description="Pause before each step.")
    salt: str = ""
    die_at: int | None = Field(default=None, description="The process of the first attempt dies at this step.")
    hang_at: int | None = Field(default=None, description="The first attempt only waits from this step on.")
    refuse_at: int | None = Field(
        default=None, description="It fails for good at this step, if it began with the first."
    )
    stray: str | None = Field(default=None, description="A file outside of the attempt's folder to offer instead.")


@task(
    "test_count",
    description="Count with checkpoints.",
    inputs={},
    outputs={"value": port("object", "json"), "file": port("object", "text")},
)
def count(ctx: TaskContext, params: CountParams, inputs: Inputs) -> Outputs:
    state = json.loads(ctx.checkpoint.read_text()) if ctx.checkpoint else {"step": 0, "digest": ""}
    began_at = state["step"]
    kept = ctx.workdir / "state.json"
    for step in range(began_at + 1, params.steps + 1):
        time.sleep(params.pause_s)
        if ctx.attempt == 1 and step == params.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if began_at == 0 and step == params.refuse_at:
            ctx.fail("refused", "as asked")
        while ctx.attempt == 1 and params.hang_at is not None and step >= params.hang_at:
            ctx.check_cancelled()
            time.sleep(0.02)
        state = {"step": step, "digest": hashlib.sha256(f"{state['digest']}{params.salt}{step}".encode()).hexdigest()}
        if step % params.every == 0:
            kept.write_text(json.dumps(state))
            if params.stray:
                ctx.emit({"type": "checkpoint", "path": params.stray, "step": step})
            else:
                ctx.keep_checkpoint(kept, step=step)
        ctx.progress(step / params.steps, stage="counting", step=step, steps=params.steps)
    path = Path(ctx.workdir / "count.txt")
    path.write_text(state["digest"])
    facts = {"digest": state["digest"], "began_at": began_at, "attempt": ctx.attempt}
    return {"value": facts, "file": ctx.save(path, kind="text")}
