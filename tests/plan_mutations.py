"""Ways to break a valid plan, each with the code and place that the validator must name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.valid_plans import CONTRACTS, RESULTS, Case, Document

ANYTHING = frozenset({"anything"})
UNSAFE = (
    "file:///etc/passwd", "http://169.254.169.254/latest/meta-data", "s3://models/secret.bin", "../../etc/shadow",
    "/root/.ssh/id_rsa", "s3://uploads/../models/x", "javascript:alert(1)", "concat:a|b", "\\\\host\\share",
)  # fmt: skip


@dataclass(frozen=True)
class Broken:
    """One change with what it must lead to.

    `touches` are the nodes and aspects it writes or relies on: changes that share none are independent.
    `also` are codes that may follow from it elsewhere.
    """

    code: str
    path: str
    apply: Callable[[Case], Any]
    touches: frozenset[str]
    also: frozenset[str] = frozenset()
    near: bool = False  # the hint must propose a name


def _one(items: Iterable[Any], random: Random) -> Any:
    found = list(items)
    return random.choice(found) if found else None


def _typo(name: str) -> str:
    """Swap two letters in the middle."""
    at = next(place for place in range(len(name) // 2 - 1, len(name) - 1) if name[place] != name[place + 1])
    return name[:at] + name[at + 1] + name[at] + name[at + 2 :]


def _set(node_id: str, *keys: str, to: Any) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        inner = next(node for node in case.nodes if node["id"] == node_id)
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = to

    return change


def unknown_task(case: Case, random: Random) -> Broken:
    node = random.choice(case.nodes)
    name = _typo(node["task"])
    change = _set(node["id"], "task", to=name)
    return Broken("unknown_task", f"/nodes/{case.place(node['id'])}/task", change, frozenset({node["id"]}), near=True)


def task_disabled(case: Case, random: Random) -> Broken:
    node = random.choice(case.nodes)
    same = frozenset(other["id"] for other in case.nodes if other["task"] == node["task"])

    def change(broken: Case) -> None:
        broken.manifest[node["plane"]][node["task"]].update(enabled=False, reason="no weights are here")

    return Broken("task_disabled", f"/nodes/{case.place(node['id'])}/task", change, same, frozenset({"task_disabled"}))


def wrong_plane(case: Case, random: Random) -> Broken:
    node = random.choice(case.nodes)
    change = _set(node["id"], "plane", to="python" if node["plane"] == "node" else "node")
    return Broken("wrong_plane", f"/nodes/{case.place(node['id'])}/plane", change, frozenset({node["id"]}))


def duplicate_id(case: Case, random: Random) -> Broken | None:
    if len(case.nodes) < 2:
        return None
    place = random.randrange(1, len(case.nodes))
    taken = random.choice([case.nodes[random.randrange(place)]["id"], "request"])
    change = _set(case.nodes[place]["id"], "id", to=taken)
    everything = frozenset(node["id"] for node in case.nodes) | {"edges", "order"}
    return Broken("duplicate_id", f"/nodes/{place}/id", change, everything, ANYTHING)


def edge_from_nowhere(case: Case, random: Random) -> Broken:
    node, end = random.choice(case.nodes), random.choice(["from", "to"])
    edge = {"from": node["id"], "to": node["id"]} | {end: f"{node['id']}x"}
    touches = frozenset({"edges"}) | ({node["id"]} if end == "to" else set())
    path, also = f"/edges/{len(case.plan['edges'])}/{end}", frozenset({"unreachable_node"} if end == "from" else set())
    return Broken("unknown_node", path, lambda broken: broken.plan["edges"].append(edge), touches, also, near=True)


def node_behind_nowhere(case: Case, random: Random) -> Broken:
    node = random.choice(case.nodes)
    edge = {"from": "ghost", "to": node["id"]}
    touches, path = frozenset({"edges", node["id"]}), f"/nodes/{case.place(node['id'])}"
    also = frozenset({"unknown_node"})
    return Broken("unreachable_node", path, lambda broken: broken.plan["edges"].append(edge), touches, also)


def source_from_nowhere(case: Case, random: Random) -> Broken | None:
    found = _bound(case, random, lambda _, text: not text.startswith("request."))
    if found is None:
        return None
    node, name, text = found
    source, _, port = text.partition(".")
    change = _set(node["id"], "inputs", name, to=f"{source}x.{port}")
    return _input("unknown_node", case, node, name, change, near=True)


def cycle(case: Case, random: Random) -> Broken:
    node = random.choice(case.nodes)
    edge = {"from": node["id"], "to": random.choice(sorted(case.before(node["id"]) | {node["id"]}))}
    path, also = f"/edges/{len(case.plan['edges'])}", frozenset({"unreachable_node", "duplicate_output"})
    return Broken("cycle", path, lambda broken: broken.plan["edges"].append(edge), frozenset({"edges", "order"}), also)


def island(case: Case, random: Random) -> Broken | None:
    loose = _loose(case)
    if loose is None:
        return None
    also = frozenset({"dead_end", "duplicate_output"})
    return Broken("unreachable_node", f"/nodes/{len(case.nodes)}", loose, frozenset({"end"}), also)


def loose_end(case: Case, random: Random) -> Broken | None:
    loose, before = _loose(case), random.choice(case.nodes)["id"]
    if loose is None:
        return None

    def change(broken: Case) -> None:
        loose(broken)
        broken.plan["edges"].append({"from": before, "to": broken.nodes[-1]["id"]})

    touches, also = frozenset({"end", "edges", before}), frozenset({"duplicate_output"})
    return Broken("dead_end", f"/nodes/{len(case.nodes)}", change, touches, also)


def input_unbound(case: Case, random: Random) -> Broken | None:
    found = _bound(case, random, lambda port, _: not port.get("optional"))
    if found is None:
        return None
    node, name, _ = found

    def change(broken: Case) -> None:
        del broken.nodes[case.place(node["id"])]["inputs"][name]

    return _input("missing_input", case, node, name, change)


def binding_that_leads_nowhere(case: Case, random: Random) -> Broken | None:
    found = _bound(case, random, lambda *_: True)
    if found is None:
        return None
    node, name, text = found
    source, _, port = text.partition(".")
    wrong = random.choice([f"{source}.{port}x", "no binding", f"{source}{port}"])
    return _input(
        "missing_input", case, node, name, _set(node["id"], "inputs", name, to=wrong), near=wrong == f"{source}.{port}x"
    )


def edge_gone(case: Case, random: Random) -> Broken | None:
    found = _bound(case, random, lambda _, text: not text.startswith("request."))
    if found is None:
        return None
    node, name, _ = found

    def change(broken: Case) -> None:
        broken.plan["edges"] = [edge for edge in broken.plan["edges"] if edge["to"] != node["id"]]

    also = frozenset({"missing_input", "dead_end", "unreachable_node", "duplicate_output"})
    touched = frozenset({node["id"], "edges", "order"})
    path = f"/nodes/{case.place(node['id'])}/inputs/{name}"
    return Broken("missing_input", path, change, touched, also)


def value_of_another_type(case: Case, random: Random) -> Broken | None:
    found = _bound(case, random, lambda port, _: port.get("kind") not in {None, "text"} and port["type"] == "object")
    found = found or _bound(case, random, lambda *_: True)
    if found is None:
        return None
    node, name, _ = found
    port = case.entry(node)["inputs"][name]
    odd: Any = 7 if port["type"] not in {"integer", "number"} else "seven"

    def change(broken: Case) -> None:
        changed = broken.nodes[case.place(node["id"])]
        changed["inputs"][name] = f"request.odd_{node['id']}"
        broken.plan["context"][f"odd_{node['id']}"] = odd

    return _input("type_mismatch", case, node, name, change)


def output_of_another_kind(case: Case, random: Random) -> Broken | None:
    pairs = [
        (node, name, f"{other}.{out}")
        for node in case.nodes
        for name, port in case.entry(node)["inputs"].items()
        for other in case.before(node["id"])
        for out, given in case.entry(case.nodes[case.place(other)])["outputs"].items()
        if name in node["inputs"] and given.get("kind") and given["kind"] != port.get("kind", name)
    ]
    found = _one(pairs, random)
    if found is None:
        return None
    node, name, text = found
    broken = _input("type_mismatch", case, node, name, _set(node["id"], "inputs", name, to=text))
    source = frozenset({text.partition(".")[0], "order"})
    return Broken(broken.code, broken.path, broken.apply, broken.touches | source, broken.also)


def fan_out_over_no_list(case: Case, random: Random) -> Broken:
    node = random.choice(case.nodes)

    def change(broken: Case) -> None:
        broken.nodes[case.place(node["id"])]["foreach"] = "request.single"
        broken.plan["context"]["single"] = "only one"

    touches = frozenset(other["id"] for other in case.nodes if node["id"] in {*case.before(other["id"]), other["id"]})
    return Broken("type_mismatch", f"/nodes/{case.place(node['id'])}/foreach", change, touches, ANYTHING)


def duplicate_output(case: Case, random: Random) -> Broken | None:
    node = _one((node for node in case.nodes if node["task"] in CONTRACTS), random)
    if node is None:
        return None

    def change(broken: Case) -> None:
        broken.nodes.append({**deepcopy(node), "id": "twin"})
        into = [edge for edge in broken.plan["edges"] if edge["to"] == node["id"]]
        broken.plan["edges"] += [{**edge, "to": "twin"} for edge in into]

    also = frozenset({"dead_end", "unreachable_node", "duplicate_output"})
    return Broken(
        "duplicate_output", f"/nodes/{len(case.nodes)}", change, frozenset({"end", "edges", node["id"]}), also
    )


def input_it_has_not(case: Case, random: Random) -> Broken | None:
    found = _bound(case, random, lambda port, _: not port.get("optional"))
    if found is None:
        return None
    node, name, text = found
    return _input("invalid_param", case, node, name + "s", _set(node["id"], "inputs", name + "s", to=text), near=True)


def param_out_of_range(case: Case, random: Random) -> Broken | None:
    odd: list[tuple[str, Any]] = [("strength", 99), ("strength", "much"), ("finish", "glosy"), ("strenght", 1)]
    node = _one((node for node in case.nodes if "params" in case.entry(node)), random)
    if node is None:
        return None
    name, value = random.choice(odd)
    path = f"/nodes/{case.place(node['id'])}/params/{name}"
    near = name == "strenght" or value == "glosy"
    return Broken("invalid_param", path, _set(node["id"], "params", name, to=value), frozenset({node["id"]}), near=near)


def rendering_that_is_not_concrete(case: Case, random: Random) -> Broken | None:
    name = random.choice(["variant", "duration_seconds", "resolution"])
    return _rendering("invalid_param", case, random, name, None, also={"invalid_param"})


def variant_unavailable(case: Case, random: Random) -> Broken | None:
    return _rendering("variant_unavailable", case, random, "variant", random.choice(["svdd", "sadtalkr"]), near=True)


def too_long(case: Case, random: Random) -> Broken | None:
    found = _rendering("constraint_violated", case, random, "duration_seconds", 599)
    return found and _limited(found, max_duration_seconds=598)


def too_large(case: Case, random: Random) -> Broken | None:
    found = _rendering("constraint_violated", case, random, "resolution", random.choice(["4K", "1920x1080"]))
    return found and _limited(found, max_resolution="720p")


def unsafe_context(case: Case, random: Random) -> Broken:
    text = random.choice(UNSAFE)
    path, change = "/context/deep~1er/0/at", lambda broken: broken.plan["context"].update({"deep/er": [{"at": text}]})
    return Broken("unsafe_input", path, change, frozenset({"context"}))


def unsafe_param(case: Case, random: Random) -> Broken | None:
    node = _one((node for node in case.nodes if "params" not in case.entry(node)), random)
    if node is None:
        return None
    change = _set(node["id"], "params", "extra", to=random.choice(UNSAFE))
    return Broken("unsafe_input", f"/nodes/{case.place(node['id'])}/params/extra", change, frozenset({node["id"]}))


def _bound(case: Case, random: Random, wanted: Callable[[Document, str], bool]) -> tuple[Document, str, str] | None:
    return _one(
        (
            (node, name, text)
            for node in case.nodes
            for name, text in node["inputs"].items()
            if text != node.get("foreach") and wanted(case.entry(node)["inputs"][name], text)
        ),
        random,
    )


def _input(
    code: str, case: Case, node: Document, name: str, change: Callable[[Case], None], *, near: bool = False
) -> Broken:
    """A change of one binding; what two tasks yield may then no longer be made from one another."""
    path = f"/nodes/{case.place(node['id'])}/inputs/{name}"
    return Broken(code, path, change, frozenset({node["id"]}), frozenset({"duplicate_output"}), near=near)


def _loose(case: Case) -> Callable[[Case], None] | None:
    """Return what adds a fixed task that nobody uses."""
    entries = {**case.manifest["node"], **case.manifest["python"]}
    for task, contract in CONTRACTS.items():
        kinds = {port.get("kind", name) for name, port in contract["outputs"].items()}
        if (
            task in entries
            and not kinds & RESULTS
            and all(port.get("optional") for port in contract["inputs"].values())
        ):
            node = {"id": "loose", "task": task, "plane": contract["plane"]}
            return lambda broken: broken.nodes.append(dict(node))
    return None


def _rendering(
    code: str, case: Case, random: Random, name: str, value: Any, *, also: Iterable[str] = (), near: bool = False
) -> Broken | None:
    node = _one((node for node in case.nodes if node["task"] == "render_video"), random)
    if node is None:
        return None
    path = f"/nodes/{case.place(node['id'])}/params/{name}"
    return Broken(
        code, path, _set(node["id"], "params", name, to=value), frozenset({node["id"]}), frozenset(also), near
    )


def _limited(found: Broken, **limits: Any) -> Broken:
    def change(case: Case) -> None:
        found.apply(case)
        case.constraints |= limits

    return Broken(found.code, found.path, change, found.touches | {"constraints"}, frozenset({"constraint_violated"}))


MUTATIONS: dict[str, Callable[[Case, Random], Broken | None]] = {
    mutation.__name__: mutation
    for mutation in (
        unknown_task, task_disabled, wrong_plane, duplicate_id, edge_from_nowhere, node_behind_nowhere,
        source_from_nowhere, cycle, island, loose_end, input_unbound, binding_that_leads_nowhere, edge_gone,
        value_of_another_type, output_of_another_kind, fan_out_over_no_list, duplicate_output, input_it_has_not,
        param_out_of_range, rendering_that_is_not_concrete, variant_unavailable, too_long, too_large, unsafe_context,
        unsafe_param,
    )
}  # fmt: skip
