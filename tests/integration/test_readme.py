"""README and guide do what they say: their files work as they stand there, the commands run on a real stack."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphs.template_registry import load_templates

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"<!-- (run|file): (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
BLOCKS = {(kind, name): text for kind, name, text in _BLOCK.findall(README)}
FILES = [name for kind, name in BLOCKS if kind == "file"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's folder: the README's files, and an environment where README says one is."""
    made = tmp_path_factory.mktemp("readme")
    for name in FILES:
        path = made / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(BLOCKS["file", name])
    (made / "my_tasks" / "__init__.py").touch()
    (made / ".venv").symlink_to(Path(sys.executable).parent.parent)
    yield made
    run(".venv/bin/reelgraph down", made)


def run(commands: str, folder: Path) -> str:
    """Run commands as a person would and return what they print; one failing command fails the test."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith("REELGRAPH_")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder, env={**outer, "OMP_NUM_THREADS": "2"}, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_the_marked_blocks_are_all_there() -> None:
    assert {name for kind, name in BLOCKS if kind == "run"} == {"cli", "rest", "exec", "own"}
    assert FILES == ["my_tasks/play_chime.py", "my_templates/chime_v1.py"]


def test_the_template_of_the_readme_is_accepted(folder: Path) -> None:
    found = load_templates(folder / "my_templates")
    assert found.refused == ()
    assert "chime_v1" in found.by_name


def test_the_task_of_the_readme_makes_its_file_without_a_stack(folder: Path) -> None:
    assert '"succeeded"' in run(BLOCKS["run", "exec"], folder)
    assert (folder / "out" / "chime.wav").stat().st_size > 90_000


def test_the_control_node_of_the_guide_is_accepted_and_counts(tmp_path: Path) -> None:
    [(_, name, source)] = _BLOCK.findall(GUIDE)
    (tmp_path / "my_nodes").mkdir()
    (tmp_path / "my_nodes" / "__init__.py").touch()
    (tmp_path / name).write_text(source)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    shown = run(
        """PYTHONPATH=$PWD .venv/bin/python -c '
import asyncio
from graphs.registry import Params, discover
node = discover("my_nodes").get("text.countWords")
assert node.capability().enabled
print(asyncio.run(node.function(None, Params(), {"text": "one two three"})))'""",
        tmp_path,
    )
    assert shown.strip() == "{'count': 3}"


@pytest.mark.slow
def test_the_task_and_template_of_the_readme_run_as_a_job(folder: Path) -> None:
    shown = run(BLOCKS["run", "own"] + "\n.venv/bin/reelgraph jobs --json\n.venv/bin/reelgraph down", folder)
    assert '"status": "completed"' in shown or '"status":"completed"' in shown


@pytest.mark.slow
def test_the_commands_of_the_readme_run_as_written(folder: Path) -> None:
    shown = run(BLOCKS["run", "cli"], folder)
    assert "render_video" in shown
    assert "stopped" in shown


@pytest.mark.slow
def test_the_rest_calls_of_the_readme_run_as_written(folder: Path) -> None:
    shown = run(BLOCKS["run", "rest"], folder)
    assert "job.queued" in shown
    assert '"cancelling"' in shown or '"cancelled"' in shown
