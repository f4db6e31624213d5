"""Cases of the planner benchmark: how one is written, read, given fresh random names and judged. Pure.

One JSON object a line in `bench/planner/*.jsonl`. `{{name}}` anywhere in a case stands for an identifier that is
drawn anew for every run, so that nothing can know a task or port by its name.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.contracts.table import contracts, spellings

FOLDER = Path(__file__).parent / "planner"
HELD_OUT = "heldout"

SYSTEMS: dict[str, tuple[str, ...]] = {
    "video": (
        "script.generateScript", "profiles.resolveOrCreate", "profiles.loadExisting", "planner.selectPipeline",
        "artifacts.registerOutputs", "train_lora", "train_voice", "render_video",
    ),
    "scene3d": ("svg.generateSvg", "svg_to_3d", "animate_scene", "render_scene", "artifacts.registerOutputs"),
    "manim": (
        "explanation.generateInitial", "explanation.refine", "manim.generateScript", "manim.validateScript",
        "render_manim", "artifacts.registerOutputs",
    ),
    "creative": (
        "prompt.expand", "memory.recall", "memory.store", "text_to_image", "image_to_3d", "artifacts.registerOutputs",
    ),
    "audio": ("script.generateScript", "synthesize_speech", "artifacts.registerOutputs"),
}  # fmt: skip
SYSTEMS["all"] = tuple(dict.fromkeys(task for tasks in SYSTEMS.values() for task in tasks))
SYSTEMS["none"] = ()


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Advertised(_Strict):
    """The manifest of a case: whole seed systems, less some tasks, plus own entries."""

    systems: tuple[str, ...] = ("all",)
    without: tuple[str, ...] = ()
    disabled: dict[str, str] = Field(default_factory=dict, description="Task -> reason.")
    variants: tuple[str, ...] | None = Field(default=None, description="Of render_video; None for both.")
    add: dict[str, dict[str, Any]] = Field(default_factory=dict, description="`node`/`python` -> task -> entry.")

    def document(self) -> dict[str, dict[str, Any]]:
        """Return the manifest in the shape of `GET /api/capabilities`."""
        sections: dict[str, dict[str, Any]] = {"node": {}, "python": {}}
        for task in dict.fromkeys(task for system in self.systems for task in SYSTEMS[system]):
            if task not in self.without:
                sections[contracts()[task].plane][task] = {"enabled": True}
        if self.variants is not None and "render_video" in sections["python"]:
            sections["python"]["render_video"]["variants"] = list(self.variants)
        for task, reason in self.disabled.items():
            sections[contracts()[task].plane][task] = {"enabled": False, "reason": reason}
        for plane, entries in self.add.items():
            sections[plane].update(entries)
        return sections


class Expected(_Strict):
    """What the answer must be. Tasks are named in any accepted spelling."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = Field(default=(), description="Tasks that would be wrong here.")
    order: tuple[tuple[str, str], ...] = Field(default=(), description="The first is an ancestor of the second.")
    parallel: tuple[tuple[str, str], ...] = Field(default=(), description="Neither is an ancestor of the other.")
    params: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Task -> param -> value.")
    bound: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="Task -> input port -> `request.KEY` or `TASK.PORT`."
    )
    topic_has: tuple[str, ...] = Field(default=(), description="Words of the request's context (any case).")
    topic_lacks: tuple[str, ...] = Field(default=(), description="Words that must not reach the context's topic.")
    remarks: tuple[str, ...] = Field(default=(), description="Diagnostic codes beside an accepted plan.")
    error: str | None = Field(default=None, description="Top-level code of a refusal; None: a plan is wanted.")
    names: tuple[str, ...] = Field(default=(), description="What the refusal's text must name (any case).")


class Case(_Strict):
    """One goal with its surroundings and what must come of it."""

    id: str
    group: str = Field(description="Which table row it counts for.")
    goal: str
    inputs: dict[str, Any] = Field(default_factory=dict)
    user_context: dict[str, Any] = Field(default_factory=dict)
    requested_variant: str | None = None
    constraints: dict[str, Any] = Field(default_factory=dict)
    manifest: Advertised = Advertised()
    expect: Expected
    split: str = "dev"

    def request(self) -> dict[str, Any]:
        """Return the body for `POST /api/plan`."""
        body: dict[str, Any] = {"goal": self.goal, "capabilities_manifest": self.manifest.document()}
        optional = {"inputs": self.inputs, "user_context": self.user_context, "constraints": self.constraints}
        body |= {key: value for key, value in optional.items() if value}
        return body | ({"requested_variant": self.requested_variant} if self.requested_variant else {})


