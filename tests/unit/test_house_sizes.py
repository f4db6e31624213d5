"""The house rules about files: small, and every package marker only says what the package is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("schemas", "planner", "graphs", "worker", "control_api", "compose", "tests", "bench")
MOST_LINES = 400
FEWEST_FILES = 300


def sources() -> list[Path]:
    python = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return python + list((ROOT / "web" / "static").rglob("*.js"))


def length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_the_walk_sees_the_whole_house() -> None:
    assert len(sources()) >= FEWEST_FILES
    assert any(path.suffix == ".js" for path in sources())


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    too_long = {str(path.relative_to(ROOT)): length(path) for path in sources() if length(path) > MOST_LINES}
    assert too_long == {}


def test_a_package_marker_holds_one_sentence_and_nothing_else() -> None:
    wrong = []
    for path in sources():
        if path.name != "__init__.py":
            continue
        body = ast.parse(path.read_text(encoding="utf-8")).body
        said = ast.get_docstring(ast.Module(body=body, type_ignores=[])) if body else None
        if len(body) != 1 or not said:
            wrong.append(str(path.relative_to(ROOT)))
    assert wrong == []


@pytest.mark.parametrize("folder", ["graphs/nodes", "graphs/templates", "worker/tasks"])
def test_what_is_discovered_by_folder_is_one_thing_a_file(folder: str) -> None:
    """A task, a node, a template: one file each. Files that start with `_` hold what several share."""
    wrong = {}
    for path in (ROOT / folder).glob("*.py"):
        if not path.name.startswith("_"):
            count = registrations(ast.parse(path.read_text(encoding="utf-8")))
            if count != 1:
                wrong[path.name] = count
    assert wrong == {}


def registrations(tree: ast.Module) -> int:
    calls = [node.value for node in tree.body if isinstance(node, ast.Expr)]
    calls += [mark for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
              for mark in node.decorator_list]  # fmt: skip
    names = [call.func.id for call in calls if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)]
    return sum(name in {"node", "task", "template", "missing"} for name in names)
