"""Health check of a worker container: exit 0 when the API lists a live worker of this host. Standard library only."""

from __future__ import annotations

import json
import os
import socket
import sys
import urllib.request


def main() -> int:
    """Ask the API that `REELGRAPH_API` names."""
    headers = {"Authorization": f"Bearer {os.environ['REELGRAPH_API_KEY']}"}
    request = urllib.request.Request(os.environ["REELGRAPH_API"] + "/api/workers", headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=4) as response:  # noqa: S310
        hosts = {one["host"] for one in json.load(response)["items"]}
    return 0 if socket.gethostname() in hosts else 1


if __name__ == "__main__":
    sys.exit(main())
