"""Finds templates by folder. Ours must be right; a bad one of the user is refused with the reason, the rest work."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from schemas.template import Template

BUILT_IN = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class RefusedTemplate:
    """A file of the user's folder that is not a usable template, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Templates:
    """The usable templates by name, in the order in which the planner tries them, and the refused files."""

    by_name: dict[str, Template]
    refused: tuple[RefusedTemplate, ...] = ()


def load_templates(user_folder: Path | None = None) -> Templates:
    """Return our templates and those of `user_folder`, one file each; files that start with `_` are not templates.

    Raises:
        ValueError: one of our own files is wrong.
    """
    found: dict[str, Template] = {}
    for path in _files(BUILT_IN):
        _add(found, path, f"graphs.templates.{path.stem}")
    refused: list[RefusedTemplate] = []
    if user_folder is not None and not user_folder.is_dir():
        refused.append(RefusedTemplate(user_folder, "this folder does not exist: create it or change the setting"))
    for path in _files(user_folder) if user_folder is not None else ():
        digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
        try:
            _add(found, path, f"user_template_{path.stem}_{digest}")
        except (Exception, SystemExit) as error:
            refused.append(RefusedTemplate(path, f"{type(error).__name__}: {error}"))
    return Templates(found, tuple(refused))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def _add(found: dict[str, Template], path: Path, module_name: str) -> None:
    module = _module(path, module_name)
    declared = [value for value in vars(module).values() if isinstance(value, Template)]
    if len(declared) != 1:
        raise ValueError(
            f"{path.name} declares {len(declared)} templates: declare exactly one, a function decorated with @template"
        )
    if declared[0].name in found:
        raise ValueError(f"template {declared[0].name!r} exists already: rename the one in {path.name}")
    found[declared[0].name] = declared[0]


def _module(path: Path, name: str) -> ModuleType:
    if path.parent == BUILT_IN:
        return importlib.import_module(name)
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
