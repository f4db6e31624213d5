"""Stopping and starting the API while it works: nothing is lost, nothing is left hanging."""

from __future__ import annotations

import asyncio
import time
from itertools import product

import httpx
import pytest

from compose.services import Addresses
from tests.apps import Client, echo, plan, running_api


async def wait_running(client: Client, job_id: str, node_id: str) -> None:
    while True:
        status = await client.get(f"/api/status/{job_id}")
        if any(node["id"] == node_id and node["status"] == "running" for node in status["nodes"]):
            return
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_a_job_goes_on_after_the_api_was_ended_in_the_middle_of_a_node(addresses: Addresses, how: str) -> None:
    body = {"plan": plan(echo("before"), echo("slow", task="test.slow", params={"seconds": 1.0}), echo("after"))}
    with running_api(addresses) as first:
        async with httpx.AsyncClient(base_url=first.url) as http:
            client = Client(http)
            job_id = await client.submit(body)
            await wait_running(client, job_id, "slow")
        if how == "killed":
            first.kill()
        began = time.monotonic()
        await asyncio.to_thread(first.stop)
        assert time.monotonic() - began < 8
    with running_api(addresses) as second:
        async with httpx.AsyncClient(base_url=second.url) as http:
            client = Client(http)
            await client.reaches(job_id, "completed", within_s=12)
            log = await client.log(job_id)
    done = [item["node"] for item in log if item["type"] == "node.completed"]
    assert done == ["before", "slow", "after"]


async def test_a_cancel_ends_a_job_at_once_whenever_it_comes(addresses: Addresses) -> None:
    gate = {"id": "gate", "task": "gate.approve", "plane": "node", "inputs": {"value": "request.script"}}
    bodies = [
        {"plan": plan(echo("slow", task="test.slow", params={"seconds": 60.0}), echo("after"))},
        {"plan": plan(gate, script={"stage": "s", "narrative": "n"})},
    ]
    with running_api(addresses, TIME_SCALE="1.0") as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            client = Client(http)
            for body, pause_s in product(bodies, (0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.2)):
                job_id = await client.submit(body)
                await asyncio.sleep(pause_s)
                assert (await http.post(f"/api/jobs/{job_id}/cancel")).status_code == 202
                await client.reaches(job_id, "cancelled", within_s=3.0)
                assert (await client.log(job_id))[-1]["type"] == "job.cancelled"
