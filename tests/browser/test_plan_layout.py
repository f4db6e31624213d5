"""The layout of plan drawings: boxes never overlap and edges lead onwards, whatever the graph. Run in the browser."""

from __future__ import annotations

import json
import os
import random
from itertools import combinations, pairwise
from typing import Any

import pytest

from tests.browser.devtools import CHROMIUM, Page

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="Chromium is not installed: apt install chromium"
)
SEED = 20261121


def some_graph(dice: random.Random) -> dict[str, Any]:
    """Boxes of mixed height; edges of which some are long, repeated, close a cycle or lead nowhere."""
    ids = [f"n{n}" for n in range(dice.randint(1, 24))]
    boxes = [{"id": name, "width": 150, "height": dice.choice([50, 70])} for name in ids]
    pairs = [dice.sample(range(len(ids)), 2) for _ in range(dice.randint(0, 40)) if len(ids) > 1]
    edges = [{"from": ids[min(pair)], "to": ids[max(pair)]} for pair in pairs]
    return {"boxes": boxes, "edges": [*edges, {"from": ids[-1], "to": ids[0]}, {"from": ids[0], "to": "gone"}]}


async def laid_out(page: Page, graph: dict[str, Any], *, across: bool, compact: bool = False) -> dict[str, Any]:
    return await page.run(
        f"import('/plan-layout.js').then((m) => (({{boxes, edges}}) => m.layOut(boxes, edges,"
        f" {json.dumps({'across': across, 'compact': compact})}))({json.dumps(graph)}))"
    )


@pytest.mark.parametrize(("across", "compact"), [(True, False), (False, False), (False, True)])
async def test_boxes_never_overlap_and_edges_lead_onwards(page: Page, across: bool, compact: bool) -> None:
    dice = random.Random(SEED)
    for _ in range(60):
        graph = some_graph(dice)
        drawn = await laid_out(page, graph, across=across, compact=compact)
        boxes = {box["id"]: box for box in drawn["boxes"]}
        assert list(boxes) == [box["id"] for box in graph["boxes"]]
        for box in boxes.values():
            assert min(box["x"], box["y"]) >= 0
            assert box["x"] + box["width"] <= drawn["width"] + 0.01
            assert box["y"] + box["height"] <= drawn["height"] + 0.01
        for one, other in combinations(boxes.values(), 2):
            apart = (
                one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
                or one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
            )  # fmt: skip
            assert apart, (one, other, graph)
        for edge in drawn["edges"]:
            axis, size = ("x", "width") if across else ("y", "height")
            assert boxes[edge["from"]][axis] + boxes[edge["from"]][size] < boxes[edge["to"]][axis]


async def test_an_edge_past_a_layer_goes_around_its_boxes(page: Page) -> None:
    ids = ["a", "b", "c", "d"]
    chain = [{"from": one, "to": other} for one, other in pairwise(ids)]
    graph = {"boxes": [{"id": name, "width": 150, "height": 50} for name in ids],
             "edges": [*chain, {"from": "a", "to": "d"}]}  # fmt: skip
    drawn = await laid_out(page, graph, across=True)
    long = next(edge for edge in drawn["edges"] if (edge["from"], edge["to"]) == ("a", "d"))
    between = [box for box in drawn["boxes"] if box["id"] in "bc"]
    for _, y in long["points"][1:-1]:
        assert all(not box["y"] <= y <= box["y"] + box["height"] for box in between)
    assert await laid_out(page, {"boxes": graph["boxes"][:1], "edges": []}, across=False)
