"""One error shape for everything: our errors, malformed bodies, unknown routes, and what nobody expected."""

from __future__ import annotations

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from schemas.errors import DependencyDown, ReelgraphError, ValidationFailed
from schemas.text import clean_json

log = structlog.get_logger()


def install(app: FastAPI) -> None:
    """Render every error as `{"error": {"code", "message", ...}}`."""

    @app.exception_handler(ReelgraphError)
    async def ours(request: Request, error: ReelgraphError) -> JSONResponse:
        return render(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        return render(of_validation(error.errors()))

    @app.exception_handler(ValidationError)
    async def invalid(request: Request, error: ValidationError) -> JSONResponse:
        return render(of_validation(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:  # a body that the framework could not parse
            return render(ValidationFailed(str(error.detail), path="/"))
        codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
        body = {"error": {"code": codes.get(error.status_code, "http_error"), "message": str(error.detail)}}
        return JSONResponse(body, status_code=error.status_code, headers=error.headers)

    @app.exception_handler(RedisError)
    @app.exception_handler(asyncpg.PostgresConnectionError)
    async def down(request: Request, error: Exception) -> JSONResponse:
        return render(DependencyDown("a service that this needs cannot be reached", retry_after_s=2))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.exception("api.unexpected", path=request.url.path)
        return JSONResponse(
            {"error": {"code": "internal_error", "message": "this is our fault; the log has the details"}},
            status_code=500,
        )


def render(error: ReelgraphError) -> JSONResponse:
    """Return the response of an error."""
    headers = {"Retry-After": str(max(1, round(error.body.retry_after_s)))} if error.body.retry_after_s else None
    body = clean_json(error.to_json(), strict=False)
    return JSONResponse(body, status_code=error.status, headers=headers)


def of_validation(problems: list[dict[str, object]] | object) -> ValidationFailed:
    """Return the first problem as the error and all of them in its message."""
    found = [
        (
            "/" + "/".join(str(part) for part in problem.get("loc", ()) if part not in {"body", "query", "path"}),
            str(problem.get("msg", "is malformed")).removeprefix("Value error, "),
            problem.get("input"),
        )
        for problem in problems  # type: ignore[attr-defined]
    ]
    path, message, got = found[0]
    more = "; ".join(f"{where} {what}" for where, what, _ in found[1:8])
    shown = got if isinstance(got, (int, float, bool)) or got is None else str(got)[:200]
    return ValidationFailed(f"{message}{f'; also: {more}' if more else ''}", path=path, got=shown)
