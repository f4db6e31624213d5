"""The quote and the drawing of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.template_registry import load_templates
from planner.estimate import estimate, over_budget
from planner.mermaid import mermaid
from planner.plan import plan
from planner.validator import read_plan
from schemas.capability import Manifest
from schemas.contracts.table import contracts
from schemas.diagnostics import Code
from schemas.plan import Plan
from schemas.planning import Constraints, PlanRequest, PlanResponse, RunStatistics

SEED_GOAL = "Generate a 20-second humorous explainer about black holes."
TEMPLATES = load_templates().by_name
IMAGES, AUDIO = ["s3://uploads/u1/a.png"], ["s3://uploads/u1/a.wav"]


def manifest(**changes: dict[str, Any]) -> Manifest:
    document: dict[str, dict[str, Any]] = {"node": {}, "python": {}}
    for name, contract in contracts().items():
        if contract.alias != name:
            document[contract.plane][name] = changes.get(name, {})
    return Manifest.model_validate(document)


MANIFEST = manifest()


def planned(goal: str = SEED_GOAL, *, live: Manifest = MANIFEST, **fields: Any) -> PlanResponse:
    return plan(PlanRequest(goal=goal, **fields), manifest=live, templates=TEMPLATES)


def test_recorded_runs_make_the_quote_and_defaults_say_so() -> None:
    statistics = {"render_video/svd": RunStatistics(30, 40, 12), "script.generateScript": RunStatistics(2, 3, 5)}
    response = plan(PlanRequest(goal=SEED_GOAL), manifest=MANIFEST, templates=TEMPLATES, statistics=statistics)
    quoted = {item.node: (item.p50_s, item.source, item.runs) for item in response.estimate.nodes}
    assert quoted["render"] == (30, "recorded", 12)
    assert quoted["script"] == (2, "recorded", 5)
    assert quoted["register"][1] == "default"
    assert response.estimate.p50_s == pytest.approx(32.2)
    assert response.estimate.critical_path == ("script", "pipeline", "render", "register")


def test_the_longest_branch_counts_and_cached_nodes_cost_nothing() -> None:
    response = planned(
        "Train on my photos and my voice and make a video about me", inputs={"images": IMAGES, "audio": AUDIO}
    )
    assert "train_lora" in response.estimate.critical_path
    assert "train_voice" not in response.estimate.critical_path
    assert response.estimate.work_p50_s > response.estimate.p50_s
    again = estimate(
        read_plan(response.graph), manifest=MANIFEST, statistics={}, cached={"train_lora", "train_voice", "script"}
    )
    assert again.cached == ("script", "train_lora", "train_voice")
    assert again.p50_s < 60


def test_memory_that_no_worker_has_is_over_budget() -> None:
    live = manifest(render_video={"resources": {"gpu": True, "vram_gib": 24}})
    response = planned(live=live)
    assert response.estimate.vram_gib == 24
    quote = estimate(read_plan(response.graph), manifest=live, statistics={}, vram_gib_available=16)
    assert [(item.code, item.got) for item in over_budget(quote, Constraints())] == [(Code.OVER_BUDGET, "render")]


def test_the_drawing_shows_nodes_gates_and_fan_outs_and_no_markup_of_others() -> None:
    plan_ = Plan.model_validate(
        {
            "workflow_id": "w",
            "nodes": [
                {"id": "gate", "task": "gate.approve", "plane": "node"},
                {"id": "end", "task": 'x"]<script>', "plane": "python", "foreach": "gate.list"},
            ],
            "edges": [{"from": "gate", "to": "end"}],
        }
    )
    chart = mermaid(plan_)
    assert 'n0{"gate<br/>gate.approve"}' in chart
    assert "n0 --> n1" in chart
    assert "each" in chart
    assert "<script>" not in chart
