"""What the platform itself costs: no-op jobs through REST, engine, broker, worker, commit and WebSocket.

    python -m bench.overhead                 # starts its own embedded stack with the test-only tasks
    python -m bench.overhead --api URL       # against a running one that has them
    python -m bench.overhead --json

The graph is `train_and_generate_v1` with no-op tasks: 3 control and 3 data nodes, 10 progress ticks each. The plain
twin beside it is a bare LangGraph + asyncpg + redis chain of the same six nodes in one process, without a broker,
durable claims or events: what the parts cost before anything is made reliable.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import websockets
from rich.console import Console
from rich.table import Table

from bench.stack import embedded_stack

NODES = ("script", "profile", "train_lora", "train_voice", "render", "register")
EDGES = (
    ("script", "profile"), ("profile", "train_lora"), ("profile", "train_voice"), ("train_lora", "render"),
    ("train_voice", "render"), ("render", "register"),
)  # fmt: skip
PER_SOCKET = 40
DATA = {"train_lora", "train_voice", "render"}


def six_nodes(*, ticks: int) -> dict[str, Any]:
    """Return the plan of the no-op pipeline."""
    nodes = [
        {"id": name, "task": "test_noop", "plane": "python", "params": {"ticks": ticks}}
        if name in DATA
        else {"id": name, "task": "test.echo", "plane": "node"}
        for name in NODES
    ]
    return {"workflow_id": "overhead", "nodes": nodes, "edges": [{"from": a, "to": b} for a, b in EDGES]}


def chain(length: int) -> dict[str, Any]:
    """Return a chain of no-op nodes, control and data in turn."""
    nodes = [
        {"id": f"n{index}", "task": "test_noop", "plane": "python", "params": {"ticks": 1}}
        if index % 2
        else {"id": f"n{index}", "task": "test.echo", "plane": "node"}
        for index in range(length)
    ]
    edges = [{"from": f"n{index}", "to": f"n{index + 1}"} for index in range(length - 1)]
    return {"workflow_id": "chain", "nodes": nodes, "edges": edges}


class Watcher:
    """One WebSocket that waits for the ends of jobs and notes how old each progress tick was."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._ended: dict[str, asyncio.Future[float]] = {}
        self.tick_ages_s: list[float] = []

    async def follow(self, job_id: str) -> asyncio.Future[float]:
        """Subscribe and return the future of the job's end (monotonic seconds)."""
        future = self._ended.setdefault(job_id, asyncio.get_running_loop().create_future())
        await self._socket.send(json.dumps({"action": "subscribe", "jobId": job_id}))
        return future

    async def forget(self, job_id: str) -> None:
        """Unsubscribe: a socket follows 50 jobs at most."""
        self._ended.pop(job_id, None)
        await self._socket.send(json.dumps({"action": "unsubscribe", "jobId": job_id}))

    async def run(self) -> None:
        async for text in self._socket:
            event = json.loads(text)
            if event["type"] == "progress":
                self.tick_ages_s.append(time.time() - event["ts"])
            status = event.get("status")
            if event["type"].startswith(("job.", "snapshot")) and status in {"completed", "failed", "cancelled"}:
                future = self._ended.get(event["jobId"])
                if future is not None and not future.done():
                    if status == "completed":
                        future.set_result(time.monotonic())
                    else:
                        future.set_exception(RuntimeError(f"job {event['jobId']} is {status}"))


@asynccontextmanager
async def watcher(api: str) -> AsyncIterator[Watcher]:
    async with websockets.connect(api.replace("http", "ws", 1) + "/ws", max_queue=4096) as socket:
        watching = Watcher(socket)
        task = asyncio.create_task(watching.run())
        try:
            yield watching
        finally:
            task.cancel()


async def one(client: httpx.AsyncClient, watching: Watcher, plan: dict[str, Any]) -> float:
    """Return the seconds from submit to completed."""
    began = time.monotonic()
    answer = await client.post("/api/jobs", json={"plan": plan})
    answer.raise_for_status()
    job_id = answer.json()["jobId"]
    ended = await asyncio.wait_for(await watching.follow(job_id), 90)
    await watching.forget(job_id)
    return ended - began


async def measure(api: str, *, alone: int, idle: int, burst: int, length: int) -> dict[str, Any]:
    """Run every scenario and return the figures (seconds, jobs a second)."""
    plan = six_nodes(ticks=10)
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(base_url=api, timeout=60, limits=limits) as client, watcher(api) as watching:
        for _ in range(5):
            await one(client, watching, plan)
        watching.tick_ages_s.clear()
        single = [await one(client, watching, plan) for _ in range(alone)]
        quiet_ticks = sorted(watching.tick_ages_s)
        rested = []
        for _ in range(idle):
            await asyncio.sleep(3)
            rested.append(await one(client, watching, plan))
        async with AsyncExitStack() as sockets:
            many = [await sockets.enter_async_context(watcher(api)) for _ in range(-(-burst // PER_SOCKET))]
            began = time.monotonic()
            loaded = await asyncio.gather(*(one(client, many[n // PER_SOCKET], plan) for n in range(burst)))
            burst_s = time.monotonic() - began
        busy_ticks = sorted(age for each in many for age in each.tick_ages_s)
        chain_s = min([await one(client, watching, chain(length)) for _ in range(2)])
    return {
        "alone_p50_s": statistics.median(single),
        "alone_p99_s": _percentile(sorted(single), 0.99),
        "after_3s_idle_p50_s": statistics.median(rested),
        "burst_jobs": burst,
        "throughput_jobs_per_s": burst / burst_s,
        "burst_p99_s": _percentile(sorted(loaded), 0.99),
        "progress_p50_s": _percentile(quiet_ticks, 0.5),
        "progress_p99_s": _percentile(quiet_ticks, 0.99),
        "progress_loaded_p99_s": _percentile(busy_ticks, 0.99),
        "chain_nodes": length,
        "chain_s_per_node": chain_s / length,
    }


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--api", help="URL of a running API whose worker has tests.tasks_for_tests")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--alone", type=int, default=50, help="jobs one after the other")
    parser.add_argument("--idle", type=int, default=5, help="jobs after three seconds of silence each")
    parser.add_argument("--burst", type=int, default=200, help="jobs at once")
    parser.add_argument("--length", type=int, default=200, help="nodes of the chain")
    given = parser.parse_args()
    scenario = {"alone": given.alone, "idle": given.idle, "burst": given.burst, "length": given.length}
    if given.api:
        figures = asyncio.run(measure(given.api, **scenario))
    else:
        with embedded_stack() as stack:
            figures = asyncio.run(measure(stack.api, **scenario))
    if given.json:
        print(json.dumps(figures))
        return
    table = Table("figure", "value", "target", title="Platform overhead, six no-op nodes")
    targets = {
        "alone_p50_s": "<= 0.060", "after_3s_idle_p50_s": "<= 0.090", "throughput_jobs_per_s": ">= 25, goal 40",
        "progress_p99_s": "<= 0.025", "progress_loaded_p99_s": "<= 0.025", "chain_s_per_node": "<= 0.008",
    }  # fmt: skip
    for name, value in figures.items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value), targets.get(name, ""))
    Console().print(table)


if __name__ == "__main__":
    main()
