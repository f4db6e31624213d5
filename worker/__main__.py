"""`python -m worker`: `run` serves the queues, `exec` tries one task, `tasks` lists what can run here."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 2 for a wrong call or bad settings."""
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "run", help="serve the queues until SIGTERM", description="Settings come from REELGRAPH_WORKER_* variables."
    )
    tasks = commands.add_parser("tasks", help="list the tasks and whether each can run here")
    execute = commands.add_parser(
        "exec",
        help="run one task with no broker and no database",
        description="Progress goes to stderr, the outcome as JSON to stdout; exit code 1 when the task failed.",
        epilog="example: python -m worker exec synthesize_speech params.json --input script=script.json --out /tmp/out",
    )
    execute.add_argument("task", metavar="TASK")
    execute.add_argument("params", metavar="params.json", help="a JSON file with the params; `-` reads stdin")
    execute.add_argument(
        "--input", action="append", default=[], metavar="PORT=PATH", help="a file for an input port; may be repeated"
    )
    execute.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="folder for the files it makes")
    execute.add_argument("--device", default="cpu", help="`cpu` or `cuda:N`")
    execute.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="what an earlier run kept in DIR, to go on from"
    )
    for command in (tasks, execute):
        command.add_argument(
            "--package", action="append", metavar="PACKAGE", help="task package; default worker.tasks; may be repeated"
        )
    arguments = parser.parse_args(argv)
    if arguments.command == "run":
        return _run()
    return _try(arguments)


def _run() -> int:
    from pydantic import ValidationError

    from schemas.logs import configure_logs
    from worker.settings import PREFIX, WorkerSettings
    from worker.wiring import hide_memory, serve

    try:
        settings = WorkerSettings()  # type: ignore[call-arg]  # from the environment
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            print(f"{PREFIX}{name}: {problem['msg']}", file=sys.stderr)
        return 2
    configure_logs()
    hide_memory()
    import uvloop

    return uvloop.run(serve(settings))


def _try(arguments: argparse.Namespace) -> int:
    from schemas.logs import configure_logs
    from worker.exec import BadInput, list_tasks, read_inputs, run_task
    from worker.registry import discover

    os.environ.setdefault("REELGRAPH_LOG_LEVEL", "WARNING")  # the outcome says it all
    configure_logs()
    from_environment = os.environ.get("REELGRAPH_WORKER_TASK_PACKAGES", "worker.tasks")
    packages = tuple(arguments.package or (part.strip() for part in from_environment.split(",") if part.strip()))
    registry = discover(*packages)
    if arguments.command == "tasks":
        print(list_tasks(registry))
        return 0
    try:
        task = registry.get(arguments.task)
        text = sys.stdin.read() if arguments.params == "-" else Path(arguments.params).read_text(encoding="utf-8")
        params = json.loads(text)
        inputs = read_inputs(arguments.input, ports=dict(task.inputs))
    except (BadInput, KeyError, OSError, ValueError) as error:
        print(error.args[0] if isinstance(error, KeyError) else error, file=sys.stderr)
        return 2
    if arguments.checkpoint is not None and not arguments.checkpoint.is_file():
        print(f"{arguments.checkpoint} is not a file", file=sys.stderr)
        return 2
    return asyncio.run(
        run_task(task.name, params=params, inputs=inputs, packages=packages, out=arguments.out, device=arguments.device,
                 checkpoint=arguments.checkpoint)
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
