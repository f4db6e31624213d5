"""Profiles: list and read."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from control_api.jobs import decode_cursor, encode_cursor
from control_api.platform import Platform
from graphs.facades import LOCAL_OWNER, parse_uuid, profile_of
from schemas.errors import NotFound

router = APIRouter(prefix="/api/profiles", tags=["profiles"])


@router.get("")
async def list_profiles(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> dict[str, Any]:
    """Profiles, newest first."""
    platform: Platform = request.app.state.platform
    before_at, before_id = decode_cursor(cursor)
    rows = await platform.database.all(
        "list_profiles", owner_id=LOCAL_OWNER, before_at=before_at, before_id=before_id, count=limit + 1
    )
    items = [_shown(row) for row in rows[:limit]]
    return {"items": items, "next": encode_cursor(rows, limit)}


@router.get("/{profile_id}")
async def get_profile(profile_id: str, request: Request) -> dict[str, Any]:
    """One profile."""
    platform: Platform = request.app.state.platform
    row = await platform.database.one("get_profile", id=parse_uuid(profile_id, what="profile"), owner_id=LOCAL_OWNER)
    if row is None:
        raise NotFound("no such profile", path="/profileId", got=profile_id, hint="GET /api/profiles lists yours")
    return _shown(row)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return profile_of(row).model_dump(mode="json", exclude={"lora", "voice"})
