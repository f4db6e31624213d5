"""Models that stay loaded between the runs of one child, within the memory of each device.

It knows no torch until a GPU is asked about; what is in use never goes, what was used longest ago goes first.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from schemas.states import FailureKind
from worker.context import TaskError

T = TypeVar("T")
GIB = 2**30
CPU_BUDGET_GIB = 2.0  # of idle models; below the resident size at which a child is replaced (`child_rss_gib`, 3.0)
USABLE_RATIO = 0.9  # of what the GPU has free: the rest is for fragments and activations


@dataclass
class _Loaded:
    value: Any
    size_gib: float
    users: int = 0


_loaded: dict[tuple[str, str], _Loaded] = {}  # (key, device) -> model, oldest use first
_lock = threading.RLock()
_used: set[str] = set()


@contextmanager
def resident(key: str, load: Callable[[], T], *, size_gib: float, device: str) -> Iterator[T]:
    """Lend what `load` returns, loaded at the first use and kept for the next run of this child.

    Args:
        key: `MODEL_ID:REST`; REST is all else that decides the result (digest, precision). One load a key and device.
        load: what it needs beyond `size_gib` must be gone when it returns.
        size_gib: what it holds on the device, working memory of a run included.
        device: `cpu` or `cuda:N`.

    Raises:
        TaskError: `model_too_big` (kind capacity): the GPU is too small even when all that is idle has gone.
    """
    with _lock:
        entry = _loaded.pop((key, device), None)
        if entry is None:
            _make_room(size_gib, device=device)
            entry = _Loaded(load(), size_gib)
        _loaded[key, device] = entry  # at the end: the last used
        _used.add(_model_id(key))
        entry.users += 1
    try:
        yield entry.value
    finally:
        with _lock:
            entry.users -= 1
            if device == "cpu":
                _shrink(CPU_BUDGET_GIB, device=device)


def release(device: str | None = None) -> None:
    """Let go of everything idle, on one device or on all."""
    for place in {held for _, held in _loaded} if device is None else {device}:
        with _lock:
            _shrink(0.0, device=place)


def residents() -> list[str]:
    """Return the model ids that are loaded, in the order of names."""
    with _lock:
        return sorted({_model_id(key) for key, _ in _loaded})


def used() -> frozenset[str]:
    """Return the model ids that were lent since `take_used` was called last."""
    with _lock:
        return frozenset(_used)


def take_used() -> list[str]:
    """Return the model ids that were lent since the last call, in the order of names."""
    with _lock:
        used = sorted(_used)
        _used.clear()
    return used


def budget_gib(device: str) -> float:
    """Return what may be resident on a GPU: `REELGRAPH_VRAM_GIB`, else most of what it has free for this process."""
    told = os.environ.get("REELGRAPH_VRAM_GIB")
    if told:
        return float(told)
    import torch

    free_bytes, _ = torch.cuda.mem_get_info(device)
    return USABLE_RATIO * (free_bytes + torch.cuda.memory_reserved(device)) / GIB


def _make_room(size_gib: float, *, device: str) -> None:
    """Let idle models go until one of this size fits. Host memory is lent by the supervisor, so it is not refused."""
    limit_gib = CPU_BUDGET_GIB if device == "cpu" else budget_gib(device)
    held_gib = _shrink(max(0.0, limit_gib - size_gib), device=device)
    if device != "cpu" and held_gib + size_gib > limit_gib:
        raise TaskError(
            "model_too_big", f"the model needs {size_gib:.1f} GiB on {device}",
            kind=FailureKind.CAPACITY, got=round(size_gib, 2), allowed=round(max(0.0, limit_gib - held_gib), 2),
            hint="choose a smaller model or resolution, or raise REELGRAPH_VRAM_GIB if the device has more",
        )  # fmt: skip


def _shrink(limit_gib: float, *, device: str) -> float:
    """Let the least recently used idle models go until at most `limit_gib` are held; return what is held."""
    gone = False
    while (held_gib := sum(one.size_gib for (_, at), one in _loaded.items() if at == device)) > limit_gib:
        idle = next((place for place, one in _loaded.items() if place[1] == device and one.users == 0), None)
        if idle is None:
            break
        del _loaded[idle]
        gone = True
    if gone:
        _collect()
    return held_gib


def _collect() -> None:
    """Give the memory of dropped models back to the device."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _model_id(key: str) -> str:
    return key.partition(":")[0]
