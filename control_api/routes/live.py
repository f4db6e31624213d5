"""`WS /ws`: subscribe to jobs; snapshot or replay first, then every event once and in order."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from control_api.hub import Client, Hub
from control_api.platform import Platform
from schemas.errors import DependencyDown, NotFound, ReelgraphError, ValidationFailed

log = structlog.get_logger()
router = APIRouter()
MAX_SUBSCRIPTIONS = 50
MAX_SOCKETS = 12_000
DRAIN_S = 30.0
OUTAGE_PAUSE_S = 0.5
AUTH_S = 5.0
GOING_AWAY, UNAUTHORISED, FOREIGN_ORIGIN, TOO_SLOW, TOO_MANY = 1012, 4401, 4403, 4408, 4429


class Command(BaseModel):
    """What a client may send."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    action: str = Field(max_length=32)
    jobId: str = Field(default="", max_length=64)
    after: int = Field(default=0, ge=0)
    token: str | None = Field(default=None, max_length=512)


@router.websocket("/ws")
async def live(socket: WebSocket) -> None:
    """Serve one client until it leaves. Origin and key are checked here: middleware does not see sockets."""
    platform: Platform = socket.app.state.platform
    await socket.accept()
    if not _origin_allowed(socket, platform):
        return await socket.close(FOREIGN_ORIGIN)
    if len(platform.sockets) >= MAX_SOCKETS:
        return await socket.close(TOO_MANY)
    client = platform.hub.join()
    platform.sockets.add(socket)
    platform.metrics.sockets.inc()
    platform.metrics.connections.inc()
    began = time.monotonic()
    try:
        if not await _authorised(socket, platform):
            return await socket.close(UNAUTHORISED)
        job_id = socket.query_params.get("jobId")
        if job_id:
            await _handle(platform.hub, client, Command(action="subscribe", jobId=job_id[:64], after=_after(socket)))
        async with asyncio.TaskGroup() as group:
            sender = group.create_task(_send(socket, platform, client))
            group.create_task(_receive(socket, platform, client, sender))
    except* (WebSocketDisconnect, RuntimeError):
        pass
    finally:
        platform.hub.leave(client)
        platform.sockets.discard(socket)
        platform.metrics.sockets.dec()
        platform.metrics.lifetime.observe(time.monotonic() - began)


async def _receive(socket: WebSocket, platform: Platform, client: Client, sender: asyncio.Task[None]) -> None:
    try:
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            text = message.get("text") or ""  # a binary message is no command
            platform.metrics.received.inc()
            try:
                command = Command.model_validate_json(text)
            except ValidationError:
                error = ValidationFailed(
                    "not a command", got=text[:200], allowed='{"action": "subscribe|unsubscribe", "jobId", "after"}'
                )
                client.put(orjson.dumps({"type": "error", **error.to_json()}).decode())
                continue
            await _handle(platform.hub, client, command)
    finally:
        sender.cancel()


async def _handle(hub: Hub, client: Client, command: Command) -> None:
    answer: dict[str, Any] | None = None
    try:
        match command.action:
            case "subscribe":
                if len(client.sent) >= MAX_SUBSCRIPTIONS and command.jobId not in client.sent:
                    raise ValidationFailed("too many subscriptions on one socket", allowed=MAX_SUBSCRIPTIONS)
                await hub.subscribe(client, command.jobId, after=command.after)
            case "unsubscribe":
                hub.unsubscribe(client, command.jobId)
                answer = {"type": "unsubscribed", "jobId": command.jobId}
            case "ping":
                answer = {"type": "pong"}
            case "auth":
                pass
            case _:
                raise ValidationFailed(
                    "unknown action", path="/action", got=command.action, allowed=["subscribe", "unsubscribe", "ping"]
                )
    except NotFound as error:
        answer = {"type": "error", "jobId": command.jobId, **error.to_json()}
    except ReelgraphError as error:
        answer = {"type": "error", "jobId": command.jobId, **error.to_json()}
    if answer is not None:
        client.put(orjson.dumps(answer).decode())


async def _send(socket: WebSocket, platform: Platform, client: Client) -> None:
    while True:
        if client.waiting:
            texts = [client.take()]
        elif client.lagging:
            try:
                texts = await platform.hub.catch_up(client)
            except DependencyDown:  # the log is out of reach: what is missing comes when Postgres is back
                await asyncio.sleep(OUTAGE_PAUSE_S)
                continue
        else:
            client.wanted.clear()
            await client.wanted.wait()
            continue
        for text in texts:
            try:
                async with asyncio.timeout(DRAIN_S):
                    await socket.send_text(text)
            except TimeoutError:
                platform.metrics.socket_errors.inc()
                with contextlib.suppress(RuntimeError):
                    await socket.close(TOO_SLOW)
                raise WebSocketDisconnect(TOO_SLOW) from None
        platform.metrics.sent.inc(len(texts))


async def _authorised(socket: WebSocket, platform: Platform) -> bool:
    if platform.caller.key is None:
        return True
    if platform.caller.accepts(socket.headers.get("authorization"), socket.headers.get("x-api-key")):
        return True
    try:
        async with asyncio.timeout(AUTH_S):
            command = Command.model_validate_json(await socket.receive_text())
    except (TimeoutError, ValidationError):
        return False
    return command.action == "auth" and platform.caller.accepts(None, command.token)


def _origin_allowed(socket: WebSocket, platform: Platform) -> bool:
    origin = socket.headers.get("origin")
    if origin is None:
        return True
    return urlsplit(origin).netloc == socket.headers.get("host") or origin in platform.allowed_origins


def _after(socket: WebSocket) -> int:
    text = socket.query_params.get("after", "0")
    return int(text) if text.isdecimal() and len(text) < 16 else 0
