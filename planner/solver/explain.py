"""Why a result cannot be reached: every missing task and input on the way to it, by name. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from planner.rules.view import problem
from planner.solver.chain import Derivation, Stock, fits, is_said, needs
from schemas.builder import not_live
from schemas.capability import Manifest, Port
from schemas.contracts.table import advertised, contracts
from schemas.diagnostics import Code, Diagnostic

MOST = 12


def why_not(
    tasks: tuple[str, ...], *, manifest: Manifest, found: Mapping[str, Derivation], stock: Stock
) -> list[Diagnostic]:
    """Return what is missing for any of `tasks`, the nearest first; at most `MOST`."""
    problems: dict[tuple[str, str], Diagnostic] = {}
    seen: set[str] = set()

    def note(item: Diagnostic) -> None:
        problems.setdefault((item.path, item.message), item)

    def visit(task: str) -> None:
        if task in seen or task in found:
            return
        seen.add(task)
        entry = advertised(manifest, task)
        if entry is None or not entry.capability.enabled:
            note(not_live(task, manifest))
            if entry is None:
                return
        for name, port in needs(entry, forced=stock.forced).items():
            if stock.at_hand(name, port) is None and not (is_said(port) and stock.values(name, port)):
                missing(task, name, port)

    def missing(task: str, name: str, port: Port) -> None:
        kind = port.kind_of(name)
        makers = [other for other in _makers(name, port, manifest) if other != task]
        if any(other in found for other in makers):
            return
        shown = name if name == kind else f"{name} ({kind})"
        note(problem(
            Code.MISSING_INPUT, f"/inputs/{name}", f"{task} needs {shown}, and nothing at hand yields it", got=None,
            hint=f"give it with the request, as inputs.{_key(name, port)}",
        ))  # fmt: skip
        for other in makers:
            visit(other)

    for task in tasks:
        visit(task)
    return list(problems.values())[:MOST]


def _makers(taken_name: str, taken: Port, manifest: Manifest) -> list[str]:
    """Return the tasks, advertised or fixed, that yield what this port takes."""
    names = dict.fromkeys([*manifest.node, *manifest.python, *contracts()])
    found: list[str] = []
    for name in names:
        entry = advertised(manifest, name)
        outputs = (entry.capability.outputs if entry else contracts()[name].outputs) or {}
        if any(fits(port, port_name, taken, taken_name) for port_name, port in outputs.items()):
            found.append(name)
    return found


def _key(name: str, port: Port) -> str:
    return {"image": "images", "audio": "audio", "svg": "svg"}.get(port.kind_of(name), name)
