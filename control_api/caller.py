"""Who calls: one local user on loopback, or whoever holds the API key. The auth matrix comes with multi-user."""

from __future__ import annotations

import hmac

from fastapi import Request

from schemas.errors import ReelgraphError


class Unauthorised(ReelgraphError):
    """Raised when an API key is set and the request does not carry it."""

    code = "unauthorised"
    status = 401


class Caller:
    """Checks the API key, when there is one."""

    def __init__(self, key: str | None) -> None:
        self.key = key

    def accepts(self, authorization: str | None, api_key: str | None) -> bool:
        """Compare in constant time."""
        if self.key is None:
            return True
        given = api_key or (authorization or "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), self.key.encode())


async def checked_caller(request: Request) -> None:
    """Refuse a request without the key."""
    caller: Caller = request.app.state.platform.caller
    if not caller.accepts(request.headers.get("authorization"), request.headers.get("x-api-key")):
        raise Unauthorised("an API key is needed", hint="send it as `Authorization: Bearer KEY`")
