"""The command line against a real stack, as a script would use it (`--json`) and as a person would (Ctrl-C)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.live_stack import ROOT, LiveStack, until
from tests.oracle import processes_of

pytestmark = pytest.mark.slow


def reelgraph(stack: LiveStack, *words: str, exit_code: int = 0) -> list[Any]:
    """Run a command with `--json` and return the JSON documents it printed, one a line."""
    done = subprocess.run(
        [sys.executable, "-m", "compose.cli", *words, "--data", str(stack.data), "--json"],
        capture_output=True, text=True, cwd=ROOT, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == exit_code, (done.returncode, done.stdout, done.stderr)
    return [json.loads(line) for line in (done.stdout or done.stderr).splitlines() if line.strip()]


def plan_file(folder: Path, task: str, **params: Any) -> Path:
    """Write a plan of one node."""
    node = {"id": "only", "task": task, "plane": "python", "params": params, "max_attempts": 1}
    file = folder / "plan.json"
    file.write_text(json.dumps({"workflow_id": "cli", "nodes": [node], "edges": []}))
    return file


def test_a_submitted_plan_is_watched_to_its_end_and_listed(stack: LiveStack, tmp_path: Path) -> None:
    (accepted,) = reelgraph(stack, "submit", "--plan", str(plan_file(tmp_path, "test_noop", ticks=3)))
    events = reelgraph(stack, "watch", accepted["jobId"])
    assert events[0]["type"] == "snapshot"
    assert events[-1].get("status") == "completed"
    (page,) = reelgraph(stack, "jobs", "--status", "completed")
    assert accepted["jobId"] in [one["jobId"] for one in page["items"]]


def test_a_long_job_is_cancelled(stack: LiveStack, tmp_path: Path) -> None:
    file = plan_file(tmp_path, "test_noop", ticks=1000, pause_s=0.05)
    (accepted,) = reelgraph(stack, "submit", "--plan", str(file))
    (answer,) = reelgraph(stack, "cancel", accepted["jobId"])
    assert answer["status"] in {"cancelling", "cancelled"}
    *_, problem = reelgraph(stack, "watch", accepted["jobId"], exit_code=1)
    assert "cancelled" in json.dumps(problem)


def test_a_failed_job_says_why_and_is_retried(stack: LiveStack, tmp_path: Path) -> None:
    (accepted,) = reelgraph(stack, "submit", "--plan", str(plan_file(tmp_path, "test_fail")))
    *_, problem = reelgraph(stack, "watch", accepted["jobId"], exit_code=1)
    assert "test_failure" in json.dumps(problem)
    (answer,) = reelgraph(stack, "retry", accepted["jobId"])
    assert answer["status"] == "running"
    reelgraph(stack, "watch", accepted["jobId"], exit_code=1)
    types = [one["type"] for one in stack.get(f"/api/jobs/{accepted['jobId']}/events?after=0")["items"]]
    assert types.count("job.failed") == 2


def test_a_goal_is_planned_without_running_it(stack: LiveStack) -> None:
    before = len(stack.get("/api/jobs?limit=100")["items"])
    (plan,) = reelgraph(stack, "plan", "Make a 10 second video about volcanoes")
    assert {"script.generateScript", "render_video"} <= {node["task"] for node in plan["graph"]["nodes"]}
    assert len(stack.get("/api/jobs?limit=100")["items"]) == before


def test_templates_and_the_doctor_answer_in_json(stack: LiveStack) -> None:
    (templates,) = reelgraph(stack, "templates")
    assert {"generate_v1", "train_and_generate_v1"} <= {one["name"] for one in templates["items"]}
    (found,) = reelgraph(stack, "doctor")
    assert found["ok"], [one for one in found["checks"] if not one["ok"]]


def test_an_unknown_job_is_one_error_with_a_code(stack: LiveStack) -> None:
    (problem,) = reelgraph(stack, "watch", "00000000-0000-0000-0000-000000000000", exit_code=1)
    assert problem["error"]["code"] == "not_found"


def test_ctrl_c_while_a_demo_renders_leaves_no_process(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    tmp_path.chmod(0o777)
    data = tmp_path / "data"
    demo = subprocess.Popen(
        [sys.executable, "-m", "compose.cli", "demo", "--data", str(data)],
        env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert demo.stdout is not None
    lines: list[str] = []
    for line in demo.stdout:
        lines.append(line)
        if line.startswith("job "):
            break
    assert demo.poll() is None, lines
    demo.send_signal(signal.SIGINT)
    rest = demo.communicate(timeout=60)[0]
    assert demo.returncode == 130, [*lines, rest]
    until(lambda: not processes_of(f"TMPDIR={tmp_path}"), within_s=5, what="every process ends")
