"""Carries recorded seconds over to another length or picture size. Pure.

A run's *work* is what its params ask for: seconds of result times pixels of picture, or whichever of them they name.
Runs of two sizes or more give a line, `seconds = fixed + rate * work`; runs of one size only a rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.planning import RunStatistics, SizedRuns
from schemas.resolution import parse_resolution

ENOUGH_RUNS = 5
"""So many runs of the very size are quoted as they are. Fewer say little about their slowest tenth."""
_SPREAD = 1.5
"""p90 is at least this multiple of p50 while there are fewer runs than that. A guess, on the careful side."""


@dataclass(frozen=True)
class Size:
    """What params ask for. Sizes compare only when they name the same things."""

    duration_s: float | None
    pixels: int | None

    @property
    def work(self) -> float:
        return (1.0 if self.duration_s is None else self.duration_s) * (self.pixels or 1)

    @property
    def names(self) -> tuple[bool, bool]:
        return self.duration_s is not None, self.pixels is not None

    @property
    def is_picture(self) -> bool:
        """Whether a task with these params makes pictures, one after the other: its seconds grow with the work."""
        return all(self.names)


def size_of(duration_s: Any, resolution: Any) -> Size:
    """Return the size that two params ask for; what is no length or no resolution is not there."""
    number = isinstance(duration_s, (int, float)) and not isinstance(duration_s, bool) and duration_s > 0
    picture = parse_resolution(resolution) if isinstance(resolution, str) else None
    return Size(float(duration_s) if number else None, picture.pixels if picture else None)


def scaled(recorded: RunStatistics, params: Mapping[str, Any]) -> tuple[float, float, int]:
    """Return seconds p50 and p90 for a node with these params, and the number of runs behind them."""
    wanted = size_of(params.get("duration_seconds"), params.get("resolution"))
    known = [(size_of(runs.duration_s, runs.resolution), runs) for runs in recorded.sizes]
    known = [(size, runs) for size, runs in known if size.names == wanted.names and any(size.names)]
    same = [runs for size, runs in known if size == wanted]
    if same and sum(runs.runs for runs in same) >= ENOUGH_RUNS:
        return _mean(same, "p50_s"), _mean(same, "p90_s"), sum(runs.runs for runs in same)
    line = _line([(size.work, runs.p50_s, runs.runs) for size, runs in known], through_zero=wanted.is_picture)
    if line is None:
        return recorded.p50_s, _careful(recorded.p50_s, recorded.p90_s, recorded.runs), recorded.runs
    fixed_s, rate = line
    runs_, p50_s = [runs for _, runs in known], fixed_s + rate * wanted.work
    count = sum(runs.runs for runs in runs_)
    middle_s = _mean(runs_, "p50_s")
    spread = _mean(runs_, "p90_s") / middle_s if middle_s > 0 else 1.0
    return p50_s, _careful(p50_s, p50_s * spread, count), count


def _line(points: list[tuple[float, float, int]], *, through_zero: bool) -> tuple[float, float] | None:
    """Return fixed seconds and seconds per work that fit `(work, seconds, weight)` best; None: work explains nothing.

    Source: weighted least squares; where it would start below zero, the line through zero.
    """
    if not points:
        return None
    total = sum(weight for _, _, weight in points)
    mean_work = sum(work * weight for work, _, weight in points) / total
    mean_s = sum(seconds * weight for _, seconds, weight in points) / total
    spread = sum(weight * (work - mean_work) ** 2 for work, _, weight in points)
    if spread > 0:
        rate = sum(weight * (work - mean_work) * (seconds - mean_s) for work, seconds, weight in points) / spread
        fixed_s = mean_s - rate * mean_work
        if rate >= 0 and fixed_s >= 0:
            return fixed_s, rate
        if rate < 0:
            return None
    elif not through_zero:
        return None
    rate = sum(weight * work * seconds for work, seconds, weight in points) / sum(
        weight * work**2 for work, _, weight in points
    )
    return 0.0, rate


def _mean(sizes: list[SizedRuns], name: str) -> float:
    return sum(getattr(runs, name) * runs.runs for runs in sizes) / sum(runs.runs for runs in sizes)


def _careful(p50_s: float, p90_s: float, runs: int) -> float:
    return max(p90_s, p50_s * _SPREAD) if runs < ENOUGH_RUNS else p90_s
