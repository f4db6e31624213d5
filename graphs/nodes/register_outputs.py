"""`artifacts.registerOutputs`: mark what the job made as its outputs."""

from collections.abc import Iterator
from typing import Any

from graphs.registry import Inputs, NodeContext, Outputs, Params, node


class RegisterParams(Params):
    """Nothing to set."""


@node("artifacts.registerOutputs")
async def register_outputs(ctx: NodeContext, params: RegisterParams, inputs: Inputs) -> Outputs:
    """Register every artifact that the inputs refer to, thumbnails and subtitles included."""
    return {"artifacts": await ctx.outputs.register(sorted(set(_ids(list(inputs.values())))))}


def _ids(value: Any) -> Iterator[str]:
    """Yield the id of every artifact reference inside `value`."""
    if isinstance(value, dict):
        if value.get("id") and str(value.get("uri", "")).startswith("s3://artifacts/"):
            yield str(value["id"])
        for item in value.values():
            yield from _ids(item)
    elif isinstance(value, list):
        for item in value:
            yield from _ids(item)
