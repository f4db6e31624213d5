"""The WebSocket: a snapshot, then every event once and in order, to every client, whatever the others do."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from schemas.channels import EVENTS
from schemas.queries import queries, set_codecs
from tests.apps import Api, Client, echo, noop, plan, running_api
from tests.fake_worker import FakeWorker

UNKNOWN_ID = "3f333df6-90a4-4fda-8dd3-9485d27cee36"
ENDS = {"job.completed", "job.failed", "job.cancelled"}


class Viewer:
    """A client that keeps what it received."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen: list[dict[str, Any]] = []

    async def say(self, **command: Any) -> None:
        await self.socket.send(json.dumps(command))

    async def next(self, *, within_s: float = 10.0) -> dict[str, Any]:
        async with asyncio.timeout(within_s):
            message = json.loads(await self.socket.recv())
        self.seen.append(message)
        return message

    async def until(self, *types: str) -> dict[str, Any]:
        while True:
            message = await self.next()
            if message["type"] in types:
                return message

    @property
    def seqs(self) -> list[int]:
        return [message["seq"] for message in self.seen if "seq" in message and message["type"] != "snapshot"]


@asynccontextmanager
async def viewing(api: Api, query: str = "", **options: Any) -> AsyncIterator[Viewer]:
    async with connect(api.ws_url + query, **options) as socket:
        yield Viewer(socket)


async def append(api: Api, job_id: str, *bodies: dict[str, Any]) -> int:
    """Commit log events without telling anybody; return the last seq."""
    db = await asyncpg.connect(api.addresses.dsn)
    try:
        await set_codecs(db)
        events = [{"type": "log", "node": None, "body": body} for body in bodies]
        answer = await queries("jobs").append_events(db, job_id=job_id, events=events)
        return answer["seq"]
    finally:
        await db.close()


async def held(client: Client, worker: FakeWorker, name: str, **params: Any) -> str:
    """Submit a job whose one node runs until `worker.let_go(name)`; return when it runs."""
    job_id = await client.submit({"plan": plan(noop("a", params={"hold": name, **params}), echo("b"))})
    while not worker.claims_of(job_id):
        await asyncio.sleep(0.01)
    return job_id


async def test_a_snapshot_comes_first_then_every_event_once_and_in_order(
    client: Client, api: Api, fake_worker: FakeWorker
) -> None:
    job_id = await held(client, fake_worker, "order")
    async with viewing(api) as viewer:
        await viewer.say(action="subscribe", jobId=job_id)
        snapshot = await viewer.next()
        assert snapshot["type"] == "snapshot"
        assert {"jobId", "seq", "status", "progress", "mode", "variant", "profileId", "nodes", "artifacts"} <= set(
            snapshot
        )
        assert snapshot["schema_version"] == 1
        fake_worker.let_go("order")
        await viewer.until(*ENDS)
    log = await client.log(job_id)
    assert viewer.seqs == [item["seq"] for item in log if item["seq"] > snapshot["seq"]]
    by_seq = {item["seq"]: item for item in log}
    for message in viewer.seen[1:]:
        assert {key: message.get(key) for key in ("type", "node", "status")} == {
            key: by_seq[message["seq"]].get(key) for key in ("type", "node", "status")
        }


async def test_a_subscription_in_the_address_works_too_and_replays_after_a_seq(client: Client, api: Api) -> None:
    job_id = await client.submit({"plan": plan(echo("a"), noop("b"))})
    await client.reaches(job_id, "completed")
    log = await client.log(job_id)
    async with viewing(api, f"?jobId={job_id}&after=2") as viewer:
        await viewer.until("job.completed")
    assert viewer.seen == log[2:]
    async with viewing(api, f"?jobId={job_id}&after=100000") as viewer:
        assert (await viewer.next())["type"] == "snapshot"  # a seq from another life


async def test_two_clients_see_the_same(client: Client, api: Api, fake_worker: FakeWorker) -> None:
    job_id = await held(client, fake_worker, "two")
    async with viewing(api, f"?jobId={job_id}") as one, viewing(api, f"?jobId={job_id}") as two:
        first = [await viewer.next() for viewer in (one, two)]
        assert first[0] == first[1]
        fake_worker.let_go("two")
        for viewer in (one, two):
            await viewer.until("job.completed")
        assert one.seen == two.seen


