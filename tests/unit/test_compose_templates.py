"""`reelgraph templates` without a stack: list, write, check and draw, for people and for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compose.cli import main
from compose.plan_tree import tree
from schemas.plan import Plan

TASK = '''"""A task of a user."""

from schemas.capability import port
from worker.context import TaskContext
from worker.registry import Inputs, Outputs, Params, task


@task("say_it", description="Say it.", inputs={"text": port("string", "text")}, outputs={"audio": port("object", "audio")})
def say_it(ctx: TaskContext, params: Params, inputs: Inputs) -> Outputs:
    return {}
'''
TEMPLATE = '''"""A template of a user."""

from schemas.builder import PlanBuilder
from schemas.template import TemplateParams, template


class Params(TemplateParams):
    topic: str


@template("own_v1", description="Say it.", makes=["audio"])
def build(params: Params, b: PlanBuilder) -> None:
    b.add("say", "say_it", inputs={"text": b.request("topic", params.topic)})
'''


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("REELGRAPH_API_TEMPLATE_FOLDER", "REELGRAPH_WORKER_TASK_PACKAGES", "REELGRAPH_API_NODE_PACKAGES"):
        monkeypatch.delenv(name, raising=False)


def answer(capsys: pytest.CaptureFixture[str], *words: str, exit_code: int = 0) -> Any:
    """Run a command with `--json` and return what it printed."""
    assert main(["templates", *words, "--json"]) == exit_code
    return json.loads(capsys.readouterr().out)


def test_a_written_template_is_good_and_builds_a_plan_that_can_be_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "new", "talk_v1") == {"name": "talk_v1", "file": "my_templates/talk_v1.py"}
    checked = answer(capsys, "check")
    assert checked["ok"]
    assert [one["name"] for one in checked["files"]] == ["talk_v1"]
    plan = Plan.model_validate(answer(capsys, "draw", "talk_v1", "--params", '{"topic": "bees"}'))
    assert [node.task for node in plan.nodes][:2] == ["script.generateScript", "synthesize_speech"]
    assert plan.context == {"topic": "bees"}
    assert main(["templates", "draw", "my_templates/talk_v1.py", "--mermaid"]) == 0
    assert capsys.readouterr().out.startswith("flowchart LR\n")


@pytest.mark.parametrize(
    ("name", "says", "exit_code"),
    [("My Video", "snake_case", 2), ("generate_v1", "already", 1), ("talk_v1", "already", 1), ("", "snake_case", 2)],
)
def test_a_bad_or_taken_name_is_refused(
    name: str, says: str, exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(capsys, "new", "talk_v1")
    assert says in answer(capsys, "new", name, exit_code=exit_code)["error"]["message"]


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine" / "talk_v1.py"
    file.parent.mkdir()
    file.write_text("# mine\n")
    assert "not overwritten" in answer(capsys, "new", "talk_v1", "--folder", "mine", exit_code=1)["error"]["message"]
    assert file.read_text() == "# mine\n"


def test_the_list_without_a_stack_has_ours_the_users_and_the_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(TEMPLATE)
    (tmp_path / "bad.py").write_text("print('noise')\nimport no_such_module\n")
    listed = answer(capsys, "--folder", str(tmp_path))
    assert [one["name"] for one in listed["items"]] == ["generate_v1", "train_and_generate_v1", "own_v1"]
    assert [(one["file"], one["line"]) for one in listed["refused"]] == [("bad.py", 2)]
    assert main(["templates", "--folder", str(tmp_path)]) == 0
    assert "refused: bad.py:2: ModuleNotFoundError" in capsys.readouterr().out


def test_a_bad_file_is_told_with_path_and_line_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.py").write_text(TEMPLATE)
    assert main(["templates", "check", "own.py"]) == 1
    printed = capsys.readouterr().out
    assert "own.py:13: there is no task 'say_it'" in printed
    assert "--package" in printed


def test_a_task_of_the_user_is_known_by_its_package_or_by_a_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(TEMPLATE)
    entry = {"inputs": {"text": {"type": "string", "kind": "text"}}, "outputs": {"audio": {"type": "object"}}}
    (tmp_path / "manifest.json").write_text(json.dumps({"python": {"say_it": entry}}))
    assert answer(capsys, "check", "own.py", "--manifest", "manifest.json")["ok"]
    (tmp_path / "own_tasks").mkdir()
    (tmp_path / "own_tasks" / "__init__.py").touch()
    (tmp_path / "own_tasks" / "say_it.py").write_text(TASK)
    done = subprocess.run(
        [sys.executable, "-m", "compose.cli", "templates", "draw", "own.py", "--package", "own_tasks"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "own_v1: Say it.\nsay  say_it  worker  text <- request.topic\n", done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        (["check"], 2, "does not exist"),
        (["check", "."], 2, "no template file"),
        (["check", "own.py", "--manifest", "none.json"], 2, "cannot read"),
        (["check", "own.py", "--manifest", "own.py"], 2, "not JSON"),
        (["check", "own.py", "--manifest", "list.json"], 2, "not a JSON object"),
        (["check", "own.py", "--package", "no_such_package"], 2, "'no_such_package' cannot be loaded"),
        (["draw", "generate_v2"], 2, "no template 'generate_v2'"),
        (["draw", "none.py"], 2, "does not exist"),
        (["draw", "generate_v1", "--params", "[]"], 2, "not a JSON object"),
        (["draw", "generate_v1", "--params", '{"duratoin": 1}'], 2, "duratoin"),
        (["draw", "own.py"], 1, "say_it"),
        (["draw", "sub/raises.py"], 1, "raises.py:13: own_v1 raises AttributeError"),
        (["draw", "sub/broken.py"], 1, "broken.py:2: ModuleNotFoundError"),
    ],
)
def test_a_call_that_cannot_be_served_says_why(
    words: list[str], exit_code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sub").mkdir()
    if words != ["check", "."]:
        (tmp_path / "own.py").write_text(TEMPLATE)
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "sub" / "raises.py").write_text(TEMPLATE.replace("params.topic", "params.topik"))
    (tmp_path / "sub" / "broken.py").write_text("print('noise')\nimport no_such_module\n")
    assert says in answer(capsys, *words, exit_code=exit_code)["error"]["message"]


def test_a_plan_is_drawn_as_a_tree_with_every_node_once() -> None:
    nodes = [
        {"id": "a", "task": "make", "plane": "node", "inputs": {"text": "request.topic"}},
        {"id": "b", "task": "cut", "plane": "python", "inputs": {"text": "a.text"}, "params": {"times": 2}},
        {"id": "c", "task": "fold", "plane": "python", "foreach": "a.list"},
        {"id": "d", "task": "join", "plane": "node", "inputs": {"x": "c.x"}},
    ]
    edges = [{"from": one, "to": other} for one, other in ("ab", "ac", "bd", "cd")]
    drawn = tree(Plan.model_validate({"workflow_id": "w", "nodes": nodes, "edges": edges}))
    assert drawn == [
        "a        make         api     text <- request.topic",
        "├─ b     cut          worker  text <- a.text, times=2",
        "└─ c     fold x each  worker  each of a.list",
        "   └─ d  join         api     x <- c.x, after b",
    ]


def test_a_cycle_is_drawn_too() -> None:
    nodes = [{"id": name, "task": "make", "plane": "node"} for name in "ab"]
    edges = [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}]
    drawn = tree(Plan.model_validate({"workflow_id": "w", "nodes": nodes, "edges": edges}))
    assert drawn[0].split()[-3:] == ["api", "after", "b"]
    assert len(drawn) == 2
