"""A task that saves one small real file of a given format, and one that makes another file of it."""

from __future__ import annotations

from typing import Literal

from schemas.capability import port
from worker.context import TaskContext
from worker.registry import Inputs, Outputs, Params, task


class FormatParams(Params):
    """Which file to make."""

    format: Literal["png", "jpg", "wav", "mp4", "glb", "safetensors", "svg"] = "png"
    seed: int = 0


@task(
    "test_make_file",
    description="Save a small file of a format.",
    inputs={"file": port("object", "image", optional=True)},
    outputs={"file": port("object", "image")},
)
def make_file(ctx: TaskContext, params: FormatParams, inputs: Inputs) -> Outputs:
    from tests.made_files import FORMATS

    made = FORMATS[params.format]
    path = ctx.workdir / f"made.{params.format}"
    made.make(path)
    return {"file": ctx.save(path, kind=made.kind)}
