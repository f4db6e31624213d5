"""Bring a database to the current schema. Run by one process at deploy or start, never by the API or a worker.

Our tables come from the numbered SQL files beside this one (yoyo-migrations); the checkpoint tables from the
published LangGraph saver, fenced afterwards so that only the owner of a job may write its checkpoints.
"""

from __future__ import annotations

import sys
from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"

# Source: RELIABILITY 4.6. `for share` makes a takeover wait for the write in flight.
_FENCE = """
create or replace function checkpoint_fence() returns trigger language plpgsql as $$ begin
  perform 1 from job where id = new.thread_id::uuid and runner = current_setting('app.runner', true) for share;
  if not found then raise exception 'checkpoint write by a process that does not own job %', new.thread_id
    using errcode = '40001'; end if;
  return new; end $$;
create or replace trigger checkpoints_fence before insert or update on checkpoints
  for each row execute function checkpoint_fence();
create or replace trigger checkpoint_writes_fence before insert or update on checkpoint_writes
  for each row execute function checkpoint_fence();
"""


def migrate(dsn: str) -> None:
    """Apply every pending migration; safe to repeat, one at a time through yoyo's lock.

    Args:
        dsn: `postgresql://USER@HOST:PORT/DATABASE` of a role that may create tables.

    Raises:
        RuntimeError: an index is invalid after migrating.
    """
    import psycopg
    from langgraph.checkpoint.postgres import PostgresSaver
    from yoyo import get_backend, read_migrations

    backend = get_backend(dsn.replace("postgresql://", "postgresql+psycopg://", 1))
    with backend.lock():
        backend.apply_migrations(backend.to_apply(read_migrations(str(MIGRATIONS))))
    backend.connection.close()
    with PostgresSaver.from_conn_string(dsn) as saver:
        saver.setup()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_FENCE)  # type: ignore[arg-type]
        invalid = connection.execute("select indexrelid::regclass::text from pg_index where not indisvalid").fetchall()
    if invalid:
        raise RuntimeError(f"invalid indexes after migrating: {invalid}; drop them and migrate again")


if __name__ == "__main__":
    migrate(sys.argv[1])
