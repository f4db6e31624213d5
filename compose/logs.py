"""The log files of the stack's processes: keep them small, show their ends."""

from __future__ import annotations

import shutil
from pathlib import Path

LIMIT_BYTES = 8_000_000


def rotate(folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> list[Path]:
    """Copy each log over the limit to `NAME.log.1` and empty it; its process keeps appending. Return the emptied."""
    emptied: list[Path] = []
    for log in folder.glob("*.log"):
        if log.stat().st_size > limit_bytes:
            shutil.copyfile(log, log.with_name(log.name + ".1"))
            with log.open("r+b") as file:
                file.truncate(0)
            emptied.append(log)
    return emptied


def tail(log: Path, *, lines: int) -> list[str]:
    """Return the last lines of a log, none when there is no such file."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 400 * lines))
        return file.read().decode(errors="replace").splitlines()[-lines:]
