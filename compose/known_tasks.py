"""What a template may use, told without a running system: every task that this machine knows, as if all were live."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose.commands.jobs import read_object
from compose.problems import Problem, problem
from schemas.capability import Capability, Manifest
from schemas.errors import ReelgraphError

if TYPE_CHECKING:
    from graphs.registry import Node
    from worker.registry import Task

_VARIABLES = ("REELGRAPH_WORKER_TASK_PACKAGES", "REELGRAPH_API_NODE_PACKAGES")


def known_tasks(*, packages: Iterable[str] = (), manifest_file: Path | None = None) -> Manifest:
    """Return the fixed contracts, our tasks and nodes, those of `packages`, and what a manifest file says.

    Packages that the settings of worker and API name are taken along. The later one wins where two know a task; only
    the manifest file can say that a task is disabled.

    Raises:
        Problem: a package cannot be imported, or the file is not a manifest.
    """
    from graphs.template_trial import fixed_tasks

    named = [part.strip() for variable in _VARIABLES for part in os.environ.get(variable, "").split(",")]
    nodes, tasks = _registered([name for name in (*named, *packages) if name])
    given = _read(manifest_file) if manifest_file is not None else Manifest()
    fixed = fixed_tasks()
    return Manifest(
        node={**fixed.node, **{one.name: _of_node(one) for one in nodes}, **given.node},
        python={**fixed.python, **{one.name: _of_task(one) for one in tasks if one.function}, **given.python},
    )


def _registered(packages: list[str]) -> tuple[list[Node], list[Task]]:
    from graphs import registry as nodes
    from worker import registry as tasks

    known_tasks, known_nodes = tasks.discover("worker.tasks"), nodes.discover("graphs.nodes")
    for package in dict.fromkeys(packages):
        try:
            with contextlib.redirect_stdout(sys.stderr):
                tasks.discover(package)
        except (Exception, SystemExit) as error:
            raise problem(
                "bad_package",
                f"the package {package!r} cannot be loaded: {type(error).__name__}: {error}",
                hint="export PYTHONPATH with the folder that holds it" if isinstance(error, ImportError) else None,
                exit_code=2,
            ) from error
    return list(known_nodes.nodes.values()), list(known_tasks.tasks.values())


def _of_task(task: Task) -> Capability:
    variants = tuple(name for name in task.variants if name != "default")
    return _live(task, variants=variants or None, resources=task.resources, workers=1)


def _of_node(node: Node) -> Capability:
    return _live(node, slow=node.slow)


def _live(one: Task | Node, **facts: Any) -> Capability:
    return Capability(
        description=one.description,
        inputs=dict(one.inputs),
        outputs=dict(one.outputs),
        params=one.params.model_json_schema(),
        version=one.version,
        **facts,
    )


def _read(file: Path) -> Manifest:
    from planner.manifest import read_manifest

    try:
        document = read_object(file.read_text(encoding="utf-8"), "--manifest")
    except (OSError, UnicodeDecodeError) as error:
        raise problem("not_found", f"cannot read {file}: {error}", path="--manifest", exit_code=2) from error
    try:
        return read_manifest(document)
    except ReelgraphError as error:
        raise Problem(error.to_json()["error"], exit_code=2) from error