async def test_a_reconnect_in_mid_run_loses_nothing(client: Client, api: Api, fake_worker: FakeWorker) -> None:
    nodes = [noop("a"), noop("b", params={"hold": "reconnect"}), noop("c"), echo("d")]
    job_id = await client.submit({"plan": plan(*nodes)})
    seqs: list[int] = []
    async with viewing(api, f"?jobId={job_id}") as viewer:
        last = (await viewer.next())["seq"]
        while not fake_worker.claims_of(job_id)[1:]:
            await asyncio.sleep(0.01)
        while last < (await client.get(f"/api/status/{job_id}"))["seq"]:
            last = (await viewer.next())["seq"]
            seqs.append(last)
    fake_worker.let_go("reconnect")
    await asyncio.sleep(0.02)
    async with viewing(api) as viewer:
        await viewer.say(action="subscribe", jobId=job_id, after=last)
        await viewer.until("job.completed")
        seqs += viewer.seqs
    log = await client.log(job_id)
    assert seqs == list(range(log[-1]["seq"] - len(seqs) + 1, log[-1]["seq"] + 1))


async def test_ticks_have_no_seq_and_come_after_the_snapshot(client: Client, api: Api, fake_worker: FakeWorker) -> None:
    job_id = await client.submit({"plan": plan(noop("a", params={"hold": "tick"}), noop("b", params={"ticks": 5}))})
    async with viewing(api, f"?jobId={job_id}") as viewer:
        await viewer.next()
        fake_worker.let_go("tick")
        await viewer.until("job.completed")
    ticks = [message for message in viewer.seen if message["type"] == "progress"]
    assert [tick["step"] for tick in ticks] == [1, 2, 3, 4, 5]
    assert all("seq" not in tick and tick["node"] == "b" for tick in ticks)


async def test_an_event_whose_wake_up_was_lost_reaches_all_when_anybody_learns_of_it(client: Client, api: Api) -> None:
    job_id = await client.submit({"plan": plan(echo("a"))})
    await client.reaches(job_id, "completed")
    async with viewing(api, f"?jobId={job_id}") as old, viewing(api, f"?jobId={job_id}") as new:
        before = (await old.next())["seq"]
        await new.next()
        await append(api, job_id, {"message": "nobody was told"})
        await new.say(action="subscribe", jobId=job_id)
        assert (await new.next())["seq"] == before + 1
        assert (await old.next(within_s=2))["message"] == "nobody was told"


async def test_lost_wake_ups_are_made_up_for_by_the_poll(client: Client, api: Api) -> None:
    job_id = await client.submit({"plan": plan(echo("a"))})
    await client.reaches(job_id, "completed")
    async with viewing(api, f"?jobId={job_id}") as viewer:
        before = (await viewer.next())["seq"]
        await append(api, job_id, {"message": "one"}, {"message": "two"})
        assert [(await viewer.next())["seq"] for _ in range(2)] == [before + 1, before + 2]


async def test_a_foreign_page_is_refused(api: Api) -> None:
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{api.port + 1}"):
        async with viewing(api, origin=origin) as viewer:
            with pytest.raises(ConnectionClosed) as closed:
                await viewer.next()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4403
    async with viewing(api, origin=api.url) as viewer:
        await viewer.say(action="ping")
        assert await viewer.next() == {"type": "pong"}


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '"subscribe"', '{"action": 5}', '{"action": "dance"}', '{"action": "subscribe", "jobId": "nope"}',
     '{"action": "subscribe", "after": -1}', '{"action": "subscribe", "jobId": "' + "x" * 5000 + '"}',
     '{"action": "subscribe", "jobId": "' + UNKNOWN_ID + '"}', "\x00", b"\x00\xff", b'{"action": "ping"}'],
    ids=lambda text: repr(text)[:50],
)  # fmt: skip
async def test_a_bad_command_answers_an_error_and_the_socket_stays(text: str | bytes, api: Api) -> None:
    async with viewing(api) as viewer:
        await viewer.socket.send(text)
        answer = await viewer.next()
        assert answer["type"] == "error"
        assert answer["error"]["code"] in {"validation_error", "not_found"}
        assert answer["error"]["message"]
        await viewer.say(action="ping")
        assert (await viewer.next())["type"] == "pong"


async def test_an_unknown_job_in_the_address_answers_an_error(api: Api) -> None:
    for job_id in (UNKNOWN_ID, "nope", "x" * 100):
        async with viewing(api, f"?jobId={job_id}") as viewer:
            answer = await viewer.next()
            assert (answer["type"], answer["error"]["code"]) == ("error", "not_found")


