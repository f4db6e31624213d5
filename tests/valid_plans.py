"""Random valid plans over random manifests: known contracts and own tasks, 1 to 12 nodes, some of them fanned out.

What makes a plan valid is written here a second time, from DESIGN.md sections 4-6; nothing is asked of the validator.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any

from schemas.contracts.table import contracts

Document = dict[str, Any]
CONTRACTS: dict[str, Document] = {
    name: contract.model_dump(include={"inputs", "outputs"}, exclude_none=True) | {"plane": contract.plane}
    for name, contract in contracts().items()
    if contract.alias != name
}
RESULTS = {"image", "audio", "video", "model3d", "svg", "lora", "voice", "script", "text", "json"}
RESULTS |= {"artifacts", "publication", "memory"}
MEDIA = ("image", "audio", "video", "svg")
OWN_KINDS = (*MEDIA, "script", "text", "glyph", "quilt", None)
VALUES = {"string": "so many words", "number": 1.5, "integer": 3, "boolean": True, "object": {"a": 1}, "array": [{}]}
USUAL = ("script.generateScript", "render_video")
VERBS = ("weave", "polish", "fold", "carve", "stitch", "lacquer", "knead", "hammer")
THINGS = ("basket", "lantern", "mosaic", "kettle", "ribbon", "pottery", "anvil", "tapestry")
OWN_PARAMS: Document = {
    "type": "object",
    "properties": {
        "strength": {"type": "integer", "minimum": 0, "maximum": 9},
        "finish": {"enum": ["matte", "glossy"]},
    },
    "additionalProperties": False,
}


@dataclass
class Case:
    """A plan with what it is judged against; every part is plain JSON and may be changed."""

    plan: Document
    manifest: Document
    constraints: Document = field(default_factory=dict)

    def copy(self) -> Case:
        return deepcopy(self)

    @property
    def nodes(self) -> list[Document]:
        return self.plan["nodes"]

    def place(self, node_id: str) -> int:
        return next(number for number, node in enumerate(self.nodes) if node["id"] == node_id)

    def entry(self, node: Document) -> Document:
        """The manifest's entry, with the ports of the contract where it is silent."""
        found = {**self.manifest["node"], **self.manifest["python"]}[node["task"]]
        known = CONTRACTS.get(node["task"], {"inputs": {}, "outputs": {}})
        return {"inputs": known["inputs"], "outputs": known["outputs"], **found}

    def before(self, node_id: str) -> set[str]:
        """The nodes that are done when this one starts."""
        found: set[str] = set()
        waiting = [node_id]
        while waiting:
            name = waiting.pop()
            more = {edge["from"] for edge in self.plan["edges"] if edge["to"] == name} - found
            found |= more
            waiting += more
        return found


def valid_case(random: Random) -> Case:
    """Return a plan that is valid."""
    case = Case({"workflow_id": "random", "nodes": [], "edges": [], "context": {}, "metadata": {}}, _manifest(random))
    names = [*case.manifest["node"], *case.manifest["python"]]
    wanted = random.randint(1, 12)
    for _ in range(40):
        if len(case.nodes) >= wanted:
            break
        _grow(case, random, random.choice(USUAL if random.random() < 0.15 else names))
    _prune(case)
    return case if case.nodes else valid_case(random)


def _manifest(random: Random) -> Document:
    manifest: Document = {"node": {}, "python": {}}
    for name in sorted({*USUAL, *random.sample(sorted(CONTRACTS), random.randint(2, len(CONTRACTS)))}):
        contract = CONTRACTS[name]
        spelled = {key: deepcopy(contract[key]) for key in ("inputs", "outputs")} if random.random() < 0.3 else {}
        manifest[contract["plane"]][name] = spelled
    for verb, thing in zip(random.sample(VERBS, 5), random.sample(THINGS, 5), strict=True):
        inputs = {f"{name}_in": _port(random, optional=random.random() < 0.4) for name in _some(random, 0, 3)}
        outputs = {name: _port(random) for name in _some(random, 1, 3)}
        entry: Document = {"inputs": inputs, "outputs": outputs}
        if random.random() < 0.6:
            entry["params"] = OWN_PARAMS
        manifest[random.choice(["node", "python"])][f"{verb}_{thing}"] = entry
    return manifest


def _some(random: Random, least: int, most: int) -> list[str]:
    return random.sample(["alpha", "beta", "gamma", "delta", "omega"], random.randint(least, most))


def _port(random: Random, *, optional: bool = False) -> Document:
    kind = random.choice(OWN_KINDS)
    types = {"text": ["string", "array"], "script": ["object"], None: sorted(VALUES)}.get(kind, ["object", "array"])
    port: Document = {"type": random.choice(types)}
    return port | ({"kind": kind} if kind else {}) | ({"optional": True} if optional else {})


