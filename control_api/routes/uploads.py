"""`POST /api/uploads`: one file, checked by content, stored clean; or only read, to learn where it came from."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, UploadFile

from control_api.origins import job_of_digest
from control_api.platform import Platform
from control_api.uploads import read_record, store

router = APIRouter(prefix="/api", tags=["uploads"])


@router.post("/uploads", status_code=201)
async def upload(file: UploadFile, request: Request) -> dict[str, Any]:
    """Store an image, recording or SVG; the answer's `uri` is what requests refer to."""
    platform: Platform = request.app.state.platform
    with tempfile.TemporaryDirectory(prefix="reelgraph-upload-") as folder:
        return await store(file, platform.objects, Path(folder))


@router.post("/uploads/inspect")
async def inspect(file: UploadFile, request: Request) -> dict[str, Any]:
    """Say where a file came from: its `record`, and the caller's job that made it; the file is not kept.

    `fromFile` is what `POST /api/jobs` takes to make it again.
    """
    platform: Platform = request.app.state.platform
    with tempfile.TemporaryDirectory(prefix="reelgraph-inspect-") as folder:
        record, sha256 = await read_record(file, Path(folder))
    digest = record.plan_digest if record and record.names_plan else f"sha256:{sha256}"
    job = await job_of_digest(platform.database, digest)
    return {
        "sha256": sha256,
        "record": record.model_dump(mode="json") if record else None,
        "jobId": str(job["id"]) if job else None,
        "fromFile": digest if job else None,
    }
