"""`reelgraph`: the command line. Each family of commands has its file in `compose/commands/`."""

from __future__ import annotations

import sys

import typer

from compose.commands import demo, doctor, inspect, jobs, models, stack, submit, templates
from compose.problems import Problem, problem
from compose.terminal import complain

INTERRUPTED = 130

app = typer.Typer(
    name="reelgraph",
    help="Turn a goal into a validated graph, run it, and watch every step.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    stack.up, stack.down, demo.demo, doctor.doctor, submit.submit, jobs.watch, submit.plan, jobs.jobs,
    jobs.cancel, jobs.retry, jobs.approve, inspect.inspect, stack.worker, stack.logs, models.models,
):  # fmt: skip
    app.command()(command)
app.add_typer(templates.app, name="templates")


def main(argv: list[str] | None = None) -> int:
    """Run one command, as `reelgraph` does; return 0, 1 (it failed), 2 (called wrongly) or 130 (interrupted)."""
    words = sys.argv[1:] if argv is None else argv
    try:
        result = app(words, standalone_mode=False)
    except Problem as trouble:
        complain(trouble, as_json="--json" in words)
        return trouble.exit_code
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        complain(problem("usage", _told_by(error), hint="try --help", exit_code=2), as_json="--json" in words)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return 1
    return result if isinstance(result, int) else 0


def _told_by(error: typer.TyperException) -> str:
    format_message = getattr(error, "format_message", None)
    return str(format_message() if format_message is not None else error) or "wrong usage"


if __name__ == "__main__":
    sys.exit(main())
