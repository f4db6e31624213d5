"""The quote and the drawing of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.template_registry import load_templates
from planner.estimate import estimate, over_budget
from planner.mermaid import mermaid
from planner.plan import plan
from planner.scaling import scaled
from planner.validator import read_plan
from schemas.capability import Manifest
from schemas.contracts.table import contracts
from schemas.diagnostics import Code
from schemas.errors import UnsatisfiableGoal
from schemas.plan import Plan
from schemas.planning import Constraints, Estimate, PlanRequest, PlanResponse, RunStatistics, SizedRuns

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


SMALL = {"worker": "small", "vram_gib": 16, "disk_free_gib": 500}
LARGE = {"worker": "large", "vram_gib": 80, "disk_free_gib": 500}
FULL = {"worker": "full", "vram_gib": 80, "disk_free_gib": 1}
HUNGRY = {"resources": {"gpu": True, "vram_gib": 24, "disk_gib": 2}}


def quoted(render: dict[str, Any]) -> Estimate:
    graph = planned().graph
    return estimate(read_plan(graph), manifest=manifest(render_video=render), statistics={})


def test_what_fits_on_no_worker_is_over_budget_and_the_refusal_quotes_worker_needed_and_available() -> None:
    quote = quoted({**HUNGRY, "machines": [SMALL, FULL]})
    lacks = [
        (item.node, item.worker, item.resource, item.needed_gib, item.available_gib) for item in quote.does_not_fit
    ]
    assert lacks == [("render", "small", "vram", 24, 16), ("render", "full", "disk", 2, 1)]
    (problem,) = over_budget(quote, Constraints())
    assert (problem.code, problem.path, problem.got) == (Code.OVER_BUDGET, "/nodes/2", "render")
    assert "small has 16 of 24 GiB of GPU memory; full has 1 of 2 GiB of free disk" in problem.message
    with pytest.raises(UnsatisfiableGoal, match="fits on no worker"):
        planned(live=manifest(render_video={**HUNGRY, "machines": [SMALL]}))


@pytest.mark.parametrize("machines", [[], [SMALL, LARGE], [{"worker": "silent"}]])
def test_one_worker_with_room_is_enough_and_silence_is_no_obstacle(machines: list[dict[str, Any]]) -> None:
    quote = quoted({**HUNGRY, "machines": machines})
    assert (quote.vram_gib, quote.disk_gib, quote.does_not_fit) == (24, 2, ())


def test_budgets_of_time_memory_and_disk_are_refused_together_with_their_figures() -> None:
    quote = quoted(HUNGRY)
    allowed = Constraints(max_seconds=1, max_vram_gib=8, max_disk_gib=1)
    found = [(item.path, item.got, item.allowed) for item in over_budget(quote, allowed)]
    assert found == [("/nodes/2", 24, 8), ("/nodes/2", 2, 1), ("/constraints/max_seconds", quote.p50_s, 1)]


def render_seconds(*sizes: SizedRuns, duration_s: float = 20, resolution: str = "720p") -> tuple[float, float]:
    runs = sum(item.runs for item in sizes)
    recorded = RunStatistics(sizes[0].p50_s, sizes[0].p90_s, runs, sizes=sizes)
    p50_s, p90_s, behind = scaled(recorded, {"duration_seconds": duration_s, "resolution": resolution})
    assert behind <= runs
    return round(p50_s, 3), round(p90_s, 3)


def test_recorded_seconds_grow_with_length_and_pixels() -> None:
    short = SizedRuns(5, "720p", 6.0, 9.0, runs=8)
    assert render_seconds(short) == (18, 27), "one size: the share of start-up is assumed"
    assert render_seconds(short, duration_s=10, resolution="360p") == (4, 6)
    long = SizedRuns(15, "720p", 12.0, 18.0, runs=8)
    assert render_seconds(short, long) == (15, 22.5), "3 s of start-up and 0.6 s a second"


def test_enough_runs_of_the_very_size_are_quoted_as_they_are_and_few_runs_with_care() -> None:
    exact = SizedRuns(20, "1280x720", 22.0, 24.0, runs=5)
    assert render_seconds(exact, SizedRuns(5, "720p", 1.0, 1.0, runs=50)) == (22, 24)
    assert render_seconds(SizedRuns(20, "720p", 22.0, 24.0, runs=1)) == (22, 33)
    odd = (SizedRuns(5, "720p", 30.0, 30.0, runs=5), SizedRuns(15, "720p", 7.0, 7.0, runs=5))
    assert render_seconds(*odd) == (49.5, 74.25), "longer was faster: each size counts by what it should have taken"


def test_a_length_alone_says_nothing_until_two_lengths_were_recorded() -> None:
    once = RunStatistics(4, 6, 9, sizes=(SizedRuns(10, None, 4, 6, runs=9),))
    assert scaled(once, {"duration_seconds": 60}) == (4, 6, 9)
    twice = RunStatistics(5, 8, 18, sizes=(*once.sizes, SizedRuns(30, None, 6, 9, runs=9)))
    assert scaled(twice, {"duration_seconds": 60}) == pytest.approx((9, 13.5, 18))


def test_longer_that_ran_faster_and_sizes_that_are_none_do_not_scale() -> None:
    odd = RunStatistics(5, 8, 18, sizes=(SizedRuns(10, None, 9, 9, runs=9), SizedRuns(30, None, 3, 3, runs=9)))
    assert scaled(odd, {"duration_seconds": 60}) == (5, 8, 18)
    assert scaled(odd, {"duration_seconds": "long", "resolution": "blurry"}) == (5, 8, 18)


def test_a_fan_out_over_a_list_at_hand_counts_every_item() -> None:
    document = {
        "workflow_id": "w",
        "nodes": [{"id": "each", "task": "t", "plane": "python", "foreach": "request.images"}],
        "context": {"images": ["a", "b", "c"]},
    }
    live = Manifest.model_validate({"python": {"t": {}}})
    quote = estimate(Plan.model_validate(document), manifest=live, statistics={"t": RunStatistics(2, 3, 9)})
    assert (quote.p50_s, quote.p90_s) == (6, 9)


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
