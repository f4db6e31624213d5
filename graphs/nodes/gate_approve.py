"""`gate.approve`: a person approves or edits a value before the costly part starts.

The engine opens the question and ends the advance; the answer over REST is written as this node's outcome.
"""

from graphs.registry import Inputs, NodeContext, Outputs, Params, node


class GateParams(Params):
    """What to ask."""

    question: str = "Approve this value?"


@node("gate.approve", gate=True)
async def approve(ctx: NodeContext, params: GateParams, inputs: Inputs) -> Outputs:
    """Return the value as it is: the engine never calls this, an answer replaces it."""
    return {"script": inputs.get("value")}
