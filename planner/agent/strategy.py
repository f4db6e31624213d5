"""The language model as a planning strategy beside templates and solver."""

from __future__ import annotations

from planner.agent.model import ChatModel, ModelFailed
from planner.rules.view import problem
from planner.strategy import Proposal, Situation, Strategy
from schemas.diagnostics import Code
from schemas.errors import UnsatisfiableGoal


def from_model(model: ChatModel) -> Strategy:
    """Return the strategy that lets this model propose; it blocks while the model answers, so call it in a thread.

    The model can only add advertised tasks, bind their ports and set their params, and the result is proven like any
    other proposal: what it says is never trusted.
    """
    from planner.agent.graph import compiled, run

    agent = compiled(model)

    def propose(situation: Situation) -> Proposal:
        try:
            return run(agent, situation)
        except ModelFailed as failure:
            message = f"the planning model gave no answer: {failure}"
            hint = "check REELGRAPH_API_PLANNER_LLM and that its server runs, or use mode 'solver'"
            said = problem(Code.UNSATISFIABLE_GOAL, "/mode", message, hint=hint)
            raise UnsatisfiableGoal(message, diagnostics=[said]) from failure

    return propose
