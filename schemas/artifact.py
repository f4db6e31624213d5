"""Artifacts: objects in S3 with kind, digest, size and media facts. No I/O."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ArtifactKind = Literal["image", "audio", "video", "model3d", "svg", "lora", "voice", "script", "text", "json"]

UPLOADS, ARTIFACTS, MODELS = "uploads", "artifacts", "models"
BUCKETS = (UPLOADS, ARTIFACTS, MODELS)


class ArtifactRef(BaseModel):
    """How an artifact travels between nodes: a reference with facts, never the bytes.

    `path` is set only inside a worker child, where the supervisor has put the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str | None = None
    uri: str = ""
    kind: ArtifactKind
    name: str = Field(max_length=200)
    size_bytes: int = Field(default=0, ge=0)
    sha256: str = ""
    media: dict[str, Any] = Field(default_factory=dict, description="duration_s, width_px, fps, sample_rate_hz ...")
    path: str | None = None
    role: Literal["output", "thumbnail", "subtitles", "log", "part"] = "output"


def parse_s3(uri: str) -> tuple[str, str] | None:
    """Return `(bucket, key)` of an `s3://BUCKET/KEY` uri, or None when it is not a clean one."""
    if not uri.startswith("s3://"):
        return None
    bucket, _, key = uri[5:].partition("/")
    if not bucket or not key or "//" in key or any(part in {"", ".", ".."} for part in key.split("/")):
        return None
    if not key.isprintable() or len(key) > 900:
        return None
    return bucket, key
