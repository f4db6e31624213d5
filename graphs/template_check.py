"""Checks one template file as an author wants it: every mistake at once, each with its line and what to do.

It executes the file, so it runs in a process of its own (`compose/template_process.py`). The rules for plans are the
planner's; they are passed in.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

import schemas.template
from graphs.template_registry import line_of, load_module, only_template
from graphs.template_trial import NoSample, TrialBuilder, build_fault, sample_params
from schemas.brief import Deliverable
from schemas.builder import PlanBuilder
from schemas.capability import Manifest
from schemas.contracts.table import advertised
from schemas.diagnostics import Code, Diagnostic, Severity
from schemas.errors import UnsatisfiableGoal
from schemas.plan import Plan
from schemas.template import BuildFunction, Template, TemplateParams

Validate = Callable[[Plan, Manifest], list[Diagnostic]]
_OWN_TASK = (
    "a task of yours is known once its package is named with --package, or a manifest that has it with --manifest"
)
_SAMPLE_HINT = "say it with Field(examples=[...]), or let the field allow what its type and bounds allow"


class Mistake(BaseModel):
    """One thing that is wrong with a file, or worth a look (`warning`). `line` counts from 1."""

    model_config = ConfigDict(frozen=True)

    line: int
    reason: str
    hint: str | None = None
    severity: Severity = Severity.ERROR


class CheckedFile(BaseModel):
    """A file, the name of the template that it declares (at `line`), and all that is wrong with it."""

    model_config = ConfigDict(frozen=True)

    path: Path
    name: str | None = None
    line: int = 1
    mistakes: tuple[Mistake, ...] = ()

    @property
    def good(self) -> bool:
        return all(one.severity is not Severity.ERROR for one in self.mistakes)


def check_file(path: Path, *, manifest: Manifest, validate: Validate) -> CheckedFile:
    """Load a file, build its template with sample params, and judge the plans under `manifest`."""
    declarations = Declarations(path)
    mistakes: list[Mistake] = []
    real, schemas.template.template = schemas.template.template, declarations  # what the file imports
    try:
        module = load_module(path)
    except (Exception, SystemExit) as error:
        mistakes.append(Mistake(line=line_of(error, path) or 1, reason=f"{type(error).__name__}: {error}"))
        module = None
    finally:
        schemas.template.template = real
    usable, wrong = declarations.usable, declarations.mistakes
    if module is not None and not wrong:
        try:
            usable = [only_template(module, path)]
        except ValueError as error:
            usable, wrong = [], [Mistake(line=declarations.lines[-1] if declarations.lines else 1, reason=str(error))]
    mistakes += wrong
    for template in usable if module is not None else ():
        mistakes += _built(template, path, manifest, validate)
    return CheckedFile(
        path=path,
        name=declarations.names[0] if declarations.names else None,
        line=declarations.lines[0] if declarations.lines else 1,
        mistakes=tuple(sorted(dict.fromkeys(mistakes), key=lambda one: one.line)),
    )


def with_clashes(files: Iterable[CheckedFile], *, taken: Iterable[str]) -> list[CheckedFile]:
    """Return the files, each with a mistake added where its name is one of `taken` or that of an earlier file."""
    owners = dict.fromkeys(taken, "one of the built-in templates")
    found: list[CheckedFile] = []
    for file in files:
        if file.name is not None and file.name in owners:
            reason = f"the name {file.name!r} is taken by {owners[file.name]}"
            clash = Mistake(line=file.line, reason=reason, hint="give this template another name")
            file = file.model_copy(update={"mistakes": (clash, *file.mistakes)})
        elif file.name is not None:
            owners[file.name] = file.path.name
        found.append(file)
    return found


@dataclass
class Declarations:
    """Stands in for `@template` while one file is loaded: notes every mistake, the decorator stops at the first."""

    path: Path
    names: list[str] = field(default_factory=list[str])
    lines: list[int] = field(default_factory=list[int])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
    usable: list[Template] = field(default_factory=list[Template])
    _declare: Callable[..., Callable[[BuildFunction], Template]] = schemas.template.template

    def __call__(self, *words: Any, **options: Any) -> Callable[[BuildFunction], Any]:
        here = inspect.currentframe()
        caller = here.f_back if here is not None else None
        if caller is None or caller.f_code.co_filename != str(self.path):
            return self._declare(*words, **options)  # another template that this file imports
        self.lines.append(caller.f_lineno)
        try:
            given = inspect.signature(self._declare).bind(*words, **options).arguments
        except TypeError as error:
            self._note(f'@template: {error}; write @template("my_video_v1", description="...", makes=["video"])')
            return lambda build: build
        name, makes = given["name"], given["makes"]
        if isinstance(makes, str):
            self._note(f"makes is a list: write makes=[{makes!r}]")
            given["makes"] = [makes]
        self.names.append(str(name))
        good: dict[str, Any] = {"name": "checked_v1", "description": "Checked.", "makes": ["video"]}
        tried = {one: self._tried({**good, one: given[one]}, _nothing, name=name) for one in good}

        def declare(build: BuildFunction) -> Any:
            declared, making = self._tried(good, build, name=name), tried["makes"]
            if declared is None:
                return build
            known = making.makes if making is not None else frozenset[Deliverable]()
            self.usable.append(Template(name, given["description"], known, declared.params, build))
            return self.usable[-1]

        return declare

    def _tried(self, options: dict[str, Any], build: BuildFunction, *, name: Any) -> Template | None:
        try:
            return self._declare(**options)(build)
        except Exception as error:
            self._note(str(error).replace(repr(options["name"]), repr(name)))
            return None

    def _note(self, reason: str) -> None:
        self.mistakes.append(Mistake(line=self.lines[-1], reason=reason))


def _nothing(params: TemplateParams, b: PlanBuilder) -> None:
    """A function with the right signature."""


def _built(template: Template, path: Path, manifest: Manifest, validate: Validate) -> Iterator[Mistake]:
    start = template.build.__code__.co_firstlineno
    try:
        samples = sample_params(template.params)
    except NoSample as error:
        for name, why in error.fields.items():
            line = _line_of_field(path, template.params.__name__, name.partition(".")[0]) or start
            yield Mistake(line=line, reason=f"no sample for the param {name!r}: {why}", hint=_SAMPLE_HINT)
        return
    kinds: set[str] = set()
    said: set[tuple[int, str]] = set()
    for sample in reversed(samples):
        builder = TrialBuilder(template.name, manifest=manifest, file=str(path))
        try:
            template.build(sample, builder)
            plan = builder.build()
        except UnsatisfiableGoal as error:
            missing = [item for item in error.body.diagnostics or [] if item.code in _NOT_LIVE]
            yield from _missing(missing, builder, manifest, start)
            if not missing:
                yield Mistake(line=line_of(error, path) or start, reason=build_fault(error, sample))
            return
        except Exception as error:
            yield Mistake(line=line_of(error, path) or start, reason=build_fault(error, sample))
            return
        for item in validate(plan, manifest):
            line = _line_of_place(plan, item.path, builder) or start
            if sample is samples[-1] or item.code is not Code.MISSING_INPUT:
                yield Mistake(line=line, reason=_said(item), hint=item.hint)
            elif (line, _said(item)) not in said:  # what may be left out is needed: an honest refusal, or forgotten
                reason = f"refused when it is given no more than it must: {_said(item)}"
                yield Mistake(line=line, reason=reason, severity=Severity.WARNING)
            said.add((line, _said(item)))
        kinds |= _kinds(plan, manifest)
    for made in sorted(template.makes):
        if made.kind not in kinds:
            reason = f"it says that it makes {made.value!r}, and no node of it yields the kind {made.kind!r}"
            yield Mistake(line=start, reason=reason, hint=f"it yields: {', '.join(sorted(kinds))}")


_NOT_LIVE = {Code.TASK_DISABLED, Code.UNKNOWN_TASK}


def _missing(missing: list[Diagnostic], builder: TrialBuilder, manifest: Manifest, start: int) -> Iterator[Mistake]:
    for item in missing:
        task = str(item.got)
        line = builder.lines_of_tasks.get(task, start)
        if item.code is Code.TASK_DISABLED:
            yield Mistake(line=line, reason=item.message)
        else:
            yield Mistake(line=line, reason=f"there is no task {task!r}", hint=_near(task, manifest))


def _kinds(plan: Plan, manifest: Manifest) -> set[str]:
    found = [advertised(manifest, node.task) for node in plan.nodes]
    outputs = [one.capability.outputs or {} for one in found if one is not None]
    return {port.kind_of(name) for ports in outputs for name, port in ports.items()}


def _said(item: Diagnostic) -> str:
    return f"{item.message} ({item.code.value} at {item.path})"


def _near(task: str, manifest: Manifest) -> str:
    import difflib

    near = difflib.get_close_matches(task, [*manifest.node, *manifest.python], n=1, cutoff=0.7)
    return f"did you mean {near[0]!r}? {_OWN_TASK.capitalize()}" if near else _OWN_TASK


def _line_of_place(plan: Plan, pointer: str, builder: TrialBuilder) -> int | None:
    """Return the line that added the node, or the target of the edge, that a JSON pointer leads to."""
    parts = pointer.split("/")[1:3]
    if len(parts) < 2 or not parts[1].isdigit():
        return None
    place = int(parts[1])
    if parts[0] == "nodes" and place < len(plan.nodes):
        return builder.lines.get(plan.nodes[place].id)
    if parts[0] == "edges" and place < len(plan.edges):
        return builder.lines.get(plan.edges[place].target)
    return None


def _line_of_field(path: Path, class_name: str, name: str) -> int | None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id == name:
                    return item.lineno
    return None
