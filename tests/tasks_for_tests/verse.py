"""A chain of two tasks that no contract fixes and no template uses: only the solver can find them."""

from __future__ import annotations

from schemas.capability import port
from worker.context import TaskContext
from worker.registry import Inputs, Outputs, Params, task


@task(
    "test_rhyme",
    description="Write a rhyming couplet about a subject.",
    inputs={"subject": port("string")},
    outputs={"couplet": port("object")},
)
def rhyme(ctx: TaskContext, params: Params, inputs: Inputs) -> Outputs:
    return {"couplet": {"lines": [f"Of {inputs['subject']} I sing,", "to the bell that we ring."]}}


@task(
    "test_frame",
    description="Print a couplet in a frame of stars.",
    inputs={"couplet": port("object")},
    outputs={"framed_verse": port("object")},
)
def frame(ctx: TaskContext, params: Params, inputs: Inputs) -> Outputs:
    lines = inputs["couplet"]["lines"]
    border = "*" * (max(map(len, lines)) + 4)
    return {"framed_verse": {"text": "\n".join([border, *(f"* {line}" for line in lines), border])}}
