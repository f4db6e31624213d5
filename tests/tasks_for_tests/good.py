"""Tasks that end well."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

from pydantic import Field

from schemas.capability import port
from worker.context import TaskContext
from worker.registry import Inputs, Outputs, Params, task

ANY = {"value": port("object", "json", optional=True)}


class NoopParams(Params):
    ticks: int = Field(default=10, ge=0, le=100_000)
    pause_s: float = Field(default=0.0, ge=0, le=60)
    lines: int = Field(default=0, ge=0, le=1000)


@task("test_noop", description="Tick and return.", inputs=ANY, outputs={"value": port("object", "json")})
def noop(ctx: TaskContext, params: NoopParams, inputs: Inputs) -> Outputs:
    for line in range(params.lines):
        ctx.log(f"line {line}", number=line)
    for tick in range(params.ticks):
        ctx.progress((tick + 1) / params.ticks, stage="ticking", step=tick + 1, steps=params.ticks)
        if params.pause_s:
            time.sleep(params.pause_s)
    return {"value": {"ticks": params.ticks, "attempt": ctx.attempt, "got": inputs.get("value")}}


class FileParams(Params):
    text: str = "hello"
    name: str = "note.txt"
    count: int = Field(default=1, ge=1, le=1000)
    pause_s: float = Field(default=0.0, ge=0, le=60)


@task("test_write_file", description="Write files.", inputs=ANY, outputs={"file": port("object", "text")})
def write_file(ctx: TaskContext, params: FileParams, inputs: Inputs) -> Outputs:
    made: list[dict[str, Any]] = []
    for number in range(params.count):
        path = ctx.workdir / f"{number}-{params.name}"
        path.write_text(params.text)
        made.append(ctx.save(path, kind="text", media={"number": number}, role="output" if number == 0 else "part"))
    time.sleep(params.pause_s)
    return {"file": made[0]}


@task(
    "test_read_file",
    description="Read a file.",
    inputs={"file": port("object", "text")},
    outputs={"value": port("object", "json")},
)
def read_file(ctx: TaskContext, params: Params, inputs: Inputs) -> Outputs:
    return {"value": {"text": Path(inputs["file"]["path"]).read_text()}}


@task("test_environment", description="Show the environment.", inputs={}, outputs={"value": port("object", "json")})
def environment(ctx: TaskContext, params: Params, inputs: Inputs) -> Outputs:
    import os

    score = Path("/proc/self/oom_score_adj").read_text().strip()
    return {"value": {"names": dict(os.environ), "oom_score_adj": int(score), "pid": os.getpid()}}


class StampParams(Params):
    text: str = "hello"
    fails: int = Field(default=0, ge=0)


@task(
    "test_stamp",
    description="Write what no second run writes again.",
    inputs={
        "file": port("object", "text", optional=True),
        "image": port("object", "image", optional=True),
        "profile": port("object", "profile", optional=True),
    },
    outputs={"file": port("object", "text"), "profile": port("object", "profile", optional=True)},
    cacheable=True,
)
def stamp(ctx: TaskContext, params: StampParams, inputs: Inputs) -> Outputs:
    if ctx.attempt <= params.fails:
        ctx.fail("told_to_fail", "this task fails as told")
    path = ctx.workdir / "stamp.txt"
    path.write_text(f"{params.text} {ctx.seed} {uuid.uuid4()}")
    return {"file": ctx.save(path, kind="text"), "seed": ctx.seed, "profile": inputs.get("profile")}
