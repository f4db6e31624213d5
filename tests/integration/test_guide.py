"""The guide to a first template does what it says: one shell goes through the whole page, on a real stack.

Before the stack starts a broken template lies beside the good one: it is refused with its reason, the good one works.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "first-template.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- (run|file): (\S+) -->\n```\w+\n(.*?)```", GUIDE, re.DOTALL)
SHOWN_TREE = re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL)[0]
_MARK = "=== "
_BROKEN = "printf 'limit = 3\\nimport no_such_module\\n' > my_templates/broken_v1.py"


def script() -> str:
    """Return the page as one shell script: a file block is written, a run block run after a line with its name."""
    parts = [
        f"cat > {name} <<'END_OF_FILE'\n{text}END_OF_FILE\n" if kind == "file" else f"echo '{_MARK}{name}'\n{text}"
        for kind, name, text in BLOCKS
    ]
    started = next(place for place, (_, name, _) in enumerate(BLOCKS) if name == "job")
    return "\n".join([*parts[:started], _BROKEN, *parts[started:]])


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each run block printed; `folder` is where."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / ".venv").symlink_to(Path(sys.executable).parent.parent)
    outer = {name: value for name, value in os.environ.items() if not name.startswith("REELGRAPH_")}
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script()],
            cwd=folder, env={**outer, "OMP_NUM_THREADS": "2"}, capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip
    finally:
        subprocess.run([".venv/bin/reelgraph", "down"], cwd=folder, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    parts = re.split(rf"^{_MARK}(\w+)\n", done.stdout, flags=re.MULTILINE)
    return {**dict(zip(parts[1::2], parts[2::2], strict=True)), "folder": str(folder)}


def test_the_blocks_of_the_page_are_all_run(shown: dict[str, str]) -> None:
    assert list(shown) == ["place", "try", "new", "check", "job", "rest", "goal", "folder"]


def test_the_task_draws_its_picture_without_a_stack(shown: dict[str, str]) -> None:
    from PIL import Image

    assert '"succeeded"' in shown["try"]
    with Image.open(Path(shown["folder"]) / "out" / "poster.png") as picture:
        assert picture.size == (800, 600)
        assert picture.getpixel((5, 5)) == (0, 128, 128)


def test_the_template_is_good_and_drawn_as_the_page_shows(shown: dict[str, str]) -> None:
    assert "poster_v1.py: ok, poster_v1" in shown["check"]
    assert shown["check"].endswith(SHOWN_TREE)


def test_the_stack_takes_the_template_from_the_folder_and_runs_it(shown: dict[str, str]) -> None:
    assert "poster_v1" in shown["job"]
    assert re.search(r"^poster +completed +100%", shown["job"], re.MULTILINE)


def test_a_broken_template_is_refused_at_start_with_its_reason(shown: dict[str, str]) -> None:
    assert "refused: broken_v1.py:2: ModuleNotFoundError: No module named 'no_such_module'" in shown["job"]
    log = (Path(shown["folder"]) / ".reelgraph" / "logs" / "api.log").read_text()
    (line,) = [line for line in log.splitlines() if "template.refused" in line]
    assert "broken_v1.py" in line
    assert "no_such_module" in line


def test_the_picture_that_the_rest_calls_bring_is_the_poster_of_the_job(shown: dict[str, str]) -> None:
    from PIL import Image

    assert " completed" in shown["rest"].splitlines()[-1]
    with Image.open(Path(shown["folder"]) / "poster.png") as picture:
        assert picture.getpixel((5, 5)) == (0, 128, 128)
        colors = picture.getcolors(1_000_000)
    assert colors is not None
    assert len(colors) > 10, "no letters are on it"


def test_a_goal_finds_the_template(shown: dict[str, str]) -> None:
    assert "draw_poster" in shown["goal"]
