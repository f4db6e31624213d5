"""`POST /api/uploads`: one file, checked by content, stored clean."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, UploadFile

from control_api.platform import Platform
from control_api.uploads import store

router = APIRouter(prefix="/api", tags=["uploads"])


@router.post("/uploads", status_code=201)
async def upload(file: UploadFile, request: Request) -> dict[str, Any]:
    """Store an image, recording or SVG; the answer's `uri` is what requests refer to."""
    platform: Platform = request.app.state.platform
    with tempfile.TemporaryDirectory(prefix="reelgraph-upload-") as folder:
        return await store(file, platform.objects, Path(folder))