def load(paths: Iterable[Path] | None = None, *, seed: int) -> list[Case]:
    """Return all cases, `{{names}}` replaced by identifiers drawn from `seed`; a file's stem tells its split.

    Raises:
        ValueError: a line is no case, or an id is taken; names file and line.
    """
    cases: dict[str, Case] = {}
    for path in sorted(FOLDER.glob("*.jsonl") if paths is None else paths):
        split = HELD_OUT if path.stem.startswith(HELD_OUT) else "dev"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip():
                continue
            try:
                case = Case.model_validate(
                    {**_renamed(json.loads(line), random.Random(f"{seed}/{line}")), "split": split}
                )
            except ValueError as error:
                raise ValueError(f"{path.name}:{number}: {error}") from error
            if case.id in cases:
                raise ValueError(f"{path.name}:{number}: the id {case.id!r} is taken")
            cases[case.id] = case
    return list(cases.values())


def _renamed(document: Any, rng: random.Random) -> Any:
    """Replace each `{{name}}` consistently in all keys and texts."""
    names: dict[str, str] = {}

    def fresh(match: re.Match[str]) -> str:
        if match[1] not in names:
            names[match[1]] = "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(4))
        return names[match[1]]

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"\{\{([a-z][a-z0-9_]*)\}\}", fresh, value)
        if isinstance(value, dict):
            return {walk(key): walk(item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    return walk(document)


def faults(case: Case, *, status: int, answer: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with an answer of `POST /api/plan`; nothing when the case is resolved."""
    wanted = case.expect
    if status != 200:
        error: dict[str, Any] = answer.get("error", {})
        if wanted.error is None:
            return [f"refused: {error.get('code')}: {error.get('message')}"]
        text = json.dumps(error, ensure_ascii=False).lower()
        found = [] if error.get("code") == wanted.error else [f"refused with {error.get('code')}, not {wanted.error}"]
        return found + [f"the refusal does not name {name!r}" for name in wanted.names if name.lower() not in text]
    if wanted.error is not None:
        tasks = [node["task"] for node in answer["graph"]["nodes"]]
        return [f"a plan was emitted where {wanted.error} is due: {tasks}"]
    return list(_against_graph(case, answer))


def _against_graph(case: Case, answer: Mapping[str, Any]) -> Iterable[str]:
    graph, wanted = answer["graph"], case.expect
    nodes: dict[str, list[dict[str, Any]]] = {}
    for node in graph["nodes"]:
        nodes.setdefault(_canonical(node["task"]), []).append(node)
    after = _descendants(graph)

    def precedes(first: str, second: str) -> bool:
        return any(b["id"] in after[a["id"]] for a in nodes.get(first, []) for b in nodes.get(second, []))

    include, exclude = map(_canonical, wanted.include), map(_canonical, wanted.exclude)
    yield from (f"misses {task}" for task in include if task not in nodes)
    yield from (f"has {task}" for task in exclude if task in nodes)
    for first, second in ((_canonical(a), _canonical(b)) for a, b in wanted.order):
        if not precedes(first, second):
            yield f"{first} does not come before {second}"
    for first, second in ((_canonical(a), _canonical(b)) for a, b in wanted.parallel):
        if first not in nodes or second not in nodes or precedes(first, second) or precedes(second, first):
            yield f"{first} and {second} are not parallel"
    for task, params in wanted.params.items():
        held = [node["params"] for node in nodes.get(_canonical(task), [])]
        for name, value in params.items():
            if not any(params_of.get(name) == value for params_of in held):
                yield f"{task}.{name} is {[params_of.get(name) for params_of in held]}, not {value!r}"
    by_id = {node["id"]: _canonical(node["task"]) for node in graph["nodes"]}
    for task, ports in wanted.bound.items():
        for port, source in ports.items():
            found = {_named(node["inputs"].get(port, ""), by_id) for node in nodes.get(_canonical(task), [])}
            if _named(source, {}) not in found:
                yield f"{task}.{port} is bound to {sorted(found)}, not {source}"
    context = graph.get("context", {})
    told = json.dumps(context, ensure_ascii=False).lower()
    yield from (f"{words!r} did not reach the context" for words in wanted.topic_has if words.lower() not in told)
    topic = str(context.get("topic", "")).lower()
    yield from (f"{words!r} reached the topic" for words in wanted.topic_lacks if words.lower() in topic)
    codes = {item["code"] for item in answer.get("diagnostics", [])}
    yield from (f"no {code} among the remarks" for code in wanted.remarks if code not in codes)


def _named(binding: str, by_id: Mapping[str, str]) -> str:
    """Return a binding with its node replaced by its task."""
    source, _, port = binding.rpartition(".")
    return f"{_canonical(by_id.get(source, source))}.{port}"


def _canonical(task: str) -> str:
    """Return one spelling for all the accepted ones."""
    return min((task, *spellings(task)))


def _descendants(graph: Mapping[str, Any]) -> dict[str, set[str]]:
    children: dict[str, set[str]] = {node["id"]: set() for node in graph["nodes"]}
    for edge in graph["edges"]:
        children[edge["from"]].add(edge["to"])
    found: dict[str, set[str]] = {}
    for start in children:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            fresh = children[waiting.pop()] - seen
            seen |= fresh
            waiting += fresh
        found[start] = seen
    return found
