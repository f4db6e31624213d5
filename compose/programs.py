"""Our own processes of the embedded stack: what to run, with which settings. It starts nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from compose.ports import LOOPBACK
from compose.services import Addresses

API_PREFIX = "REELGRAPH_API_"
WORKER_PREFIX = "REELGRAPH_WORKER_"
WORKER_SLOTS = 2
DRAIN_BUDGET_S = 8.0  # less than the stop grace: what runs longer is given back and resumes at the next start


@dataclass(frozen=True)
class Program:
    """A command that the stack keeps running; `env` is added to the stack's own environment."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_grace_s: float = 12.0


Programs = Callable[[Addresses, int], list[Program]]


def reelgraph_programs(addresses: Addresses, api_port: int) -> list[Program]:
    """Return the API and one worker."""
    api = {**addresses.environment(API_PREFIX), f"{API_PREFIX}HOST": LOOPBACK, f"{API_PREFIX}PORT": str(api_port)}
    worker = {
        **addresses.environment(WORKER_PREFIX),
        f"{WORKER_PREFIX}SLOTS": str(WORKER_SLOTS),
        f"{WORKER_PREFIX}DRAIN_BUDGET_S": str(DRAIN_BUDGET_S),
    }
    return [
        Program("api", (sys.executable, "-m", "control_api"), api),
        Program("worker", (sys.executable, "-m", "worker", "run"), worker),
    ]
