"""The asyncpg pool of the control plane: bounded waits, JSON codecs, broken connections thrown away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from schemas.errors import DependencyDown
from schemas.queries import keep_session, queries, set_codecs

ACQUIRE_TIMEOUT_S = 5.0


class Database:
    """Named queries over a pool. `work` and `jobs` name the two query files of `schemas/sql/queries`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self._files = {name: queries(name) for name in ("work", "jobs")}

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend a connection; one that saw an error which is not plain SQL is closed, never reused.

        Raises:
            DependencyDown: Postgres cannot be reached, or every connection was busy for 5 s.
        """
        try:
            connection = await self.pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DependencyDown("the database cannot be reached", retry_after_s=2) from error
        try:
            yield connection
        except asyncpg.PostgresConnectionError as error:
            raise DependencyDown("the database went away", retry_after_s=2) from error
        except (asyncpg.PostgresError, asyncpg.DataError):
            raise
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            connection.terminate()
            raise DependencyDown("the database went away", retry_after_s=2) from error
        except BaseException:
            connection.terminate()
            raise
        finally:
            await self.pool.release(connection, timeout=ACQUIRE_TIMEOUT_S)

    async def one(self, name: str, /, *, file: str = "jobs", **arguments: Any) -> dict[str, Any] | None:
        """Return the first row of a named query as a dict, or None."""
        async with self.connection() as connection:
            row = await getattr(self._files[file], name)(connection, **arguments)
        return dict(row) if row is not None else None

    async def all(self, name: str, /, *, file: str = "jobs", **arguments: Any) -> list[dict[str, Any]]:
        """Return every row of a named query as dicts."""
        async with self.connection() as connection:
            rows = getattr(self._files[file], name)(connection, **arguments)
            return [dict(row) async for row in rows] if hasattr(rows, "__aiter__") else [dict(r) for r in await rows]

    async def run(self, name: str, /, *, file: str = "jobs", **arguments: Any) -> Any:
        """Run a named query for its effect, or for its one value."""
        async with self.connection() as connection:
            return await getattr(self._files[file], name)(connection, **arguments)


async def open_pool(dsn: str, *, name: str, max_size: int) -> asyncpg.Pool:
    """Return a pool for one process.

    Args:
        dsn: `postgresql://...`.
        name: shown in `pg_stat_activity`.
        max_size: connections at most.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=max_size,
        command_timeout=10,
        timeout=ACQUIRE_TIMEOUT_S,
        init=set_codecs,
        reset=keep_session,
        server_settings={
            "application_name": name,
            "idle_in_transaction_session_timeout": "15000",
            "statement_timeout": "10000",
            "jit": "off",
        },
    )
