"""`templates`, `templates new|check|draw`: templates as their authors meet them. Only the plain list asks a stack."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compose import detached
from compose.commands.jobs import read_object
from compose.known_tasks import known_tasks
from compose.options import DEFAULT_DATA, Api, AsJson, Data, connect, own_command
from compose.plan_tree import tree
from compose.problems import problem
from compose.starter import starter_template
from compose.template_process import check_apart
from compose.terminal import say, say_json, table

if TYPE_CHECKING:
    from graphs.template_registry import Templates
    from schemas.capability import Manifest
    from schemas.diagnostics import Diagnostic
    from schemas.plan import Plan
    from schemas.template import Template

FOLDER_VARIABLE = "REELGRAPH_API_TEMPLATE_FOLDER"
DEFAULT_FOLDER = Path("my_templates")

Folder = Annotated[Path, typer.Option("--folder", envvar=FOLDER_VARIABLE, help="Folder of your templates.")]
Packages = Annotated[
    list[str] | None, typer.Option("--package", help="A package with tasks or nodes of yours; may be repeated.")
]
ManifestFile = Annotated[
    Path | None, typer.Option("--manifest", help="JSON file of more tasks, as GET /api/capabilities gives them.")
]

app = typer.Typer(help="List the graph templates; write, check and draw your own.")


@app.callback(invoke_without_command=True)
def templates(
    context: typer.Context,
    data: Data = DEFAULT_DATA,
    api: Api = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """List the graph templates and their params; write, check and draw your own.

    Without a command: those of the running stack, or without one those that are built in and those in --folder.
    """
    if context.invoked_subcommand is not None:
        return
    if api is not None or detached.running(data) is not None:
        listed = connect(data, api).get("/api/templates")
    else:
        listed = _load_all(folder).listed()
    if as_json:
        say_json(listed)
        return
    rows = (
        (one["name"], ", ".join(one["params"].get("properties", {})), one["description"].splitlines()[0])
        for one in listed["items"]
    )
    table(["template", "params", "what it does"], rows)
    for one in listed.get("refused", []):
        say(f"refused: {one['file']}:{one.get('line') or 1}: {one['reason']}")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name with a version, for example my_video_v1.")],
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Write a small working template into FOLDER/NAME.py, to be changed into yours."""
    from schemas.template import template

    try:
        template(name, description="Only to judge the name.", makes=["audio"])
    except ValueError as error:
        raise problem("validation_error", str(error), path="NAME", got=name, exit_code=2) from error
    if name in _load_all(folder).by_name:
        raise problem("conflict", f"there is a template {name!r} already", hint="choose another name")
    file = folder / f"{name}.py"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(starter_template(name))
    except FileExistsError as error:
        hint = "remove it, or choose another name"
        raise problem("conflict", f"{error.filename} exists and is not overwritten", hint=hint) from error
    except OSError as error:
        raise problem("not_writable", f"cannot write {file}: {error.strerror}", exit_code=2) from error
    if as_json:
        say_json({"name": name, "file": str(file)})
        return
    say(f"{file} is written. Next:")
    say(f"  {own_command()} templates check {file}")
    say(f"  {own_command()} templates draw {file}")
    say(f"  export {FOLDER_VARIABLE}={folder.absolute()}   # before `{own_command()} up`")


