"""What control-plane nodes may do with profiles and artifacts, always within the job owner's rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from graphs.database import Database
from graphs.registry import Profile
from schemas.artifact import ARTIFACTS
from schemas.errors import NotFound

LOCAL_TENANT = UUID("00000000-0000-0000-0000-000000000001")
LOCAL_OWNER = UUID("00000000-0000-0000-0000-000000000002")
"""The one tenant and user until the multi-user release."""


def profile_of(row: dict[str, Any]) -> Profile:
    """Return a profile row under the seed's field names."""
    return Profile(
        id=str(row["id"]),
        name=row["name"],
        loraId=str(row["lora_id"]) if row["lora_id"] else None,
        voiceId=str(row["voice_id"]) if row["voice_id"] else None,
        createdAt=row["created_at"].isoformat(),
        lora=row.get("lora"),
        voice=row.get("voice"),
    )


def parse_uuid(text: str, *, what: str, path: str | None = None) -> UUID:
    """Return the uuid; an id in any other than the one spelling that we give out is unknown (`NotFound`)."""
    try:
        found = UUID(text)
        if str(found) != text:
            raise ValueError(text)
        return found
    except ValueError:
        raise NotFound(f"no such {what}", path=path or f"/{what}Id", got=text[:100]) from None


class ProfileRows:
    """`Profiles` of one owner."""

    def __init__(self, database: Database, *, owner_id: str) -> None:
        self._database = database
        self._owner_id = owner_id

    async def get(self, profile_id: str) -> Profile | None:
        row = await self._database.one(
            "get_profile", id=parse_uuid(profile_id, what="profile"), owner_id=self._owner_id
        )
        return profile_of(row) if row else None

    async def create(self, profile_id: UUID, *, name: str) -> Profile:
        row = await self._database.one(
            "create_profile", id=profile_id, tenant_id=LOCAL_TENANT, owner_id=self._owner_id, name=name
        )
        if row is None:
            raise NotFound("no such profile", got=str(profile_id))
        return profile_of(row)


class JobArtifacts:
    """`JobOutputs` of one job."""

    def __init__(self, database: Database, *, job_id: str) -> None:
        self._database = database
        self._job_id = job_id

    async def register(self, artifact_ids: list[str]) -> list[dict[str, Any]]:
        rows = await self._database.all("register_outputs", job_id=self._job_id, ids=artifact_ids)
        return [
            {
                "id": str(row["id"]),
                "kind": row["kind"],
                "uri": f"s3://{ARTIFACTS}/{row['object_key']}",
                "name": row["name"],
            }
            for row in rows
        ]
