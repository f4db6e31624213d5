"""`/health`, `/ready`, `/metrics`."""

from __future__ import annotations

import contextlib
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError

from control_api.platform import Platform
from schemas.errors import DependencyDown

router = APIRouter(tags=["operations"])


@router.get("/health")
async def health() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(request: Request) -> Response:
    """Postgres, S3 and one worker's manifest are there. Redis may be absent: work goes on, only slower."""
    platform: Platform = request.app.state.platform
    checks: dict[str, bool] = {"postgres": False, "s3": False, "worker": False, "redis": False}
    with contextlib.suppress(DependencyDown):
        checks["postgres"] = await platform.database.run("ping") == 1
    checks["s3"] = await platform.objects.ready()
    checks["worker"] = bool(platform.manifest.current().python)
    with contextlib.suppress(RedisError, OSError, TimeoutError):
        checks["redis"] = bool(await platform.redis.ping())
    good = checks["postgres"] and checks["s3"] and checks["worker"]
    body: dict[str, Any] = {"status": "ready" if good else "waiting", "checks": checks}
    if good:
        return JSONResponse(body)
    missing = [name for name, present in checks.items() if not present]
    error = {"code": "dependency_down", "message": f"waiting for {', '.join(missing)}"}
    return JSONResponse({**body, "error": error}, status_code=503, headers={"Retry-After": "1"})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus exposition."""
    platform: Platform = request.app.state.platform
    with contextlib.suppress(DependencyDown):
        for row in await platform.database.all("jobs_by_status"):
            platform.metrics.jobs.labels(row["status"]).set(row["count"])
        for row in await platform.database.all("queue_load"):
            for state in ("ready", "dispatched"):
                platform.metrics.queue.labels(row["queue"], state).set(row[state])
    return Response(platform.metrics.text(), media_type="text/plain; version=0.0.4")
