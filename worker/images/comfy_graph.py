"""The graph sent to ComfyUI: a template with named slots, filled for one picture. Pure but for reading the template.

The template is data (`comfy_graph.json`): the server's API format, where a string value `$name` is a slot, and a
second part says which node a LoRA adds and whose outputs it stands for.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("comfy_graph.json")
Graph = dict[str, dict[str, Any]]
"""Node id -> `{"class_type", "inputs"}`; an input is a value or a link `[node id, output number]`."""


def filled(slots: Mapping[str, Any], *, lora: bool) -> Graph:
    """Return the graph with every slot filled; with a LoRA, its loader stands between the model and its users.

    Raises:
        KeyError: a slot of the template has no value.
    """
    template = copy.deepcopy(_template())
    graph: Graph = template["graph"]
    if lora:
        added = template["lora"]
        links = [[added["stands_for"]["source"], number] for number in added["stands_for"]["outputs"]]
        for node in graph.values():
            for name, value in node["inputs"].items():
                if value in links:
                    node["inputs"][name] = [added["id"], value[1]]
        graph[added["id"]] = added["node"]
    for node in graph.values():
        node["inputs"] = {name: _value(value, slots) for name, value in node["inputs"].items()}
    return graph


def node_classes(*, lora: bool) -> tuple[str, ...]:
    """Return the node classes that the server must know."""
    template = _template()
    nodes = [*template["graph"].values(), *([template["lora"]["node"]] if lora else [])]
    return tuple(dict.fromkeys(node["class_type"] for node in nodes))


def sampler_id() -> str:
    """Return the node whose progress is the picture's progress."""
    return next(id for id, node in _template()["graph"].items() if node["class_type"] == "KSampler")


@cache
def _template() -> dict[str, Any]:
    return json.loads(TEMPLATE.read_text(encoding="utf-8"))


def _value(value: Any, slots: Mapping[str, Any]) -> Any:
    return slots[value[1:]] if isinstance(value, str) and value.startswith("$") else value
