"""`test.echo`: returns its params; `test.slow` does so beside the engine; `test.fails` fails as told."""

import asyncio

from graphs.registry import Inputs, NodeContext, NodeError, Outputs, Params, node
from schemas.capability import port
from schemas.states import FailureKind

_IN = {"value": port("object", "json", optional=True), "items": port("array", "json", optional=True)}
_OUT = {"value": port("object", "json")}


class EchoParams(Params):
    """What to return."""

    value: int = 0
    items: int = 0


class SlowParams(EchoParams):
    """How slowly."""

    seconds: float = 0.01


class FailParams(Params):
    """How to fail."""

    kind: FailureKind = FailureKind.INPUT
    times: int = 1000


@node("test.echo", description="Return a number.", inputs=_IN, outputs=_OUT | {"items": port("array", "json")})
async def echo(ctx: NodeContext, params: EchoParams, inputs: Inputs) -> Outputs:
    """Return `value` and a list of `items` numbers."""
    return {"value": {"n": params.value}, "items": [{"n": n} for n in range(params.items)]}


@node("test.slow", description="Return a number, slowly.", inputs=_IN, outputs=_OUT, slow=True)
async def slow(ctx: NodeContext, params: SlowParams, inputs: Inputs) -> Outputs:
    """Return `value` from the control queue."""
    await asyncio.sleep(params.seconds)
    return {"value": {"n": params.value, "attempt": ctx.attempt}}


@node("test.fails", description="Fail.", inputs=_IN, outputs=_OUT)
async def fails(ctx: NodeContext, params: FailParams, inputs: Inputs) -> Outputs:
    """Fail until the attempt number is over `times`."""
    if ctx.attempt <= params.times:
        raise NodeError("told_to_fail", "this node fails as told", kind=params.kind)
    return {"value": {"n": ctx.attempt}}
