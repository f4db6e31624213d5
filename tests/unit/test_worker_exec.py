"""`python -m worker exec` and `tasks`: one task without any service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def worker(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "worker", *words], cwd=ROOT, input=stdin, capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_exec_prints_the_outcome_and_keeps_the_files(tmp_path: Path) -> None:
    ended = worker(
        "exec", "test_write_file", "-", "--package", "tests.tasks_for_tests", "--out", str(tmp_path / "out"),
        stdin='{"text": "made"}',
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    assert outcome["type"] == "succeeded"
    assert Path(outcome["outputs"]["file"]["path"]).read_text() == "made"


def test_exec_goes_on_from_what_an_earlier_run_kept(tmp_path: Path) -> None:
    words = ("exec", "test_count", "-", "--package", "tests.tasks_for_tests", "--out", str(tmp_path))
    first = worker(*words, stdin='{"steps": 17, "pause_s": 0}')
    assert "after step 15" in first.stderr
    again = worker(*words, "--checkpoint", str(tmp_path / "checkpoint.json"), stdin='{"steps": 17, "pause_s": 0}')
    ended, resumed = (json.loads(each.stdout)["outputs"]["value"] for each in (first, again))
    assert (ended["began_at"], resumed["began_at"]) == (0, 15)
    assert resumed["digest"] == ended["digest"]
    lost = worker(*words, "--checkpoint", str(tmp_path / "none"), stdin="{}")
    assert (lost.returncode, "is not a file" in lost.stderr) == (2, True)


def test_exec_says_what_was_wrong(tmp_path: Path) -> None:
    ended = worker("exec", "test_noop", "-", "--package", "tests.tasks_for_tests", stdin='{"ticks": -1}')
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["failure"]["code"] == "invalid_param"
    ended = worker("exec", "no_such_task", "-", "--package", "tests.tasks_for_tests", stdin="{}")
    assert ended.returncode == 2
    assert "known: " in ended.stderr


def test_tasks_lists_what_can_run_and_why_not() -> None:
    listed = worker("tasks", REELGRAPH_MODELS="/nonexistent").stdout
    assert "train_lora" in listed
    assert "train_lora needs Stable Diffusion XL" in listed


def test_the_supervisor_imports_no_model_code() -> None:
    heavy = ("torch", "numpy", "av", "cv2", "langgraph")
    code = f"import sys, worker.wiring; print([name for name in {heavy} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
