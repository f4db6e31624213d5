"""What a person sees: progress bars of a job, tables, errors. Plain lines where the output is not a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from compose.job_view import JobView, NodeView
from compose.problems import Problem, lines

_MARKS = {
    "pending": "[dim]·[/]", "ready": "[dim]·[/]", "queued": "[cyan]…[/]", "running": "[cyan]▶[/]",
    "awaiting_approval": "[yellow]?[/]", "completed": "[green]✓[/]", "failed": "[red]✗[/]",
    "skipped": "[dim]–[/]", "cancelled": "[yellow]–[/]",
}  # fmt: skip
_PLAIN_STEP = 0.25  # without a terminal, one line a quarter


def say(text: str = "") -> None:
    """Print a line for a person, unstyled and unwrapped."""
    print(text, flush=True)


def say_json(value: Any) -> None:
    """Print one JSON line for a program."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def complain(problem: Problem, *, as_json: bool) -> None:
    """Print an error: one JSON line on stdout, or readable lines on stderr."""
    if as_json:
        say_json({"error": problem.error})
        return
    first, *rest = lines(problem.error)
    print(f"error: {first}", *rest, sep="\n", file=sys.stderr, flush=True)


def table(columns: list[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print rows in columns."""
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    drawn = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        drawn.add_row(*("" if cell is None else str(cell) for cell in row))
    console.print(drawn)


def follow(events: Iterable[dict[str, Any]]) -> JobView:
    """Show a job's events as they come and return the job as it ended."""
    console = Console(highlight=False)
    return _follow_with_bars(events, console) if console.is_terminal else _follow_with_lines(events)


def _follow_with_bars(events: Iterable[dict[str, Any]], console: Console) -> JobView:
    view = JobView()
    bars: dict[str, TaskID] = {}
    columns = (
        TextColumn("{task.fields[mark]} {task.description}"),
        BarColumn(bar_width=32),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}[/]"),
    )
    with Progress(*columns, console=console, refresh_per_second=8) as progress:
        for event in events:
            view.apply(event)
            for node in view.nodes.values():
                if node.id not in bars:
                    bars[node.id] = progress.add_task(f"{node.id:<12}", start=False, total=1.0, mark="", note="")
                _draw(progress, bars[node.id], node)
    return view


def _draw(progress: Progress, bar: TaskID, node: NodeView) -> None:
    shown = progress.tasks[bar]
    if node.status != "pending" and not shown.started:
        progress.start_task(bar)
    note = node.note if len(node.note) <= 60 else node.note[:59] + "…"
    progress.update(bar, completed=node.progress, mark=_MARKS.get(node.status, " "), note=note.replace("[", "\\["))
    if node.ended:
        progress.stop_task(bar)


def _follow_with_lines(events: Iterable[dict[str, Any]]) -> JobView:
    view = JobView()
    said: dict[str, tuple[str, int]] = {}
    for event in events:
        view.apply(event)
        for node in view.nodes.values():
            now = (node.status, int(node.progress / _PLAIN_STEP))
            if node.status not in {"pending", "ready"} and said.get(node.id) != now:
                said[node.id] = now
                say(f"{node.id:<12} {node.status:<10} {node.progress:>4.0%}  {node.note}".rstrip())
    return view
