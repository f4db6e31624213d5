"""JSON bodies, cleaned before anything reads them: what Postgres or JSON cannot hold never reaches a handler."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from schemas.errors import ValidationFailed
from schemas.text import clean_json


class CleanRequest(Request):
    """A request whose JSON holds no NUL, lone surrogate, NaN, huge integer or deep nesting."""

    async def json(self) -> Any:
        """Return the cleaned body.

        Raises:
            ValidationFailed: it is no JSON, or holds a number or depth that cannot be carried.
        """
        if not hasattr(self, "_json"):
            body = await self.body()
            try:
                value = json.loads(body)
            except RecursionError:
                raise ValidationFailed("the body is nested too deeply", path="/") from None
            except ValueError as error:
                raise ValidationFailed(
                    f"the body is not JSON: {error}", path="/", got=body[:100].decode(errors="replace")
                ) from None
            self._json = clean_json(value)
        return self._json


class CleanRoute(APIRoute):
    """A route that reads its JSON body as `CleanRequest` does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_clean(request: Request) -> Response:
            kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
            if self.body_field is not None and kind.endswith("json"):
                request = CleanRequest(request.scope, request.receive)
                if await request.body():
                    await request.json()
            return await handle(request)

        return handle_clean
