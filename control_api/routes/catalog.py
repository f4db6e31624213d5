"""What the system can do: capabilities, templates, workers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from control_api.platform import Platform
from graphs.dispatch import WORKER_SEEN_WITHIN_S

router = APIRouter(prefix="/api", tags=["catalog"])


@router.get("/capabilities")
async def capabilities(request: Request) -> dict[str, Any]:
    """The live manifest of both planes."""
    platform: Platform = request.app.state.platform
    return platform.manifest.current().model_dump(mode="json", exclude_none=True)


@router.get("/templates")
async def templates(request: Request) -> dict[str, Any]:
    """The graph templates, with the JSON Schema of their params, and the user's files that were refused."""
    platform: Platform = request.app.state.platform
    return platform.templates.listed()


@router.get("/workers")
async def workers(request: Request) -> dict[str, Any]:
    """The live workers."""
    platform: Platform = request.app.state.platform
    rows = await platform.database.all("live_workers", within_s=WORKER_SEEN_WITHIN_S)
    items = [
        {
            "boot": str(row["boot"]),
            "host": row["host"],
            "gpu": row["gpu_uuid"],
            "queues": row["queues"],
            "slots": row["slots"],
            "draining": row["draining"],
            "startedAt": row["started_at"].isoformat(),
            "seenAt": row["seen_at"].isoformat(),
            "tasks": sorted(
                name for name, entry in row["manifest"].get("tasks", {}).items() if entry.get("enabled", True)
            ),
        }
        for row in rows
    ]
    return {"items": items, "next": None}
