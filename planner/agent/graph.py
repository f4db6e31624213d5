"""The agent as a LangGraph graph: brief -> propose -> validate -> repair -> estimate -> emit.

```mermaid
flowchart LR
    brief --> propose --> validate
    validate -->|problems| repair --> propose
    validate -->|proven| estimate
    estimate -->|over budget| repair
    estimate --> emit
```
"""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from planner.agent.catalogue import relevant
from planner.agent.draft import Draft
from planner.agent.edits import Finish, answer_schema, read_answer
from planner.agent.model import ChatModel, Message, estimated_tokens
from planner.agent.prompt import opening, reply
from planner.agent.wishes import first_draft, needed, unmet, with_makers
from planner.estimate import estimate, over_budget
from planner.rules.view import USER_LIMITS, problem
from planner.strategy import Proposal, Situation
from planner.validator import validate
from schemas.contracts.table import Advertised
from schemas.diagnostics import Code, Diagnostic, Severity
from schemas.errors import UnsatisfiableGoal

MAX_REPAIRS = 3
"""Answers with something wrong that a model may put right (DESIGN.md section 6)."""
MAX_TURNS = 12
"""Answers at most, with those that only go on: a model may build its plan edit by edit."""
TOKEN_BUDGET = 32_000
"""Tokens of one plan, prompts and answers together: a plan of eight nodes from forty tasks takes about 8,000."""
_LEAST_WEIGHT_S = 0.5


class State(TypedDict):
    """What the nodes hand on; each fills in what those behind it read."""

    situation: Situation
    draft: Draft
    tasks: list[Advertised]
    needs: list[str]
    final: Draft
    schema: dict[str, Any]
    opening: list[Message]
    exchange: list[Message]
    answer: str
    refused: list[Diagnostic | None]
    open_: list[Diagnostic]
    finished: bool
    rounds: int
    turns: int
    tokens: int
    model: str
    weights: dict[str, float]
    proposal: Proposal


Update = dict[str, Any]
Agent = CompiledStateGraph[Any, Any, Any, Any]


def compiled(model: ChatModel) -> Agent:
    """Return the graph that plans with this model."""
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(State)
    steps: dict[str, Any] = {
        "brief": _brief,
        "propose": lambda state: _propose(state, model),
        "validate": _validate,
        "repair": _repair,
        "estimate": _estimate,
        "emit": _emit,
    }
    for name, step in steps.items():
        graph.add_node(name, step)
    graph.add_edge(START, "brief")
    graph.add_edge("brief", "propose")
    graph.add_edge("propose", "validate")
    graph.add_conditional_edges("validate", _is_proven, {True: "estimate", False: "repair"})
    graph.add_edge("repair", "propose")
    graph.add_conditional_edges("estimate", _is_proven, {True: "emit", False: "repair"})
    graph.add_edge("emit", END)
    return graph.compile(name="planner.agent")


def run(agent: Agent, situation: Situation) -> Proposal:
    """Return what the agent proposes.

    Raises:
        UnsatisfiableGoal: the rounds or the tokens are spent.
        ModelFailed: the model cannot be asked.
    """
    ended: Any = agent.invoke({"situation": situation}, {"recursion_limit": 4 * MAX_TURNS + 8})
    return ended["proposal"]


def _brief(state: State) -> Update:
    situation = state["situation"]
    tasks = relevant(situation)
    draft = first_draft(situation, tasks)
    tasks = [item for item in tasks if item.name not in draft.forbidden]
    if not tasks:
        raise _gave_up(Code.UNSATISFIABLE_GOAL, "no live task could make this", [])
    needs = needed(situation, tasks)
    return {
        "draft": draft,
        "tasks": tasks,
        "needs": needs,
        "schema": answer_schema(tasks),
        "opening": opening(situation, draft, tasks, needs=needs),
        "exchange": [],
        "open_": [],
        "rounds": 0,
        "turns": 0,
        "tokens": 0,
    }


def _propose(state: State, model: ChatModel) -> Update:
    messages = [*state["opening"], *state["exchange"]]
    texts = [message.text for message in messages]
    if state["tokens"] + estimated_tokens(*texts) > TOKEN_BUDGET:
        message = f"the model used up its {TOKEN_BUDGET} tokens before its plan was valid"
        raise _gave_up(Code.OVER_BUDGET, message, state["open_"], spent=state["tokens"], allowed=TOKEN_BUDGET)
    completion = model.complete(messages, schema=state["schema"])
    tokens = completion.tokens or estimated_tokens(*texts, completion.text)
    return {
        "answer": completion.text,
        "model": completion.model,
        "tokens": state["tokens"] + tokens,
        "turns": state["turns"] + 1,
    }


