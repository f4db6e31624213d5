"""`python -m control_api`: serve the API. Settings come from the environment (`REELGRAPH_API_*`)."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Serve until SIGTERM; return 2 when settings are bad, all of them named."""
    from pydantic import ValidationError

    from control_api.settings import ApiSettings

    try:
        settings = ApiSettings()  # type: ignore[call-arg]  # from the environment
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            print(f"REELGRAPH_API_{name}: {problem['msg']}" if name else problem["msg"], file=sys.stderr)
        return 2
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")  # must be set before langgraph is imported
    import uvicorn

    from control_api.app import create_app
    from schemas.logs import configure_logs

    configure_logs()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=65_536,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=15,
        limit_concurrency=12_000,
        backlog=2048,
        server_header=False,
        access_log=False,
        log_level="warning",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
