"""The FastAPI application: middleware, routes, the static page."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import structlog
from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_api import errors
from control_api.caller import checked_caller
from control_api.platform import open_platform
from control_api.routes import artifacts, catalog, health, jobs, live, planning, profiles, uploads
from control_api.routes.live import GOING_AWAY
from control_api.settings import ApiSettings
from control_api.uploads import MAX_BYTES
from schemas.errors import ReelgraphError, TooLarge

VERSION = "0.1.0"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY_BYTES = 1024 * 1024
MAX_UPLOAD_BODY_BYTES = MAX_BYTES + 64 * 1024
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]


def create_app(settings: ApiSettings) -> FastAPI:
    """Return the application; it connects when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_platform(settings) as platform:
            app.state.platform = platform
            yield
            for socket in list(platform.sockets):
                await socket.close(GOING_AWAY)

    app = FastAPI(title="Reelgraph", version=VERSION, lifespan=lifespan)
    errors.install(app)
    for module in (planning, jobs, artifacts, uploads, profiles, catalog):
        app.include_router(module.router, dependencies=[Depends(checked_caller)])
    app.include_router(health.router)
    app.include_router(live.router)
    if settings.web_folder.is_dir():
        app.router.routes.append(Page("/", StaticFiles(directory=settings.web_folder, html=True), name="web"))
    app.add_middleware(Edge, hosts=settings.host_names, origins=settings.origins)
    return app


class Page(Mount):
    """The static page: everything but the API, so that a wrong method there stays a 405."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.NONE, {}) if scope["path"].startswith("/api/") else super().matches(scope)


class Foreign(ReelgraphError):
    """Raised when a page of another site tries to use the API."""

    code = "foreign_origin"
    status = 403


class Edge:
    """Limits bodies, names and times every request. Pure ASGI: nothing is buffered."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str] | None, origins: frozenset[str]) -> None:
        """`hosts` are the names we answer to (None: any); `origins` may send unsafe requests besides our own page."""
        self.app = app
        self.hosts = hosts
        self.origins = origins

    def foreign(self, method: str, sent: dict[bytes, bytes]) -> Foreign | None:
        """Return the refusal of another site's page: by a rebound host name, or by a cross-origin unsafe request."""
        host = sent.get(b"host", b"").decode("latin-1")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if self.hosts is not None and name not in self.hosts:
            return Foreign("this host name is not ours", got=name[:100], allowed=sorted(self.hosts))
        origin = sent.get(b"origin", b"").decode("latin-1")
        if origin and method not in SAFE and urlsplit(origin).netloc != host and origin not in self.origins:
            return Foreign("a page of another origin may not do this", got=origin[:100], allowed=sorted(self.origins))
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request_id = uuid4().hex
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began, status = time.perf_counter(), 500
        limit = MAX_UPLOAD_BODY_BYTES if scope["path"].startswith("/api/uploads") else MAX_BODY_BYTES
        taken = 0
        refused: TooLarge | None = None

        async def counted() -> Message:
            nonlocal taken, refused
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                refused = TooLarge("the body is too large", got=taken, allowed=limit)
                raise refused
            return message

        async def answered(message: Message) -> None:
            if refused is None:  # else the framework reports it as a parsing error
                await headed(message)

        async def headed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [*_HEADERS, (b"x-request-id", request_id.encode())]
                message["headers"] = [*message.get("headers", []), *extra]
            await send(message)

        sent = dict(scope["headers"])
        foreign = self.foreign(scope["method"], sent)
        if foreign is not None:
            return await errors.render(foreign)(scope, receive, headed)
        declared = sent.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            error = TooLarge("the body is too large", got=int(declared), allowed=limit)
            return await errors.render(error)(scope, receive, headed)
        try:
            await self.app(scope, counted, answered)
            if refused is not None:
                await errors.render(refused)(scope, receive, headed)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")
            platform: Any = getattr(scope["app"].state, "platform", None)
            route = getattr(scope.get("route"), "path", "other")
            if platform is not None:
                platform.metrics.requests.labels(route, str(status)).inc()
                platform.metrics.seconds.labels(route).observe(time.perf_counter() - began)
