"""What this machine has for a run: memory of its largest GPU, free disk. It knows no task."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

GIB = 2**30
_ASK = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
_PATIENCE_S = 10.0


def measured(folder: Path, *, vram_gib: float | None) -> dict[str, float | None]:
    """Return the worker's part of `schemas.capability.Machine`: free disk is that of the scratch folder."""
    try:
        disk_free_gib = round(shutil.disk_usage(folder).free / GIB, 1)
    except OSError:
        disk_free_gib = None
    return {"vram_gib": vram_gib, "disk_free_gib": disk_free_gib}


def vram_gib(devices: Sequence[str]) -> float | None:
    """Return the memory of the largest GPU in GiB: 0 when the worker uses none, None when nobody can tell."""
    if all(device == "cpu" for device in devices):
        return 0.0
    try:
        told = subprocess.run(_ASK, capture_output=True, text=True, timeout=_PATIENCE_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return largest_gib(told)


def largest_gib(told: str) -> float | None:
    """Return the largest of `nvidia-smi`'s figures, one MiB number a line, in GiB."""
    sizes_mib = [int(line) for line in told.split() if line.isdigit()]
    return round(max(sizes_mib) / 1024, 1) if sizes_mib else None
