"""The options that commands share, and how a command finds its API."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from compose import detached
from compose.client import ApiClient
from compose.problems import problem

DEFAULT_DATA = Path(".reelgraph")

Data = Annotated[Path, typer.Option("--data", envvar="REELGRAPH_DATA", help="Data folder of the stack.")]
Api = Annotated[str | None, typer.Option("--api", envvar="REELGRAPH_API", help="URL of a running API.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def connect(data: Path, api: str | None) -> ApiClient:
    """Return a client of `api`, or of the stack that runs on `data`."""
    if api:
        return ApiClient(api)
    state = detached.running(data)
    if state is None:
        raise problem(
            "stack_not_running",
            f"no stack runs on {data}",
            hint="start one with `reelgraph up`, or name a running API with --api URL",
        )
    return ApiClient(state.api)


def own_command() -> str:
    """Return how the user can call this program again."""
    beside = Path(os.path.relpath(Path(sys.executable).with_name("reelgraph")))
    return str(beside) if beside.exists() else "reelgraph"
