"""`schemas/sql/schema.sql`, which people read, describes exactly what the migrations build."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

SCHEMA = Path(__file__).parents[2] / "schemas" / "sql" / "schema.sql"
CATALOG = {
    "columns": """
        select table_name, column_name, data_type, udt_name, is_nullable, column_default, is_identity
        from information_schema.columns where table_schema = 'public'""",
    "constraints": """
        select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        from pg_constraint where connamespace = 'public'::regnamespace and conrelid <> 0""",
    "indexes": "select tablename, indexname, indexdef from pg_indexes where schemaname = 'public'",
    "triggers": """
        select tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal""",
}
OF_OTHERS = ("checkpoint", "_yoyo", "yoyo_")
TABLES = {"job", "node_run", "outbox", "artifact", "event", "approval", "worker", "profile"}


def catalog(dsn: str, question: str) -> set[tuple[object, ...]]:
    """Return the rows about our own tables; those of the saver and of the migration tool are theirs."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(CATALOG[question]).fetchall()  # type: ignore[call-overload]
    return {row for row in rows if not str(row[0]).startswith(OF_OTHERS)}


@pytest.fixture
def described(empty_database: str) -> str:
    """The URI of a database built from the page."""
    with psycopg.connect(empty_database) as connection:
        connection.execute(SCHEMA.read_text(encoding="utf-8"))  # type: ignore[call-overload]
    return empty_database


@pytest.mark.parametrize("question", sorted(CATALOG))
def test_the_schema_page_equals_what_the_migrations_build(database: str, described: str, question: str) -> None:
    assert catalog(described, question) == catalog(database, question)


def test_the_comparison_sees_every_table(database: str) -> None:
    assert {str(row[0]) for row in catalog(database, "columns")} >= TABLES


def test_migrating_twice_changes_nothing(database: str) -> None:
    from schemas.sql.migrate import migrate

    before = {question: catalog(database, question) for question in CATALOG}
    migrate(database)
    assert {question: catalog(database, question) for question in CATALOG} == before