def _grow(case: Case, random: Random, task: str) -> None:
    """Add a node of this task where all that it needs can be bound."""
    entry = case.entry({"task": task})
    plane = "node" if task in case.manifest["node"] else "python"
    node: Document = {"id": f"n{len(case.nodes)}", "task": task, "plane": plane, "inputs": {}, "params": {}}
    sources = {f"{other['id']}.{name}": (name, port) for other in case.nodes for name, port in _yielded(case, other)}
    for name, port in entry["inputs"].items():
        fitting = [text for text, (out, given) in sources.items() if _matches(out, given, name, port)]
        if port.get("optional") and random.random() < 0.5:
            continue
        if fitting and random.random() < 0.8:
            node["inputs"][name] = random.choice(fitting)
        elif (given := _request(case, random, name, port)) is not None:
            node["inputs"][name] = given
        elif not port.get("optional"):
            return
    if task in CONTRACTS and _rivals(case, node, entry):
        return
    if task not in CONTRACTS and random.random() < 0.4:
        _fan_out(case, random, node, entry, sources)
    _set_params(random, node, entry)
    used = [*node["inputs"].values(), node.get("foreach", "request.")]
    parents = {text.partition(".")[0] for text in used} - {"request"}
    case.nodes.append(node)
    case.plan["edges"] += [{"from": parent, "to": node["id"]} for parent in sorted(parents)]


def _yielded(case: Case, node: Document) -> list[tuple[str, Document]]:
    outputs = case.entry(node)["outputs"]
    return [
        (name, {**port, "type": "array", "gathered": True} if "foreach" in node else port)
        for name, port in outputs.items()
    ]


def _matches(out: str, given: Document, name: str, port: Document) -> bool:
    types = {given["type"], port["type"]}
    same_type = len(types) == 1 or (given["type"], port["type"]) == ("integer", "number")
    return same_type and given.get("kind", out) == port.get("kind", name)


def _request(case: Case, random: Random, name: str, port: Document) -> str | None:
    """Put something fitting into the context; what only a node can make is never there."""
    kind, context = port.get("kind"), case.plan["context"]
    if kind in MEDIA:
        reference = f"s3://uploads/u1/{random.randint(0, 99)}"
        value: Any = [reference] if port["type"] == "array" else reference
    elif kind is None or kind == "text":
        value = VALUES[port["type"]]
    else:
        return None
    key = f"{name}_{len(context)}"
    context[key] = value
    return f"request.{key}"


def _fan_out(case: Case, random: Random, node: Document, entry: Document, sources: dict[str, Any]) -> None:
    """Run the node once per item: over a list of the same kind as one of its single inputs, or beside all of them."""
    lists = [text for text, (_, port) in sources.items() if port["type"] == "array"]
    for name, port in entry["inputs"].items():
        others = {text for other, text in node["inputs"].items() if other != name}
        if port["type"] == "array" or name not in node["inputs"] or node["inputs"][name] in others:
            continue
        if port.get("kind") is None:
            key = f"items_{node['id']}"
            case.plan["context"][key] = [VALUES[port["type"]]] * 2
            node["foreach"] = node["inputs"][name] = f"request.{key}"
            return
        fitting = [text for text in lists if text not in others and _items_fit(case, text, sources[text][1], port)]
        if fitting:
            node["foreach"] = node["inputs"][name] = random.choice(fitting)
            return
    taken = set(node["inputs"].values())
    if beside := [text for text in lists if text not in taken]:
        node["foreach"] = random.choice(beside)


def _items_fit(case: Case, text: str, given: Document, port: Document) -> bool:
    """Tell whether what this list holds is of the port's kind; what a fan-out gathered has the type of one run."""
    return given.get("kind") == port["kind"] and (
        not given.get("gathered") or _origin(case, text)["type"] == port["type"]
    )


def _origin(case: Case, text: str) -> Document:
    source, _, port = text.partition(".")
    return case.entry(case.nodes[case.place(source)])["outputs"][port]


def _rivals(case: Case, node: Document, entry: Document) -> bool:
    """Tell whether another fixed task yields the same and this one does not work on what that made."""
    made_from, waiting = set[str](), [node]
    while waiting:
        texts = {text.partition(".")[0] for text in waiting.pop()["inputs"].values()} - {"request"} - made_from
        made_from |= texts
        waiting += [case.nodes[case.place(name)] for name in texts]
    return any(
        other["task"] in CONTRACTS
        and other["id"] not in made_from
        and set(case.entry(other)["outputs"]) & set(entry["outputs"])
        for other in case.nodes
    )


def _set_params(random: Random, node: Document, entry: Document) -> None:
    if node["task"] == "render_video":
        node["params"] = {
            "variant": random.choice(["svd", "sadtalker"]),
            "resolution": random.choice(["480p", "1280x720"]),
        }
        node["params"]["duration_seconds"] = random.choice([2, 20.5, 600])
    elif "params" in entry and random.random() < 0.7:
        node["params"] = {"strength": random.randint(0, 9), "finish": random.choice(["matte", "glossy"])}


def _prune(case: Case) -> None:
    """Take away, from the end, fixed tasks whose outputs are no result and that nobody uses."""
    for node in reversed(case.nodes.copy()):
        kinds = {port.get("kind", name) for name, port in case.entry(node)["outputs"].items()}
        used = any(edge["from"] == node["id"] for edge in case.plan["edges"])
        if node["task"] in CONTRACTS and not used and not kinds & RESULTS:
            case.nodes.remove(node)
            case.plan["edges"] = [edge for edge in case.plan["edges"] if edge["to"] != node["id"]]
