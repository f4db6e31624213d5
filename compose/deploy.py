"""`python -m compose.deploy`: make the schema and the buckets of real services. Run once before the API."""

from __future__ import annotations

import os

from compose.programs import API_PREFIX
from compose.services import Addresses, make_buckets


def main() -> None:
    """Read the API's settings from the environment, migrate, make what buckets are missing. Safe to repeat."""
    from schemas.sql.migrate import migrate

    def setting(name: str) -> str:
        return os.environ[API_PREFIX + name]

    migrate(setting("DSN"))
    make_buckets(
        Addresses(
            dsn=setting("DSN"),
            redis_url=setting("REDIS_URL"),
            s3_endpoint=setting("S3_ENDPOINT"),
            s3_access_key=setting("S3_ACCESS_KEY"),
            s3_secret_key=setting("S3_SECRET_KEY"),
            s3_secure=os.environ.get(API_PREFIX + "S3_SECURE", "false").lower() in {"1", "true", "yes"},
        )
    )


if __name__ == "__main__":
    main()
