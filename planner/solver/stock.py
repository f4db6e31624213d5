"""What the solver may start from for a brief: usable tasks, their costs, the caller's files, the goal's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from planner import lexicon
from planner.solver.chain import Stock
from planner.solver.said import Said
from schemas.brief import Brief
from schemas.capability import Manifest
from schemas.contracts.table import Advertised, advertised
from schemas.planning import Statistics

_NODE_S, _PYTHON_S = 2.0, 20.0
"""Seconds of a task that nobody has run yet: the same for all, so that fewer nodes win, and those of the API first."""
_SMALLEST_S = 0.001


def usable(manifest: Manifest, brief: Brief) -> dict[str, Advertised]:
    """Return the live tasks by name, without the way to a profile that this brief does not take."""
    shut = lexicon.LOADED_PROFILE if brief.trains or not brief.profile_id else lexicon.CREATED_PROFILE
    found = {name: advertised(manifest, name) for name in (*manifest.node, *manifest.python) if name != shut}
    return {name: entry for name, entry in found.items() if entry is not None and entry.capability.enabled}


def costs(tasks: Mapping[str, Advertised], statistics: Statistics) -> dict[str, float]:
    """Return the expected seconds of each task, > 0."""
    return {
        name: statistics[name].p50_s + _SMALLEST_S
        if name in statistics
        else _NODE_S if found.plane == "node" else _PYTHON_S
        for name, found in tasks.items()
    }  # fmt: skip


def stock(brief: Brief, *, planned: list[str]) -> Stock:
    """Return the brief as a source of inputs, beside what is planned already."""
    said = Said(brief)
    forced = {lexicon.PIPELINE_PORT}
    forced |= {lexicon.REFERENCE_PORT} if brief.recalls else set()
    forced |= {lexicon.PROFILE_PORT} if brief.profile_id else set()
    return Stock(at_hand=said.at_hand, values=said.said, planned=planned, forced=forced)
