"""What the embedded stack costs when nothing happens: seconds to ready (cold, warm), memory, idle CPU.

python -m bench.idle [--seconds 20]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.stack import RunningStack, embedded_stack

SETTLE_S = 5.0


def family(pid: int) -> list[psutil.Process]:
    """Return a process with all its descendants."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in processes if each.is_running())


def idle_shares(stack: RunningStack, *, seconds: float) -> dict[str, tuple[float, float]]:
    """Return name -> (percent of one core, resident MB) over some quiet seconds; children count to their parent."""
    time.sleep(SETTLE_S)
    families = {
        name: [psutil.Process(pid)] if name == "supervisor" else family(pid) for name, pid in stack.pids.items()
    }
    before = {name: cpu_s(processes) for name, processes in families.items()}
    time.sleep(seconds)
    return {
        name: (
            100 * (cpu_s(processes) - before[name]) / seconds,
            sum(each.memory_info().rss for each in processes) / 2**20,
        )
        for name, processes in families.items()
    }


def main() -> None:
    """Start twice on one data folder, watch it idle, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="quiet seconds to watch")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reelgraph-idle-") as folder:
        with embedded_stack(Path(folder)) as stack:
            cold_s = stack.ready_s
        with embedded_stack(Path(folder)) as stack:
            warm_s = stack.ready_s
            shares = idle_shares(stack, seconds=given.seconds)
    table = Table("figure", "value", "target", title="The embedded stack at rest")
    table.add_row("ready, cold", f"{cold_s:.1f} s", "")
    table.add_row("ready, warm", f"{warm_s:.1f} s", "<= 8 s")
    for name, (percent, megabytes) in shares.items():
        table.add_row(name, f"{percent:.2f} % of a core, {megabytes:.0f} MB", "<= 250 MB" if name == "api" else "")
    table.add_row("all", f"{sum(percent for percent, _ in shares.values()):.2f} % of a core", "< 5 %")
    Console().print(table)


if __name__ == "__main__":
    main()
