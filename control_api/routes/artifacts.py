"""Artifacts: metadata with a short-lived link, and the content by redirect."""

from __future__ import annotations

import mimetypes
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from control_api.platform import Platform
from control_api.views import artifact_view
from graphs.facades import LOCAL_OWNER, parse_uuid
from schemas.artifact import ARTIFACTS
from schemas.errors import NotFound

router = APIRouter(prefix="/api/artifacts", tags=["artifacts"])
_SHOWN = ("video/", "audio/", "image/png", "image/jpeg", "image/webp", "text/vtt")
_TYPES = {
    ".vtt": "text/vtt",
    ".srt": "application/x-subrip",
    ".glb": "model/gltf-binary",
    ".safetensors": "application/octet-stream",
}


@router.get("/{artifact_id}")
async def get_artifact(artifact_id: str, request: Request) -> dict[str, Any]:
    """Metadata and a link that lives five minutes; range requests work on it."""
    row, link = await _link(request, artifact_id)
    return {**artifact_view(row), "url": link}


@router.get("/{artifact_id}/content", status_code=307)
async def content(artifact_id: str, request: Request) -> RedirectResponse:
    """Redirect to the object: a stable address for players and `<img>`."""
    _, link = await _link(request, artifact_id)
    return RedirectResponse(link, status_code=307, headers={"Cache-Control": "private, max-age=240"})


async def _link(request: Request, artifact_id: str) -> tuple[dict[str, Any], str]:
    platform: Platform = request.app.state.platform
    row = await platform.database.one("get_artifact", id=parse_uuid(artifact_id, what="artifact"), owner_id=LOCAL_OWNER)
    if row is None:
        raise NotFound("no such artifact", path="/artifactId", got=artifact_id)
    suffix = "." + row["name"].rpartition(".")[2].lower()
    content_type = _TYPES.get(suffix) or mimetypes.guess_type(row["name"])[0] or "application/octet-stream"
    link = await platform.objects.link(
        ARTIFACTS,
        row["object_key"],
        name=row["name"],
        content_type=content_type,
        inline=content_type.startswith(_SHOWN),
    )
    return row, link
