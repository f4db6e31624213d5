"""Carries recorded seconds over to another length or picture size. Pure.

A run's *work* is what its params ask for: seconds of result times pixels of picture, or whichever of them they name.
Runs of two sizes or more give a line, `seconds = fixed + rate * work`. Runs of one size cannot tell start-up from
work: for pictures the share of start-up is then assumed, for anything else the seconds are taken as they are.
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
"""p90 is at least this multiple of p50 for a size with fewer runs than that. A guess, on the careful side."""

START_S = 5.0
"""Seconds of a rendering that do not grow with its size: models, voice, files. A guess."""
REAL_TIME_RATIO = 2.0
"""Seconds of work per second of 720p video on two cores, for a renderer that nobody measured."""
PIXELS_720P = 1280 * 720


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

    @property
    def expected_s(self) -> float:
        """Seconds of a rendering of this size before anything was measured; only ratios of it are used."""
        return START_S + REAL_TIME_RATIO * self.work / PIXELS_720P


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
    line = _line([(size.work, runs.p50_s, runs.runs) for size, runs in known])
    count = sum(runs.runs for _, runs in known)
    if line is not None:
        fixed_s, rate = line
        p50_s = fixed_s + rate * wanted.work
    elif known and wanted.is_picture:
        ratio = sum(runs.runs * runs.p50_s / size.expected_s for size, runs in known) / count
        p50_s = ratio * wanted.expected_s
    else:
        least_s = recorded.p50_s * _SPREAD if recorded.runs < ENOUGH_RUNS else 0.0
        return recorded.p50_s, max(recorded.p90_s, least_s), recorded.runs
    all_runs = [runs for _, runs in known]
    middle_s = _mean(all_runs, "p50_s")
    spread = _mean(all_runs, "p90_s") / middle_s if middle_s > 0 else 1.0
    return p50_s, p50_s * max(spread, _SPREAD), count


def _line(points: list[tuple[float, float, int]]) -> tuple[float, float] | None:
    """Return fixed seconds and seconds per work that fit `(work, seconds, weight)` best; None: they show no growth.

    Source: weighted least squares; where it would start below zero, the line through zero.
    """
    if len({work for work, _, _ in points}) < 2:
        return None
    total = sum(weight for _, _, weight in points)
    mean_work = sum(work * weight for work, _, weight in points) / total
    mean_s = sum(seconds * weight for _, seconds, weight in points) / total
    spread = sum(weight * (work - mean_work) ** 2 for work, _, weight in points)
    rate = sum(weight * (work - mean_work) * (seconds - mean_s) for work, seconds, weight in points) / spread
    if rate < 0:
        return None
    if (fixed_s := mean_s - rate * mean_work) >= 0:
        return fixed_s, rate
    rate = sum(weight * work * seconds for work, seconds, weight in points) / sum(
        weight * work**2 for work, _, weight in points
    )
    return 0.0, rate


def _mean(sizes: list[SizedRuns], name: str) -> float:
    return sum(getattr(runs, name) * runs.runs for runs in sizes) / sum(runs.runs for runs in sizes)