def _validate(state: State) -> Update:
    """Make the edits one by one, each checked at once; prove the whole when the model says that it is complete."""
    draft, finished = state["draft"], False
    refused: list[Diagnostic | None] = []
    for edit in read_answer(state["answer"]):
        if isinstance(edit, Finish):
            finished = True
            refused.append(None)
            continue
        result = edit if isinstance(edit, Diagnostic) else draft.edited(edit)
        refused.append(result if isinstance(result, Diagnostic) else None)
        draft = draft if isinstance(result, Diagnostic) else result
    if not finished:
        return {"draft": draft, "refused": refused, "finished": False, "open_": []}
    final = draft.with_offers().with_registration()
    return {
        "draft": draft,
        "final": final,
        "refused": refused,
        "finished": True,
        "open_": [with_makers(item, state["tasks"]) for item in _wrong(final, state["situation"], state["needs"])],
    }


def _wrong(draft: Draft, situation: Situation, needs: list[str]) -> list[Diagnostic]:
    """Return everything that keeps a draft from being the plan, each place once."""
    found = list(unmet(draft, situation, needs))
    if draft.nodes:
        constraints = situation.request.constraints
        found += validate(draft.plan(), manifest=draft.manifest, constraints=constraints, limits=USER_LIMITS)
    return list({(item.code, item.path): item for item in reversed(found)}.values())[::-1]


def _repair(state: State) -> Update:
    """Tell the model what became of its edits; an answer with something wrong in it costs a round."""
    faulty = state["finished"] or any(item is not None for item in state["refused"])
    rounds = state["rounds"] + faulty
    problems = [*(item for item in state["refused"] if item is not None), *state["open_"]]
    if rounds > MAX_REPAIRS:
        raise _gave_up(
            Code.UNSATISFIABLE_GOAL,
            f"the model gave no valid plan in {MAX_REPAIRS} repair rounds",
            problems,
            spent=MAX_REPAIRS,
            allowed=MAX_REPAIRS,
        )
    if state["turns"] >= MAX_TURNS:
        message = f"the model did not finish its plan in {MAX_TURNS} answers"
        raise _gave_up(Code.UNSATISFIABLE_GOAL, message, problems, spent=state["turns"], allowed=MAX_TURNS)
    return {
        "rounds": rounds,
        "exchange": reply(state["answer"], state["draft"], refused=state["refused"], open_=state["open_"]),
    }


def _estimate(state: State) -> Update:
    situation = state["situation"]
    quote = estimate(state["final"].plan(), manifest=situation.manifest, statistics=situation.statistics)
    return {
        "open_": over_budget(quote, situation.request.constraints),
        "weights": {node.node: max(_LEAST_WEIGHT_S, node.p50_s) for node in quote.nodes},
    }


def _emit(state: State) -> Update:
    plan = state["final"].plan(weights=state["weights"])
    made = " -> ".join(node.task for node in plan.nodes)
    rounds = state["rounds"]
    repaired = f" after {rounds} repair round{'s' * (rounds > 1)}" if rounds else ""
    reason = f"The model {state['model']} proposed {made}{repaired}; every step was checked."
    remarks = [
        *(_remark(item) for item in state["refused"] if item is not None),
        *_differences(state["situation"], state["final"]),
    ]
    return {"proposal": Proposal(plan, reason, tuple(remarks), model=state["model"], rounds=rounds)}


def _is_proven(state: State) -> bool:
    return state["finished"] and not state["open_"]


def _remark(item: Diagnostic) -> Diagnostic:
    message = f"the model proposed what is not possible, and it was left out: {item.message}"
    return item.model_copy(update={"severity": Severity.WARNING, "message": message})


def _differences(situation: Situation, draft: Draft) -> list[Diagnostic]:
    """Return where the model understood the goal otherwise than the reader."""
    found: list[Diagnostic] = []
    for place, node in enumerate(draft.nodes):
        for name in ("duration_seconds", "resolution"):
            read, got = getattr(situation.settled, name), node.params.get(name)
            if got is not None and got != read:
                message = f"the model set {name} of {node.id!r} to {got!r}; the goal was read as {read!r}"
                path = f"/nodes/{place}/params/{name}"
                found.append(problem(Code.ASSUMED, path, message, severity=Severity.WARNING, got=got, allowed=read))
    return found


def _gave_up(
    code: Code, message: str, problems: list[Diagnostic], *, spent: int | None = None, allowed: int | None = None
) -> UnsatisfiableGoal:
    hint = "use mode 'solver', or choose a larger model"
    said = problem(code, "/mode", message, got=spent, allowed=allowed, hint=hint)
    return UnsatisfiableGoal(message, diagnostics=[said, *problems])
