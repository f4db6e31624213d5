"""`up`, `down`, `logs`, `worker`: the processes themselves."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from compose import detached
from compose.logs import tail
from compose.options import DEFAULT_DATA, AsJson, Data, own_command
from compose.problems import problem
from compose.programs import WORKER_PREFIX
from compose.services import Services
from compose.stack import Stack, StackBusy
from compose.state import StackState
from compose.terminal import say, say_json


def up(
    data: Data = DEFAULT_DATA,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is ready and leave it running.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the embedded stack: Postgres, Valkey, S3, the API and one worker."""
    if detach:
        _announce(detached.running(data) or detached.start(data), as_json=as_json, foreground=False)
        return
    try:
        Stack(data).run(on_ready=lambda state: _announce(state, as_json=as_json, foreground=True))
    except StackBusy as busy:
        raise problem("stack_busy", str(busy), hint=f"stop it with `{own_command()} down --data {data}`") from busy
    except RuntimeError as error:
        raise problem("stack_not_ready", str(error), hint=f"read the logs in {data / 'logs'}") from error


def down(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Stop the stack of a data folder; the data stays."""
    stopped = detached.stop(data)
    if as_json:
        say_json({"stopped": stopped, "data": str(data.resolve())})
    else:
        say("stopped" if stopped else f"no stack runs on {data}")


def logs(
    data: Data = DEFAULT_DATA,
    process: Annotated[
        str | None, typer.Argument(help="api, worker, postgres, valkey, s3 or stack; default all.")
    ] = None,
    count: Annotated[int, typer.Option("--lines", "-n", min=1, help="Lines of each log.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Show the ends of the logs."""
    folder = data / "logs"
    known = {file.stem: file for file in sorted(folder.glob("*.log"))}
    if process is not None and process not in known:
        raise problem("not_found", f"no log of {process}", got=process, allowed=sorted(known), exit_code=2)
    chosen = {process: known[process]} if process else known
    for name, file in chosen.items():
        for line in tail(file, lines=count):
            say(f"{name:<8} | {line}" if len(chosen) > 1 else line)
    at = {name: file.stat().st_size for name, file in chosen.items()}
    while follow:
        time.sleep(0.3)
        for name, file in chosen.items():
            at[name] = _print_from(file, min(at[name], file.stat().st_size), name if len(chosen) > 1 else "")


def worker(
    data: Data = DEFAULT_DATA,
    slots: Annotated[int, typer.Option(min=1, help="Tasks at the same time.")] = 1,
) -> None:
    """Run one more worker in the foreground against the stack of a data folder."""
    if detached.running(data) is None:
        raise problem("stack_not_running", f"no stack runs on {data}", hint=f"start one with `{own_command()} up`")
    settings = Services(data, must_be_free=False).addresses.environment(WORKER_PREFIX)
    environment = {**os.environ, **settings, f"{WORKER_PREFIX}SLOTS": str(slots)}
    os.chdir(Path(__file__).resolve().parent.parent.parent)
    os.execve(sys.executable, [sys.executable, "-m", "worker", "run"], environment)  # noqa: S606


def _announce(state: StackState, *, as_json: bool, foreground: bool) -> None:
    if as_json:
        say_json({"api": state.api, "ui": state.ui, "data": state.data})
        return
    say(f"Reelgraph runs: {state.ui}")
    say(f"data and logs: {state.data}")
    say("stop it with Ctrl-C" if foreground else f"stop it with: {own_command()} down --data {state.data}")


def _print_from(file: Path, offset: int, name: str) -> int:
    with file.open("rb") as opened:
        opened.seek(offset)
        fresh = opened.read()
    for line in fresh.decode(errors="replace").splitlines():
        say(f"{name:<8} | {line}" if name else line)
    return offset + len(fresh)
