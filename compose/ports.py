"""Free loopback ports that are remembered, so that a restarted service keeps its address. It knows no service."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection, Mapping

LOOPBACK = "127.0.0.1"
_LOWEST, _HIGHEST = (
    20_000,
    32_000,
)  # below the kernel's ephemeral range: no outgoing connection takes one between two starts


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose(names: list[str], *, remembered: Mapping[str, int], taken: Collection[int] = ()) -> dict[str, int]:
    """Return a port for each name: the remembered one while it is free, else a new one.

    Args:
        taken: ports that were promised to others who do not listen yet.
    """
    chosen: dict[str, int] = {}
    for name in names:
        port = remembered.get(name, 0)
        while not (port and is_free(port)) or port in chosen.values() or port in taken:
            port = random.SystemRandom().randrange(_LOWEST, _HIGHEST)
        chosen[name] = port
    return chosen
