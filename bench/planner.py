"""The planner's benchmark: every case of `bench/planner/*.jsonl` through each way of planning.

    python -m bench.planner                    # the dev split, a table per way and per group
    python -m bench.planner --split heldout    # what nobody tuned on; --split all for both
    python -m bench.planner --way solver --show 20

Identifiers in braces are drawn anew from `--seed`. No case needs a network or a running stack.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from rich import box
from rich.console import Console
from rich.table import Table

from bench.planner_cases import HELD_OUT, Case, faults, load
from graphs.registry import NodeError
from graphs.template_registry import load_templates
from planner.agent.model import Completion, Message, ModelFailed
from planner.agent.strategy import from_model
from planner.manifest import read_manifest
from planner.meaning import similarity
from planner.plan import STRATEGIES, plan
from planner.strategy import Proposal, Situation, Strategy, from_templates
from planner.validator import validate
from schemas.brief import Deliverable
from schemas.capability import Manifest
from schemas.errors import ReelgraphError
from schemas.plan import Plan
from schemas.planning import PlanRequest

WAYS = ("nearest", "template", "solver", "auto")
"""`nearest`: the template whose description is nearest to the goal, in one shot; `auto`: template, then solver."""
MODEL = "llm"
"""The packaged small model, then the solver: some 30 s a goal, so only on `--sample` and when asked for."""


@dataclass(frozen=True)
class Result:
    """What came of one case."""

    case: Case
    status: int
    answer: dict[str, Any]
    milliseconds: float
    faults: tuple[str, ...]
    invalid: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()

    @property
    def planned(self) -> bool:
        return self.status == 200


def nearest(situation: Situation) -> Proposal:
    """The baseline: the template whose description is nearest to the goal, filled from the brief, in one shot."""
    templates = list(situation.templates.values())
    scores = similarity([situation.brief.goal], [item.description for item in templates])[0]
    chosen = templates[int(scores.argmax())]
    only = {chosen.name: dataclasses.replace(chosen, makes=frozenset(Deliverable))}
    return from_templates(dataclasses.replace(situation, templates=only))


class PackagedModel:
    """The packaged model in this process, for the planning agent. Counts its tokens."""

    tokens = 0

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any]) -> Completion:
        from graphs.planning.embedded import answer

        told = [[message.role, message.text] for message in messages]
        try:
            said = answer({"messages": told, "schema": dict(schema)})
        except NodeError as failure:
            raise ModelFailed(str(failure)) from failure
        PackagedModel.tokens += said["tokens"]
        return Completion(said["text"], said["tokens"], said["model"])


def run(case: Case, *, mode: str, templates: Any) -> Result:
    """Plan one case in this process and judge the answer."""
    began = time.perf_counter()
    try:
        request = PlanRequest.model_validate({**case.request(), "mode": mode})
        strategies: dict[str, Strategy] = {"nearest": nearest} if mode == "nearest" else dict(STRATEGIES)
        if mode == MODEL:
            strategies[MODEL] = from_model(PackagedModel())
        response = plan(request, manifest=Manifest(), templates=templates, strategies=strategies)
        status, answer = 200, response.model_dump(mode="json", exclude_none=True)
    except ReelgraphError as error:
        status, answer = error.status, error.to_json()
    except ValidationError as error:
        status, answer = 422, {"error": {"code": "validation_error", "message": str(error)}}
    milliseconds = (time.perf_counter() - began) * 1e3
    wrong = tuple(faults(case, status=status, answer=answer))
    if status != 200:
        return Result(case, status, answer, milliseconds, wrong)
    emitted, manifest = Plan.model_validate(answer["graph"]), read_manifest(case.manifest.document())
    invalid = tuple(f"{item.code}: {item.message}" for item in validate(emitted, manifest=manifest))
    live = {
        task for section in case.manifest.document().values() for task, entry in section.items()
        if entry.get("enabled", True)
    }  # fmt: skip
    forbidden = tuple(node.task for node in emitted.nodes if node.task not in live)
    if case.group == "hostile":
        forbidden += tuple(text for text in wrong if text.startswith("has "))
    return Result(case, status, answer, milliseconds, wrong, invalid, forbidden)


def summary(results: list[Result]) -> dict[str, float]:
    """Return the figures of one way: shares in 0..1, milliseconds."""
    must_refuse = [item for item in results if item.case.expect.error is not None]
    refused = [item for item in results if not item.planned]
    right_refusals = [item for item in refused if item.case.expect.error is not None]
    planned = [item for item in results if item.planned]
    times = sorted(item.milliseconds for item in results)
    return {
        "cases": len(results),
        "resolve": _share(results, lambda item: not item.faults and not item.invalid),
        "valid": _share(planned, lambda item: not item.invalid),
        "refusal_precision": len(right_refusals) / len(refused) if refused else 1.0,
        "refusal_recall": len(right_refusals) / len(must_refuse) if must_refuse else 1.0,
        "forbidden_rate": _share(planned, lambda item: bool(item.forbidden)) if planned else 0.0,
        "superfluous_rate": _share(planned, lambda item: any(text.startswith("has ") for text in item.faults)),
        "parallel_f1": _parallel_f1(planned),
        "by_model_at_once": _share(planned, lambda item: _planner(item) == (MODEL, 0)),
        "by_model": _share(planned, lambda item: _planner(item)[0] == MODEL),
        "p50_ms": statistics.median(times),
        "p95_ms": times[int(0.95 * (len(times) - 1))],
    }


def _planner(item: Result) -> tuple[str, int]:
    told = item.answer["graph"]["metadata"]["planner"]
    return told["mode"], told["rounds"]


def _share(items: list[Result], holds: Callable[[Result], bool]) -> float:
    return sum(map(holds, items)) / len(items) if items else 1.0


def _parallel_f1(planned: Iterable[Result]) -> float:
    """F1 over the pairs that must be parallel and those that must be in order, of the plans that were emitted."""
    counts: Counter[str] = Counter()
    for item in planned:
        wrong_parallel = sum("not parallel" in text for text in item.faults)
        wrong_order = sum("does not come before" in text for text in item.faults)
        counts["true"] += len(item.case.expect.parallel) - wrong_parallel
        counts["missed"] += wrong_parallel
        counts["false"] += wrong_order
    total = 2 * counts["true"] + counts["missed"] + counts["false"]
    return 2 * counts["true"] / total if total else 1.0


def main() -> None:
    """Parse the command line, plan, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=("dev", "heldout", "all"), default="dev")
    parser.add_argument("--way", action="append", choices=(*WAYS, MODEL), help="only these; all but llm by default")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="every so-many-th case, N in all")
    parser.add_argument("--seed", type=int, default=1, help="of the random identifiers")
    parser.add_argument(
        "--show", type=int, default=0, metavar="N", help="print the first N failures; never held-out ones"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    cases = [case for case in load(seed=given.seed) if given.split in ("all", case.split)]
    if given.sample:
        cases = cases[:: max(1, len(cases) // given.sample)][: given.sample]
    templates = load_templates().by_name
    console, ways = Console(width=200), given.way or list(WAYS)
    results = {way: [run(case, mode=way, templates=templates) for case in cases] for way in ways}
    if given.json:
        print(json.dumps({way: summary(items) for way, items in results.items()}))
        return
    console.print(f"{len(cases)} cases, split {given.split}, seed {given.seed}")
    for title, groups in (("figure", None), ("resolved by group", sorted({case.group for case in cases}))):
        table = Table(title, *ways, box=box.MARKDOWN)
        if groups is None:
            figures = {way: summary(items) for way, items in results.items()}
            for name in next(iter(figures.values())):
                table.add_row(name, *(f"{figures[way][name]:.3f}" for way in ways))
        for group in groups or ():
            of_group = {way: [item for item in items if item.case.group == group] for way, items in results.items()}
            table.add_row(
                f"{group} ({len(of_group[ways[0]])})",
                *(f"{_share(of_group[way], lambda item: not item.faults and not item.invalid):.3f}" for way in ways),
            )
        console.print(table)
    if MODEL in ways:
        console.print(f"tokens of the model: {PackagedModel.tokens / len(cases):.0f} a goal")
    for way in ways:
        failed = [item for item in results[way] if (item.faults or item.invalid) and item.case.split != HELD_OUT]
        for item in failed[: given.show]:
            console.print(f"{way} {item.case.id} {item.case.goal[:160]!r}", markup=False)
            console.print("   ", *item.faults, *item.invalid, sep="\n    ", markup=False)


if __name__ == "__main__":
    main()
