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
    yields = _yields(manifest)

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
        given = yields.get(kind, ())
        makers = [other for other, out, its in given if other != task and fits(its, out, port, name)]
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


def _yields(manifest: Manifest) -> dict[str, list[tuple[str, str, Port]]]:
    """Return kind -> `(task, port name, port)` of all tasks, advertised or fixed, that yield it."""
    found: dict[str, list[tuple[str, str, Port]]] = {}
    for task in dict.fromkeys([*manifest.node, *manifest.python, *contracts()]):
        entry = advertised(manifest, task)
        for name, port in ((entry.capability.outputs if entry else contracts()[task].outputs) or {}).items():
            found.setdefault(port.kind_of(name), []).append((task, name, port))
    return found


def _key(name: str, port: Port) -> str:
    return {"image": "images", "audio": "audio", "svg": "svg"}.get(port.kind_of(name), name)
