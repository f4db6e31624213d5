"""The SQL that both planes agree on: schema, migrations and named queries."""
