"""Finds templates by folder. Ours must be right; a bad one of the user is refused with the reason, the rest work."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from graphs.template_trial import NoSample, build_fault, fixed_tasks, sample_params
from schemas.builder import PlanBuilder
from schemas.diagnostics import Code, Diagnostic
from schemas.errors import ReelgraphError, UnsatisfiableGoal
from schemas.template import Template

BUILT_IN = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class RefusedTemplate:
    """A file of the user's folder that is not a usable template, where in it, and why."""

    path: Path
    reason: str
    line: int | None = None


@dataclass(frozen=True)
class Templates:
    """The usable templates by name, in the order in which the planner tries them, and the refused files."""

    by_name: dict[str, Template]
    refused: tuple[RefusedTemplate, ...] = ()

    def listed(self) -> dict[str, Any]:
        """Return the list as `GET /api/templates` answers it."""
        items = [
            {
                "name": template.name,
                "description": template.description,
                "makes": sorted(template.makes),
                "params": template.params.model_json_schema(),
            }
            for template in self.by_name.values()
        ]
        refused = [{"file": one.path.name, "line": one.line, "reason": one.reason} for one in self.refused]
        return {"items": items, "next": None, "refused": refused}


def load_templates(user_folder: Path | None = None) -> Templates:
    """Return our templates and those of `user_folder`, one file each; files that start with `_` are not templates.

    Each of the user's is built once with sample params: one that raises there would fail every goal it is chosen for.
    One that raises later, for what it is given, refuses that plan only.

    Raises:
        ValueError: one of our own files is wrong.
    """
    found: dict[str, Template] = {}
    for path in template_files(BUILT_IN):
        _add(found, load_template(path), path)
    if user_folder is None:
        return Templates(found)
    refused: list[RefusedTemplate] = []
    if not user_folder.is_dir():
        reason = f"the folder {user_folder.absolute()} does not exist: create it or change the setting"
        refused.append(RefusedTemplate(user_folder, reason))
    for path in template_files(user_folder):
        try:
            template = load_template(path)
            if (fault := _fault(template, path)) is not None:
                refused.append(fault)
                continue
            _add(found, _guarded(template, path), path)
        except (Exception, SystemExit) as error:
            refused.append(RefusedTemplate(path, f"{type(error).__name__}: {error}", line_of(error, path)))
    return Templates(found, tuple(refused))


def template_files(folder: Path) -> list[Path]:
    """Return the files of a folder that should be templates."""
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def load_template(path: Path) -> Template:
    """Return the one template that a file declares.

    Raises:
        ValueError: it declares none, or several. Whatever the file itself raises comes through.
    """
    return only_template(load_module(path), path)


def load_module(path: Path) -> ModuleType:
    """Execute a file as a module; one outside our own folder under a name that no other file has."""
    if path.parent == BUILT_IN:
        return importlib.import_module(f"graphs.templates.{path.stem}")
    name = f"user_template_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path.name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look annotations up here
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def only_template(module: ModuleType, path: Path) -> Template:
    """Return the one template of a module; ValueError when there is none or more than one."""
    declared = [value for value in vars(module).values() if isinstance(value, Template)]
    if len(declared) != 1:
        raise ValueError(
            f"{path.name} declares {len(declared)} templates: declare exactly one, a function decorated with @template"
        )
    return declared[0]


def line_of(error: BaseException, path: Path) -> int | None:
    """Return the line of `path` that an exception came from, the innermost one; None when it never was there."""
    if isinstance(error, SyntaxError) and error.filename == str(path.absolute()):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path.absolute())]
    return lines[-1] if lines else None


def _add(found: dict[str, Template], template: Template, path: Path) -> None:
    if template.name in found:
        raise ValueError(f"template {template.name!r} exists already: rename the one in {path.name}")
    found[template.name] = template


def _fault(template: Template, path: Path) -> RefusedTemplate | None:
    """Build with sample params. What a plan may lack at this moment, such as a worker, is no fault."""
    try:
        samples = sample_params(template.params)
    except NoSample:
        return None
    for sample in samples:
        builder = PlanBuilder(template.name, manifest=fixed_tasks())
        try:
            template.build(sample, builder)
            builder.build()
        except ReelgraphError:
            continue
        except Exception as error:
            return RefusedTemplate(path, build_fault(error, sample), line_of(error, path))
    return None


def _guarded(template: Template, path: Path) -> Template:
    """Return the template with a `build` whose own exceptions refuse the plan and name file and line."""

    def build(params: Any, b: PlanBuilder) -> None:
        try:
            template.build(params, b)
        except ReelgraphError:
            raise
        except Exception as error:
            place = f"{path.name}:{line_of(error, path) or 1}"
            message = f"the template {template.name!r} raises {type(error).__name__}: {error} ({place})"
            told = Diagnostic(code=Code.UNSATISFIABLE_GOAL, path="/template", message=message, hint="correct its file")
            raise UnsatisfiableGoal(message, path="/template", diagnostics=[told]) from error

    return replace(template, build=build)