async def test_another_spelling_of_an_id_is_unknown_rather_than_silent(client: Client, api: Api) -> None:
    job_id = await client.submit({"plan": plan(echo("a"))})
    for spelling in (job_id.upper(), job_id.replace("-", ""), f"{{{job_id}}}"):
        assert (await client.http.get(f"/api/status/{spelling}")).status_code == 404
        async with viewing(api, f"?jobId={spelling}") as viewer:
            assert (await viewer.next())["type"] == "error"


async def test_an_unsubscribed_job_is_silent(client: Client, api: Api, fake_worker: FakeWorker) -> None:
    job_id = await held(client, fake_worker, "silent")
    async with viewing(api, f"?jobId={job_id}") as viewer:
        await viewer.next()
        await viewer.say(action="unsubscribe", jobId=job_id)
        assert await viewer.next() == {"type": "unsubscribed", "jobId": job_id}
        fake_worker.let_go("silent")
        await client.reaches(job_id, "completed")
        await viewer.say(action="ping")
        assert (await viewer.next())["type"] == "pong"


async def test_a_socket_may_follow_fifty_jobs_and_no_more(api: Api, client: Client) -> None:
    ids = [await client.submit({"plan": plan(echo("a"))}) for _ in range(51)]
    async with viewing(api) as viewer:
        for job_id in ids:
            await viewer.say(action="subscribe", jobId=job_id)
        refused = await viewer.until("error")
        assert refused["jobId"] == ids[50]
        assert refused["error"]["allowed"] == 50


async def test_a_slow_reader_blocks_nobody_and_misses_no_event(
    client: Client, api: Api, fake_worker: FakeWorker
) -> None:
    import redis.asyncio

    job_id = await held(client, fake_worker, "slow")
    large = "x" * 20_000
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", api.port))
    async with connect(api.ws_url, sock=raw, max_queue=1) as sleepy, viewing(api, f"?jobId={job_id}") as brisk:
        await sleepy.send(json.dumps({"action": "subscribe", "jobId": job_id}))
        first = json.loads(await sleepy.recv())["seq"]
        await brisk.next()
        async with redis.asyncio.Redis.from_url(api.addresses.redis_url) as bus:
            for _ in range(10):  # 10 MB: far over the queue and every buffer on the way
                last = await append(api, job_id, *({"message": large} for _ in range(50)))
                body = {"jobId": job_id, "seq": last, "ts": 0.0, "type": "log", "message": large, "schema_version": 1}
                await bus.publish(EVENTS.format(job_id=job_id), json.dumps(body))
                while not brisk.seqs or brisk.seqs[-1] < last:
                    await brisk.next()
        fake_worker.let_go("slow")
        await brisk.until("job.completed")
        await client.reaches(job_id, "completed")
        seqs: list[int] = []
        while True:
            async with asyncio.timeout(10):
                message = json.loads(await sleepy.recv())
            seqs.append(message["seq"])
            if message["type"] == "job.completed":
                break
    assert seqs == list(range(first + 1, seqs[-1] + 1))
    assert brisk.seqs == seqs


async def test_a_key_opens_the_socket_in_a_header_or_as_first_message(platform: Any, client: Client) -> None:
    job_id = await client.submit({"plan": plan(echo("a"))})
    with running_api(platform.api.addresses, API_KEY="a-secret-key") as locked:
        async with viewing(locked, additional_headers={"Authorization": "Bearer a-secret-key"}) as viewer:
            await viewer.say(action="subscribe", jobId=job_id)
            assert (await viewer.next())["type"] == "snapshot"
        async with viewing(locked) as viewer:
            await viewer.say(action="auth", token="a-secret-key")
            await viewer.say(action="subscribe", jobId=job_id)
            assert (await viewer.next())["type"] == "snapshot"
        async with viewing(locked) as viewer:
            await viewer.say(action="subscribe", jobId=job_id)
            with pytest.raises(ConnectionClosed) as closed:
                await viewer.next()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401
        # And at the end of its life it says that it restarts, so that clients come back.
        async with viewing(locked, additional_headers={"X-API-Key": "a-secret-key"}) as viewer:
            await viewer.say(action="ping")
            await viewer.next()
            locked.process.terminate()
            with pytest.raises(ConnectionClosed) as closed:
                await viewer.next()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
