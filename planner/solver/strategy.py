"""The solver as a strategy: any wanted result from any advertised tasks, or the proof that it cannot be had. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner import lexicon
from planner.settle import Settled
from planner.solver.build import Assembly
from planner.solver.chain import Derivation, derive, used
from planner.solver.explain import why_not
from planner.solver.stock import costs, stock, usable
from planner.strategy import Proposal, Situation
from planner.targets import Target
from schemas.brief import TRAINED
from schemas.contracts.table import Advertised
from schemas.diagnostics import Diagnostic
from schemas.errors import UnsatisfiableGoal


def from_solver(situation: Situation) -> Proposal:
    """Propose the cheapest plan that reaches every target.

    Raises:
        UnsatisfiableGoal: some target cannot be reached; the diagnostics name each missing task and input.
    """
    brief, manifest = situation.brief, situation.manifest
    tasks = usable(manifest, brief)
    targets = _in_order(situation.targets, tasks)
    assembly = Assembly(tasks, manifest, brief, situation.settled)
    seconds = costs(tasks, situation.statistics)
    problems: list[Diagnostic] = []
    results: list[str] = []
    for target in targets:
        start = stock(brief, planned=list(assembly.steps))
        found = derive(tasks, stock=start, seconds=seconds.__getitem__)
        reached = [task for task in target.tasks if task in found]
        if not reached:
            problems += why_not(target.tasks, manifest=manifest, found=found, stock=start)
            continue
        best = min(reached, key=lambda task: (found[task].seconds, target.tasks.index(task)))
        _add(assembly, best, found, situation.settled, last=_sizes(tasks, situation.targets))
        results.append(best)
    if problems:
        raise UnsatisfiableGoal("; ".join(dict.fromkeys(item.message for item in problems)), diagnostics=problems)
    names = ", ".join(target.wanted.replace("_", " ") for target in targets)
    subject = f" about {brief.topic!r}" if brief.topic else ""
    steps = " -> ".join(assembly.steps)
    return Proposal(assembly.finish(results), f"The goal asks for: {names}{subject}. The solver found: {steps}.")


def _in_order(targets: Sequence[Target], tasks: Mapping[str, Advertised]) -> list[Target]:
    """Put targets behind those that they can be made from: training first, then what takes its results."""
    trained = [target for target in targets if target.wanted in {item.value for item in TRAINED}]
    left = [target for target in targets if target not in trained]
    ordered = list(trained)
    while left:
        free = [a for a in left if not any(b is not a and _feeds(b, a, tasks) for b in left)]
        ordered += free or left[:1]
        left = [target for target in left if target not in ordered]
    return ordered


def _feeds(first: Target, second: Target, tasks: Mapping[str, Advertised]) -> bool:
    yields = {
        port.kind_of(name)
        for task in first.tasks if task in tasks
        for name, port in (tasks[task].capability.outputs or {}).items()
    }  # fmt: skip
    takes = {
        port.kind_of(name)
        for task in second.tasks if task in tasks
        for name, port in (tasks[task].capability.inputs or {}).items()
    }  # fmt: skip
    return bool(yields & takes) and not set(first.tasks) & set(second.tasks)


def _sizes(tasks: Mapping[str, Advertised], targets: Sequence[Target]) -> str | None:
    """Return the task that gets the asked size: the upscaler where there is one."""
    wanted = {task for target in targets for task in target.tasks}
    return lexicon.UPSCALER if lexicon.UPSCALER in wanted and lexicon.UPSCALER in tasks else None


def _add(
    assembly: Assembly, target: str, found: Mapping[str, Derivation], settled: Settled, *, last: str | None
) -> None:
    for task in used(target, found):
        if task not in assembly.steps:
            size = settled.resolution if last in (None, task) else lexicon.DEFAULT_RESOLUTION
            assembly.add(task, found[task], resolution=size)
