"""`stack.json`: what a stack tells others, and how a later one finds what a crash left. It starts nothing."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from compose.process import ProcessId

FILE = "stack.json"


@dataclass
class Recorded:
    """One process of the stack; `stop_signal` is a signal's number."""

    pid: int
    started_at: float
    stop_signal: int

    @property
    def id(self) -> ProcessId:
        return ProcessId(self.pid, self.started_at)


@dataclass
class StackState:
    """The stack of a data folder, as its supervisor last wrote it."""

    data: str
    api: str
    supervisor: Recorded
    ready: bool = False
    processes: dict[str, Recorded] = field(default_factory=dict)

    @property
    def ui(self) -> str:
        """The page of the web UI."""
        return f"{self.api}/"

    def is_running(self) -> bool:
        """Return whether its supervisor lives."""
        return self.supervisor.id.find() is not None

    def write(self) -> None:
        """Replace the file in one step."""
        path = Path(self.data, FILE)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self), indent=2) + "\n")
        os.replace(fresh, path)


def read_state(data: Path) -> StackState | None:
    """Return what the last stack of `data` wrote; None when there is nothing, or nothing that can be read."""
    try:
        raw = json.loads((data / FILE).read_text())
        return StackState(
            data=raw["data"],
            api=raw["api"],
            supervisor=Recorded(**raw["supervisor"]),
            ready=bool(raw["ready"]),
            processes={name: Recorded(**one) for name, one in raw["processes"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remembered_api_port(data: Path) -> int:
    """Return the port of the last stack of `data`, 0 when there was none."""
    state = read_state(data)
    return int(state.api.rsplit(":", 1)[1]) if state is not None else 0
