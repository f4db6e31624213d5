"""`python -m worker exec` and `tasks`: one task without any service."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def worker(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "worker", *words], cwd=ROOT, input=stdin, capture_output=True, text=True, check=False
    )


def test_exec_prints_the_outcome_and_keeps_the_files(tmp_path: Path) -> None:
    ended = worker(
        "exec", "test_write_file", "-", "--package", "tests.tasks_for_tests", "--out", str(tmp_path / "out"),
        stdin='{"text": "made"}',
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    assert outcome["type"] == "succeeded"
    assert Path(outcome["outputs"]["file"]["path"]).read_text() == "made"


def test_exec_says_what_was_wrong(tmp_path: Path) -> None:
    ended = worker("exec", "test_noop", "-", "--package", "tests.tasks_for_tests", stdin='{"ticks": -1}')
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["failure"]["code"] == "invalid_param"
    ended = worker("exec", "no_such_task", "-", "--package", "tests.tasks_for_tests", stdin="{}")
    assert ended.returncode == 2
    assert "known: " in ended.stderr


def test_tasks_lists_what_can_run_and_why_not() -> None:
    listed = worker("tasks").stdout
    assert "train_lora" in listed
    assert "no diffusion base model is configured" in listed


def test_the_supervisor_imports_no_model_code() -> None:
    heavy = ("torch", "numpy", "av", "cv2", "langgraph")
    code = f"import sys, worker.wiring; print([name for name in {heavy} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
