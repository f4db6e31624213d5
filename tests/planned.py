"""Plans and refusals for tests: every fixed task live, the built-in templates, no I/O."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.template_registry import load_templates
from planner.plan import plan
from schemas.capability import Manifest
from schemas.contracts.table import contracts
from schemas.errors import ReelgraphError
from schemas.planning import PlanRequest, PlanResponse

SEED_GOAL = "Generate a 20-second humorous explainer about black holes."
TEMPLATES = load_templates().by_name
IMAGES, AUDIO = ["s3://uploads/u1/a.png"], ["s3://uploads/u1/a.wav"]


def manifest(*without: str, **changes: dict[str, Any]) -> Manifest:
    document: dict[str, dict[str, Any]] = {"node": {}, "python": {}}
    for name, contract in contracts().items():
        if contract.alias != name and name not in without:
            document[contract.plane][name] = changes.get(name, {})
    return Manifest.model_validate(document)


MANIFEST = manifest()


def planned(goal: str = SEED_GOAL, *, live: Manifest = MANIFEST, **fields: Any) -> PlanResponse:
    return plan(PlanRequest(goal=goal, **fields), manifest=live, templates=TEMPLATES)


def edges(response: PlanResponse) -> list[tuple[str, str]]:
    return [(edge["from"], edge["to"]) for edge in response.graph["edges"]]


def params(response: PlanResponse, node_id: str = "render") -> dict[str, Any]:
    return next(node["params"] for node in response.graph["nodes"] if node["id"] == node_id)


def ids(response: PlanResponse) -> list[str]:
    return [node["id"] for node in response.graph["nodes"]]


def refusal(goal: str = SEED_GOAL, *, live: Manifest = MANIFEST, **fields: Any) -> ReelgraphError:
    with pytest.raises(ReelgraphError) as refused:
        planned(goal, live=live, **fields)
    return refused.value


def told(error: ReelgraphError) -> set[tuple[str, str]]:
    return {(item.code.value, item.path) for item in error.body.diagnostics or []}
