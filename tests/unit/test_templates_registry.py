"""Templates as authors meet them: declared with a decorator, found by folder, refused with the fix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphs.template_registry import load_templates
from schemas.brief import Deliverable
from schemas.builder import PlanBuilder
from schemas.capability import Manifest
from schemas.diagnostics import Code
from schemas.errors import UnsatisfiableGoal
from schemas.template import TemplateParams, template

GOOD = """
from schemas.builder import PlanBuilder
from schemas.template import TemplateParams, template


class DrawParams(TemplateParams):
    topic: str


@template("draw_v1", description="Draw an SVG.", makes=["svg"])
def draw(params: DrawParams, b: PlanBuilder) -> None:
    b.add("svg", "svg.generateSvg", inputs={"topic": b.request("topic", params.topic)})
"""


class Params(TemplateParams):
    topic: str = ""


def test_both_templates_of_the_seed_are_found() -> None:
    found = load_templates()
    assert set(found.by_name) == {"generate_v1", "train_and_generate_v1"}
    assert found.refused == ()
    assert found.by_name["generate_v1"].makes == {Deliverable.VIDEO, Deliverable.TALKING_VIDEO}


def test_a_bad_template_of_the_user_is_refused_with_the_reason_and_the_rest_work(tmp_path: Path) -> None:
    (tmp_path / "draw.py").write_text(GOOD)
    (tmp_path / "draw_again.py").write_text(GOOD)
    (tmp_path / "none.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "quits.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "wrong.py").write_text(
        GOOD.replace("draw_v1", "wrong_v1").replace("b: PlanBuilder", "builder: PlanBuilder")
    )
    (tmp_path / "_shared.py").write_text("raise RuntimeError('never imported')\n")
    found = load_templates(tmp_path)
    assert "draw_v1" in found.by_name
    reasons = {item.path.name: item.reason for item in found.refused}
    assert set(reasons) == {"draw_again.py", "none.py", "broken.py", "quits.py", "wrong.py"}
    assert "rename the one in draw_again.py" in reasons["draw_again.py"]
    assert "declare exactly one" in reasons["none.py"]
    assert "SyntaxError" in reasons["broken.py"]
    assert "(params: MyParams, b: PlanBuilder)" in reasons["wrong.py"]


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    assert "does not exist" in load_templates(tmp_path / "gone").refused[0].reason


def _right(params: Params, b: PlanBuilder) -> None: ...


def _other_names(brief: Params, b: PlanBuilder) -> None: ...


def _untyped(params: Any, b: PlanBuilder) -> None: ...


@pytest.mark.parametrize(
    ("options", "build", "error", "says"),
    [
        ({"name": "My Video"}, _right, ValueError, "snake_case"),
        ({"description": " "}, _right, ValueError, "needs a description"),
        ({"makes": ["hologram"]}, _right, ValueError, "use one or more of video"),
        ({"makes": []}, _right, ValueError, "nothing"),
        ({}, _other_names, TypeError, "params: MyParams, b: PlanBuilder"),
        ({}, _untyped, TypeError, "subclass of schemas.template.TemplateParams"),
    ],
)
def test_a_wrong_declaration_says_the_fix(
    options: dict[str, Any], build: Callable[..., None], error: type[Exception], says: str
) -> None:
    arguments: dict[str, Any] = {"name": "my_v1", "description": "Mine.", "makes": ["video"], **options}
    name = arguments.pop("name")
    with pytest.raises(error, match=says):
        template(name, **arguments)(build)


def test_edges_follow_from_bindings_without_the_implied_ones() -> None:
    live = Manifest.model_validate({"node": {name: {} for name in ("svg.generateSvg", "gate.approve")}, "python": {
        "svg_to_3d": {}, "animate_scene": {}}})  # fmt: skip
    b = PlanBuilder("scene_v1", manifest=live)
    svg = b.add("svg", "svg.generateSvg", inputs={"topic": b.request("topic", "bees")}, weight=1)
    scene = b.add("scene", "svg_to_3d", inputs={"svg": svg["svg"]}, weight=3)
    b.add("film", "animate_scene", inputs={"scene": scene["scene"]}, after=[svg, None], offers={"sound": "svg.svg"})
    plan = b.build()
    assert [(edge.source, edge.target) for edge in plan.edges] == [("svg", "scene"), ("scene", "film")]
    assert [node.progress_weight for node in plan.nodes] == pytest.approx([0.2, 0.6, 0.2])
    assert plan.nodes[2].inputs == {"scene": "scene.scene"}


def test_a_builder_names_every_task_that_is_missing() -> None:
    live = Manifest.model_validate({"node": {"svg.generateSvg": {"enabled": False}}})
    b = PlanBuilder("x_v1", manifest=live)
    b.add("svg", "svg.generateSvg")
    b.add("mine", "my_task")
    assert not b.live("svg.generateSvg")
    with pytest.raises(UnsatisfiableGoal, match=r"my_task, svg\.generateSvg") as refused:
        b.build()
    assert [item.code for item in refused.value.body.diagnostics or []] == [Code.TASK_DISABLED, Code.UNKNOWN_TASK]