@app.command()
def check(
    target: Annotated[
        Path | None, typer.Argument(metavar="FILE or DIR", help="What to check; default the template folder.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
    package: Packages = None,
    manifest: ManifestFile = None,
    as_json: AsJson = False,
) -> None:
    """Say all that is wrong with template files, with file, line and reason; exit code 1 when one is bad.

    Each file is loaded in a process of its own, built with sample params, and its plans are judged against every task
    this machine knows, yours too if you name their --package or a --manifest.
    """
    from graphs.template_check import with_clashes
    from graphs.template_registry import BUILT_IN, load_templates

    files = _files(target or folder)
    tasks = known_tasks(packages=package or (), manifest_file=manifest)
    taken = [name for name in load_templates().by_name if files[0].parent.resolve() != BUILT_IN]
    checked = with_clashes([check_apart(file, manifest=tasks) for file in files], taken=taken)
    good = all(one.good for one in checked)
    if as_json:
        say_json({"ok": good, "files": [one.model_dump(mode="json") for one in checked]})
    else:
        for one in checked:
            if one.good:
                say(f"{one.path}: ok, {one.name}")
            for mistake in one.mistakes:
                remark = "" if mistake.severity == "error" else f"{mistake.severity}: "
                say(f"{one.path}:{mistake.line}: {remark}{mistake.reason}")
                if mistake.hint:
                    say(f"  hint: {mistake.hint}")
    if not good:
        raise typer.Exit(1)


@app.command()
def draw(
    which: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A template by name, or its file.")],
    params: Annotated[str, typer.Option(help="Params as JSON; samples stand for what is needed and not given.")] = "{}",
    as_mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flow chart.")] = False,
    as_json: AsJson = False,
    folder: Folder = DEFAULT_FOLDER,
    package: Packages = None,
    manifest: ManifestFile = None,
) -> None:
    """Show the plan that a template builds, as a tree, as Mermaid, or as the JSON that `submit --plan` takes."""
    from planner.mermaid import mermaid
    from planner.validator import validate

    if as_mermaid and as_json:
        raise problem("usage", "give one of --mermaid and --json", exit_code=2)
    tasks = known_tasks(packages=package or (), manifest_file=manifest)
    template = _find(which, folder)
    plan, notes = _built(template, read_object(params, "--params"), tasks)
    if as_json:
        say_json(plan.emitted())
    elif as_mermaid:
        say(mermaid(plan).rstrip())
    else:
        say(f"{template.name}: {template.description.splitlines()[0]}")
        say("\n".join(tree(plan)))
    for one in [*notes, *validate(plan, manifest=tasks)]:
        print(f"- {one.code}: {one.message}", file=sys.stderr)


def _files(target: Path) -> list[Path]:
    from graphs.template_registry import template_files

    if target.is_file():
        return [target]
    files = template_files(target) if target.is_dir() else []
    if not files:
        found = f"no template file is in {target}" if target.is_dir() else f"{target} does not exist"
        hint = f"write one with `{own_command()} templates new my_video_v1`"
        raise problem("not_found", found, hint=hint, exit_code=2)
    return files


def _load_all(folder: Path) -> Templates:
    """Return the built-in templates and those of the folder, where there is one."""
    from graphs.template_registry import load_templates

    with contextlib.redirect_stdout(sys.stderr):
        return load_templates(folder if folder.is_dir() else None)


def _find(which: str, folder: Path) -> Template:
    from graphs.template_registry import line_of, load_template
    from planner.rules.view import did_you_mean

    file = Path(which)
    if file.suffix != ".py":
        known = _load_all(folder).by_name
        if which not in known:
            hint = did_you_mean(which, known, otherwise="name its file, or its folder with --folder")
            raise problem("not_found", f"no template {which!r}", allowed=sorted(known), hint=hint, exit_code=2)
        return known[which]
    if not file.is_file():
        raise problem("not_found", f"{file} does not exist", exit_code=2)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return load_template(file)
    except (Exception, SystemExit) as error:
        reason = f"{file}:{line_of(error, file) or 1}: {type(error).__name__}: {error}"
        raise problem("bad_template", reason, hint=f"`{own_command()} templates check {file}` tells all") from error


def _built(template: Template, given: dict[str, Any], tasks: Manifest) -> tuple[Plan, list[Diagnostic]]:
    from graphs.template_registry import line_of
    from graphs.template_trial import NoSample, sample_params
    from schemas.builder import PlanBuilder
    from schemas.errors import ReelgraphError

    builder = PlanBuilder(template.name, manifest=tasks)
    try:
        (sample,) = sample_params(template.params, given, only_smallest=True)
        with contextlib.redirect_stdout(sys.stderr):
            template.build(sample, builder)
            return builder.build(), builder.notes
    except NoSample as error:
        known = sorted(template.params.model_fields)
        raise problem("validation_error", str(error), path="--params", allowed=known, exit_code=2) from error
    except ReelgraphError as error:
        unknown = any(one.code == "unknown_task" for one in error.body.diagnostics or [])
        hint = "tasks of yours: name their package with --package, or a manifest that has them with --manifest"
        raise problem(error.body.code, str(error), hint=hint if unknown else error.body.hint) from error
    except Exception as error:
        file = Path(template.build.__code__.co_filename)
        place = f"{file}:{line_of(error, file) or 1}"
        raise problem("bad_template", f"{place}: {template.name} raises {type(error).__name__}: {error}") from error
