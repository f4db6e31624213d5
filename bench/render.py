"""How long a warm 20-second video takes on this machine, end to end, and how much memory the worker's child needs.

python -m bench.render [--seconds 20] [--resolution 720p] [--variants svd,sadtalker]
"""

from __future__ import annotations

import argparse
import asyncio
import threading
import time

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from bench.overhead import watcher
from bench.stack import RunningStack, embedded_stack

TARGETS = {"svd": "<= 60 s", "sadtalker": "<= 90 s"}
TOPIC = "black holes"


class PeakMemory:
    """Samples the resident size of the worker's children (a render child and its voice process) while it is open."""

    def __init__(self, worker_pid: int) -> None:
        self._worker = psutil.Process(worker_pid)
        self._open = True
        self.child_bytes = 0
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._thread.join()

    def _sample(self) -> None:
        while self._open:
            for child in self._worker.children():
                try:
                    self.child_bytes = max(self.child_bytes, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
            time.sleep(0.1)


async def render(api: str, *, variant: str, seconds: float, resolution: str) -> tuple[float, dict[str, float]]:
    """Return seconds from submit to completed, and the seconds of each node."""
    body = {
        "mode": "generate",
        "topic": TOPIC,
        "variant": variant,
        "options": {"durationSeconds": seconds, "resolution": resolution},
    }
    async with httpx.AsyncClient(base_url=api, timeout=60) as client, watcher(api) as watching:
        began = time.monotonic()
        answer = await client.post("/api/generate", json=body)
        answer.raise_for_status()
        job_id = answer.json()["jobId"]
        ended = await asyncio.wait_for(await watching.follow(job_id), 900)
        return ended - began, (await client.get(f"/api/jobs/{job_id}")).json()["actual"]


def measure(stack: RunningStack, *, variants: list[str], seconds: float, resolution: str) -> Table:
    """Render a short warm-up and then each variant once; return the table."""
    table = Table("variant", "submit to completed", "target", "nodes", "peak child RSS", title="Warm render")
    asyncio.run(render(stack.api, variant=variants[0], seconds=4, resolution="240p"))
    for variant in variants:
        with PeakMemory(stack.pids["worker"]) as peak:
            total_s, nodes = asyncio.run(render(stack.api, variant=variant, seconds=seconds, resolution=resolution))
        shown = ", ".join(f"{name} {value:.1f} s" for name, value in nodes.items() if value >= 0.05)
        rss = f"{peak.child_bytes / 2**20:.0f} MB (<= 2500)"
        table.add_row(variant, f"{total_s:.1f} s", TARGETS.get(variant, ""), shown, rss)
    return table


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--resolution", default="720p")
    parser.add_argument("--variants", default="svd,sadtalker")
    given = parser.parse_args()
    with embedded_stack() as stack:
        variants = given.variants.split(",")
        Console().print(measure(stack, variants=variants, seconds=given.seconds, resolution=given.resolution))


if __name__ == "__main__":
    main()
