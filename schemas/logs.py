"""How every process of ours logs: one event a line, JSON in containers, readable on a terminal."""

from __future__ import annotations

import logging
import os
import sys

import structlog


def configure_logs() -> None:
    """Set structlog up on stderr; `REELGRAPH_LOG=json` forces JSON, `REELGRAPH_LOG_LEVEL` sets the level."""
    as_json = os.environ.get("REELGRAPH_LOG") == "json" or not sys.stderr.isatty()
    level = logging.getLevelNamesMapping().get(os.environ.get("REELGRAPH_LOG_LEVEL", "INFO").upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *([structlog.processors.format_exc_info] if as_json else []),
            structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
