"""What a job took, beside what was quoted for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from control_api.views import busy_s, quote_view

START = datetime(2026, 1, 1, tzinfo=UTC)


def run(began_s: float | None, ended_s: float | None) -> dict[str, Any]:
    at = [None if each is None else START + timedelta(seconds=each) for each in (began_s, ended_s)]
    return {"started_at": at[0], "ended_at": at[1]}


def test_side_by_side_counts_once_and_waiting_for_a_person_or_a_worker_not_at_all() -> None:
    side_by_side = [run(0, 10), run(2, 6), run(8, 12)]
    asked_and_resumed_next_day = [run(None, 90_000), run(90_000, 90_003)]
    assert busy_s([*asked_and_resumed_next_day, *side_by_side]) == 15
    assert busy_s([run(5, None), run(None, None)]) == 0


def test_a_job_that_has_not_completed_has_its_finished_nodes_only() -> None:
    estimate = {"p50_s": 3, "p90_s": 5, "nodes": [{"node": name, "p50_s": 1, "p90_s": 2} for name in ("a", "b")]}
    nodes = [{"id": "a", "status": "completed", "seconds": 1.5}, {"id": "b", "status": "failed", "seconds": 9}]
    shown = quote_view(estimate, {"status": "failed", "nodes": nodes}, [run(0, 10)])
    assert shown is not None
    assert shown["actual_s"] is None
    assert [(item["node"], item["actual_s"]) for item in shown["nodes"]] == [("a", 1.5), ("b", None)]
    assert quote_view(None, {"status": "planning", "nodes": []}, []) is None
