"""A task that keeps a model loaded between its runs."""

from __future__ import annotations

import os

from schemas.capability import port
from worker.context import TaskContext
from worker.models.resident import resident
from worker.registry import Inputs, Outputs, Params, task


class ModelParams(Params):
    model: str = "m"


@task("test_use_model", description="Use a model.", inputs={}, outputs={"value": port("object", "json")})
def use_model(ctx: TaskContext, params: ModelParams, inputs: Inputs) -> Outputs:
    loads: list[str] = []
    with resident(f"{params.model}:whole", lambda: loads.append(params.model) or object(), size_gib=1.0, device="cpu"):
        return {"value": {"pid": os.getpid(), "loaded": bool(loads)}}
