"""From a file back to the caller's job that made it: by artifact, by object, by the digest of its plan or its own."""

from __future__ import annotations

from typing import Any

from control_api.objects import Objects, own_key
from control_api.uploads import PLAN_DIGEST
from graphs.database import Database
from graphs.facades import LOCAL_OWNER, parse_uuid
from schemas.artifact import UPLOADS
from schemas.errors import NotFound
from schemas.provenance.record import DIGEST

Row = dict[str, Any]
_HINT = "name an artifact, or a file that one of your jobs made; `reelgraph inspect FILE` says what a file knows"


async def made_by(file: str, *, database: Database, objects: Objects) -> Row:
    """Return `id`, `plan` and `title` of the job that made a file.

    Args:
        file: an artifact id, the `s3://` uri of an artifact or upload, or `sha256:HEX` of a plan or of a file.

    Raises:
        NotFound: none of the caller's jobs made it.
        UnsafeInput: the uri is not the caller's.
    """
    if DIGEST.fullmatch(file):
        found = await job_of_digest(database, file)
    elif "://" in file:
        bucket, key = own_key(file, "/from_file")
        if bucket == UPLOADS:
            digest = (await objects.facts(bucket, key)).get(PLAN_DIGEST)
            found = await job_of_digest(database, digest) if digest else None
        else:
            found = await _job_of_file(database, object_key=key)
    else:
        found = await _job_of_file(database, id=parse_uuid(file, what="artifact", path="/from_file"))
    if found is None:
        raise NotFound("none of your jobs made this file", path="/from_file", got=file[:200], hint=_HINT)
    return found


async def job_of_digest(database: Database, digest: str) -> Row | None:
    """Return the caller's job whose plan, or one of whose files, has this digest (`sha256:HEX`)."""
    by_plan = await database.one("job_of_plan", owner_id=LOCAL_OWNER, digest=digest)
    return by_plan or await _job_of_file(database, sha256=digest.removeprefix("sha256:"))


async def _job_of_file(database: Database, **known_by: Any) -> Row | None:
    ways: Row = {"id": None, "sha256": None, "object_key": None}
    return await database.one("job_of_file", owner_id=LOCAL_OWNER, **(ways | known_by))
