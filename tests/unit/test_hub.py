"""The hub gives every client every state event once and in order, whatever order the senders were in."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from control_api.hub import Client, Hub

JOB = "7b0c2f4e-0000-4000-8000-000000000001"


class EventLog:
    """The event table as far as the hub reads it. `hold` keeps an answer back after its rows were read."""

    def __init__(self) -> None:
        self.last_seq = 0
        self.reads = 0
        self.reading = asyncio.Event()
        self.hold = asyncio.Event()
        self.hold.set()

    async def all(self, name: str, *, job_id: str, after: int, count: int) -> list[dict[str, Any]]:
        assert name == "events_after"
        self.reads += 1
        rows = [
            {"seq": seq, "ts": 0.0, "type": "log", "node": None, "body": {"message": str(seq)}}
            for seq in range(after + 1, self.last_seq + 1)
        ][:count]
        self.reading.set()
        await self.hold.wait()
        return rows

    def message(self, seq: int) -> str:
        self.last_seq = max(self.last_seq, seq)
        return orjson.dumps({"jobId": JOB, "seq": seq, "type": "log"}).decode()


@pytest.fixture
def event_log() -> EventLog:
    return EventLog()


async def watching(log: EventLog) -> tuple[Hub, Client]:
    async def snapshot(job_id: str) -> dict[str, Any]:
        return {"type": "snapshot", "jobId": job_id, "seq": 0}

    hub = Hub(None, log, snapshot=snapshot)  # type: ignore[arg-type]
    client = hub.join()
    await hub.subscribe(client, JOB, after=0)
    return hub, client


async def delivered(hub: Hub, client: Client, *, up_to: int) -> list[int]:
    """Return the numbers that the client got, read as its socket would, until `up_to` came."""
    seqs: list[int] = []
    async with asyncio.timeout(3):
        while not seqs or seqs[-1] < up_to:
            texts = [client.take()] if client.waiting else await hub.catch_up(client) if client.lagging else []
            seqs += [orjson.loads(text)["seq"] for text in texts]
            if not texts:
                await asyncio.sleep(0.005)
    return seqs


async def test_messages_that_crossed_each_other_are_put_in_order_without_reading_the_log(event_log: EventLog) -> None:
    hub, client = await watching(event_log)

    for seq in (2, 3, 1):
        hub.receive(JOB, event_log.message(seq))

    assert await delivered(hub, client, up_to=3) == [0, 1, 2, 3]
    await asyncio.sleep(0.05)
    assert event_log.reads == 0


async def test_a_message_that_comes_while_a_gap_is_read_is_not_lost(event_log: EventLog) -> None:
    hub, client = await watching(event_log)
    event_log.hold.clear()
    event_log.message(2)
    hub.receive(JOB, event_log.message(3))
    await event_log.reading.wait()

    event_log.message(4)
    hub.receive(JOB, event_log.message(5))
    event_log.hold.set()

    assert await delivered(hub, client, up_to=5) == [0, 1, 2, 3, 4, 5]


async def test_what_one_client_reads_from_the_log_is_not_kept_from_the_other(event_log: EventLog) -> None:
    hub, slow = await watching(event_log)
    prompt = hub.join()
    await hub.subscribe(prompt, JOB, after=0)
    slow.lagging = True
    event_log.last_seq = 2

    hub.receive(JOB, event_log.message(1))
    assert await delivered(hub, slow, up_to=2) == [0, 1, 2]
    hub.receive(JOB, event_log.message(2))

    assert await delivered(hub, prompt, up_to=2) == [0, 1, 2]
    assert not slow.waiting
