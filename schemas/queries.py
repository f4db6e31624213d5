"""Load the named SQL queries, and the JSON codec that they assume. Knows file names, no connection."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import aiosql
import orjson
from aiosql.queries import Queries

SQL_FOLDER = Path(__file__).parent / "sql"


@cache
def queries(name: str) -> Queries:
    """Return the queries of `schemas/sql/queries/NAME.sql` for asyncpg: `work` (run states) or `jobs` (the rest)."""
    return aiosql.from_path(SQL_FOLDER / "queries" / f"{name}.sql", "asyncpg", mandatory_parameters=False)


async def keep_session(connection: Any) -> None:
    """Skip asyncpg's reset at release, a round trip each: we never change session state. The pool's `reset`."""


async def set_codecs(connection: Any) -> None:
    """Make json and jsonb travel as Python values on this asyncpg connection; use as the pool's `init`."""
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
        )
