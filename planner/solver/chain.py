"""Which tasks lead from what is at hand to a result, cheapest first. Pure; knows ports and costs, no task by name.

Tasks are hyperedges from their required input ports to their output ports, and the cheapest derivation of each is
found by Knuth's generalisation of Dijkstra's algorithm (Knuth 1977, "A generalization of Dijkstra's algorithm"):
every task is settled at most once, so cyclic contracts end and 1,000 tasks take some milliseconds.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.capability import MEDIA_KINDS, VALUE_TYPES, Port
from schemas.contracts.table import Advertised


@dataclass(frozen=True)
class Source:
    """Where an input comes from: a port of a task, or a key of the request when `task` is None."""

    task: str | None
    key: str


@dataclass
class Derivation:
    """How one task is reached: the source of each required port, and the seconds of it all."""

    task: str
    sources: dict[str, Source] = field(default_factory=dict)
    seconds: float = 0.0


OfRequest = Callable[[str, Port], str | None]
"""`(port name, port) -> key of the request` that can fill it, or None."""


@dataclass(frozen=True)
class Stock:
    """What a derivation may start from.

    Attributes:
        at_hand: what the caller brought along.
        values: what the goal's text can fill; used where no task yields the port.
        planned: tasks that run anyway, in order; what they yield is free and comes before what is at hand.
        forced: names of optional ports that are wanted all the same, where a task yields them.
    """

    at_hand: OfRequest
    values: OfRequest
    planned: Sequence[str] = ()
    forced: Collection[str] = ()


def derive(tasks: Mapping[str, Advertised], *, stock: Stock, seconds: Callable[[str], float]) -> dict[str, Derivation]:
    """Return the cheapest derivation of every task that can be reached; the others have none.

    Args:
        tasks: the usable ones by name.
        seconds: what a run of a task is expected to take, > 0.
    """
    return _Search(tasks, stock, seconds).run()


def needs(found: Advertised, *, forced: Collection[str] = ()) -> dict[str, Port]:
    """Return the inputs without which the task is not used."""
    inputs = found.capability.inputs or {}
    return {name: port for name, port in inputs.items() if not port.optional or name in forced}


def fits(given: Port, given_name: str, taken: Port, taken_name: str) -> bool:
    """Say whether an output can be bound to an input: kind and JSON type agree (DESIGN.md section 6)."""
    if given.kind_of(given_name) != taken.kind_of(taken_name):
        return False
    return None in (given.type, taken.type) or given.type == taken.type or (given.type, taken.type) == (
        "integer",
        "number",
    )  # fmt: skip


def is_said(port: Port) -> bool:
    """Say whether words of the goal could fill this port."""
    return port.type in VALUE_TYPES and (port.kind in (None, "text") or port.kind not in MEDIA_KINDS)


class _Search:
    def __init__(self, tasks: Mapping[str, Advertised], stock: Stock, seconds: Callable[[str], float]) -> None:
        self._tasks = tasks
        self._stock = stock
        self._seconds = seconds
        self._yields: defaultdict[str, list[str]] = defaultdict(list)
        self._waiting: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self._open: dict[str, set[str]] = {}
        self._found: dict[str, Derivation] = {}
        self._settled: dict[str, Derivation] = {}
        self._heap: list[tuple[float, int, str]] = []

    def run(self) -> dict[str, Derivation]:
        for name, found in self._tasks.items():
            for port_name, port in (found.capability.outputs or {}).items():
                self._yields[port.kind_of(port_name)].append(name)
        for name, found in self._tasks.items():
            self._begin(name, found)
        for place, name in enumerate(reversed([name for name in self._stock.planned if name in self._tasks])):
            self._open[name] = set()
            self._found[name].seconds = 0.0
            heapq.heappush(self._heap, (-1.0, place, name))
        while self._heap or self._fill_with_values():
            seconds, _, name = heapq.heappop(self._heap)
            if name not in self._settled:
                self._settle(name, max(0.0, seconds))
        return self._settled

    def _begin(self, name: str, found: Advertised) -> None:
        derivation = self._found[name] = Derivation(name)
        open_ = self._open[name] = set[str]()
        for port_name, port in needs(found, forced=self._stock.forced).items():
            forced = port.optional
            planned = any(other != name and self._offers(other, port_name, port) for other in self._stock.planned)
            key = None if planned else self._stock.at_hand(port_name, port)
            producers = [other for other in self._yields[port.kind_of(port_name)] if other != name]
            if key is None and not producers and not forced:
                key = self._stock.values(port_name, port) if is_said(port) else None
            elif key is None and port.kind == "text":
                key = self._stock.values(port_name, port)
            if key is not None:
                derivation.sources[port_name] = Source(None, key)
            elif producers or not forced:
                open_.add(port_name)
                self._waiting[port.kind_of(port_name)].append((name, port_name))
        if not open_:
            self._push(name)

    def _offers(self, task: str, port_name: str, port: Port) -> bool:
        outputs = self._tasks[task].capability.outputs or {} if task in self._tasks else {}
        return any(fits(given, given_name, port, port_name) for given_name, given in outputs.items())

    def _settle(self, name: str, seconds: float) -> None:
        self._settled[name] = self._found[name]
        self._settled[name].seconds = seconds
        for given_name, given in (self._tasks[name].capability.outputs or {}).items():
            for waiting, port_name in self._waiting[given.kind_of(given_name)]:
                port = (self._tasks[waiting].capability.inputs or {})[port_name]
                if port_name in self._open[waiting] and fits(given, given_name, port, port_name):
                    self._open[waiting].discard(port_name)
                    self._found[waiting].sources[port_name] = Source(name, given_name)
                    self._found[waiting].seconds += seconds
                    if not self._open[waiting]:
                        self._push(waiting)

    def _fill_with_values(self) -> bool:
        """Fill from the goal what a task could yield in principle, but none that can be reached."""
        for name, open_ in self._open.items():
            for port_name in sorted(open_):
                port = (self._tasks[name].capability.inputs or {})[port_name]
                key = self._stock.values(port_name, port) if is_said(port) and not port.optional else None
                if key is not None or port.optional:
                    open_.discard(port_name)
                    if key is not None:
                        self._found[name].sources[port_name] = Source(None, key)
            if not open_ and name not in self._settled:
                self._push(name)
        return bool(self._heap)

    def _push(self, name: str) -> None:
        heapq.heappush(self._heap, (self._found[name].seconds + self._seconds(name), len(self._heap), name))


def used(target: str, found: Mapping[str, Derivation]) -> list[str]:
    """Return the tasks of a derivation, each after those that it needs."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in order or name not in found:
            return
        for source in found[name].sources.values():
            if source.task is not None:
                visit(source.task)
        order[name] = None

    visit(target)
    return list(order)
