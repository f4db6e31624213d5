"""The draft a model edits. Immutable: an edit gives another draft, or the reason why it cannot be made. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from planner import lexicon
from planner.agent.edits import AddNode, Bind, RemoveNode, SetParam
from planner.rules import params, ports, references, structure, tasks
from planner.rules.view import USER_LIMITS, Rule, View, did_you_mean, pointer, problem
from schemas.builder import PlanBuilder
from schemas.capability import Manifest, Port
from schemas.contracts.table import advertised
from schemas.diagnostics import Code, Diagnostic
from schemas.plan import Plan, PlanNode, parse_binding
from schemas.planning import Constraints

WORKFLOW_ID = "agent_v1"
ALWAYS_KEPT = ("goal", "topic", "style", "language")
"""Values of the request that stay in the plan's context even when nothing is bound to them: control nodes read them."""
_A_DAY_S = 86_400.0
_ADDING: tuple[Rule, ...] = (structure.the_plan_is_not_too_large, structure.ids_are_unique, tasks.tasks_are_live)
_BINDING: tuple[Rule, ...] = (
    ports.bound_ports_exist,
    ports.bindings_lead_to_a_source,
    ports.kinds_and_types_agree,
    structure.nothing_waits_for_itself,
)
_SETTING: tuple[Rule, ...] = (
    tasks.variants_are_live,
    params.params_fit_the_schema,
    params.renderings_are_concrete,
    params.constraints_are_kept,
    references.references_are_allowed,
)


@dataclass(frozen=True)
class Draft:
    """Nodes without edges (they follow from the bindings), and what no edit can change.

    Attributes:
        context: what `request.KEY` can be bound to.
        wishes: params that every node gets whose task knows them.
        settled: params with the one value that the user asked for.
        forbidden: tasks that make what the goal excludes.
    """

    manifest: Manifest
    constraints: Constraints
    context: Mapping[str, Any]
    wishes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    settled: Mapping[str, Any] = field(default_factory=dict[str, Any])
    forbidden: frozenset[str] = frozenset()
    nodes: tuple[PlanNode, ...] = ()

    def edited(self, edit: AddNode | Bind | SetParam | RemoveNode) -> Draft | Diagnostic:
        """Return the draft with the edit made, or why it cannot be made."""
        match edit:
            case AddNode():
                return self._with_node(edit)
            case Bind():
                changed = self._changed(edit.node, lambda node: _bound(node, edit.port, edit.source))
                return changed if isinstance(changed, Diagnostic) else self._checked(changed, _BINDING)
            case SetParam():
                return self._with_param(edit)
            case RemoveNode():
                if edit.node not in self.ids:
                    return self._no_node(edit.node)
                kept = (node for node in self.nodes if node.id != edit.node)
                return replace(self, nodes=tuple(_without_source(node, edit.node) for node in kept))

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(node.id for node in self.nodes)

    def plan(self, *, weights: Mapping[str, float] | None = None) -> Plan:
        """Return the draft as a plan: edges from bindings, unused values of the request left out.

        Args:
            weights: node id -> share of the job's progress, relative to the others.
        """
        bound = {binding.port for node in self.nodes for binding in node.bindings().values() if binding.from_request}
        context = {key: value for key, value in self.context.items() if key in bound or key in ALWAYS_KEPT}
        builder = PlanBuilder(WORKFLOW_ID, manifest=self.manifest, context=context)
        for node in self.nodes:
            duration_s = node.params.get("duration_seconds")
            lasting_s = 60.0 * duration_s if isinstance(duration_s, (int, float)) else 0.0
            lasting_s = _A_DAY_S if node.task == lexicon.GATE else lasting_s
            builder.add(
                node.id,
                node.task,
                params=node.params,
                inputs=node.inputs,
                weight=(weights or {}).get(node.id, 1.0),
                timeout_s=min(_A_DAY_S, max(900.0, lasting_s)),
            )
        return builder.build()

    def with_offers(self) -> Draft:
        """Return the draft with each free port bound where there is one choice: one thing made here, else one at hand.

        Text is bound by name only: that two things are text does not make one the other.
        """
        draft = self
        for node in self.nodes:
            for name, port in self._inputs(node).items():
                offers = [] if name in node.inputs else self._offers(name, port, besides=node.id)
                made = [text for text in offers if not text.startswith("request.")] or offers
                if len(made) == 1:
                    bound = draft.edited(Bind(op="bind", node=node.id, port=name, source=made[0]))
                    draft = draft if isinstance(bound, Diagnostic) else bound
        return draft

    def with_registration(self) -> Draft:
        """Return the draft with its results registered last, where a live task does that."""
        registrar = advertised(self.manifest, lexicon.FINISHER)
        if registrar is None or not registrar.capability.enabled or any(n.task == registrar.name for n in self.nodes):
            return self
        used = {binding.source for node in self.nodes for binding in node.bindings().values()}
        inputs: dict[str, str] = {}
        for node in self.nodes:
            for out, given in () if node.id in used else self._outputs(node).items():
                for name, port in (registrar.capability.inputs or {}).items():
                    if name not in inputs and port.kind_of(name) == given.kind_of(out) and port.type == given.type:
                        inputs[name] = f"{node.id}.{out}"
        if not inputs:
            return self
        node_id = next(name for name in _names("register") if name not in self.ids)
        node = PlanNode(id=node_id, task=registrar.name, plane=registrar.plane, inputs=inputs)
        return replace(self, nodes=(*self.nodes, node))

    def _with_node(self, edit: AddNode) -> Draft | Diagnostic:
        found = advertised(self.manifest, edit.task)
        name, plane = (found.name, found.plane) if found else (edit.task, "python")
        place = len(self.nodes)
        if name in self.forbidden:
            return problem(
                Code.CONSTRAINT_VIOLATED,
                f"/nodes/{place}/task",
                f"the goal excludes what {name} makes",
                got=edit.task,
                hint="leave it out",
            )
        bare = PlanNode(id=edit.id, task=name, plane=plane, params=self._concrete(name))
        added = self._checked(replace(self, nodes=(*self.nodes, bare)), _ADDING)
        return added if isinstance(added, Diagnostic) else added._with_wishes(bare)

    def _with_wishes(self, node: PlanNode) -> Draft:
        """Return the draft with each wish that the task of its newest node knows and can fulfil."""
        found, draft = advertised(self.manifest, node.task), self
        known = (found.capability.params or {}).get("properties", {}) if found else {}
        for name in known.keys() & self.wishes.keys() - {"variant"}:
            wished = draft.edited(SetParam(op="set_param", node=node.id, name=name, value=self.wishes[name]))
            draft = draft if isinstance(wished, Diagnostic) else wished
        return draft

    def _concrete(self, task: str) -> dict[str, Any]:
        """Return the params that a node of this task must always say."""
        return {key: self.wishes[key] for key in lexicon.CONCRETE_PARAMS.get(task, ()) if key in self.wishes}

    def _with_param(self, edit: SetParam) -> Draft | Diagnostic:
        changed = self._changed(edit.node, lambda node: _set(node, edit.name, edit.value))
        if isinstance(changed, Diagnostic):
            return changed
        asked, place = self.settled.get(edit.name), self.ids.index(edit.node)
        is_asked = edit.name != "variant" or self.nodes[place].task == lexicon.VIDEO_MAKER
        if asked is not None and is_asked and edit.value != asked:
            return problem(
                Code.CONSTRAINT_VIOLATED,
                f"/nodes/{place}/params/{pointer(edit.name)}",
                f"the user asked for this {edit.name}",
                got=edit.value,
                allowed=[asked],
                hint="leave it as it is",
            )
        return self._checked(changed, _SETTING)

    def _changed(self, node_id: str, change: Callable[[PlanNode], PlanNode]) -> Draft | Diagnostic:
        if node_id not in self.ids:
            return self._no_node(node_id)
        return replace(self, nodes=tuple(change(node) if node.id == node_id else node for node in self.nodes))

    def _checked(self, changed: Draft, rules: Iterable[Rule]) -> Draft | Diagnostic:
        """Return `changed`, or the first problem under these rules that this draft does not have."""
        rules = tuple(rules)
        before = self._problems(rules)
        return next((item for item in changed._problems(rules) if item not in before), changed)

    def _problems(self, rules: Iterable[Rule]) -> list[Diagnostic]:
        if not self.nodes:
            return []
        edges = [
            {"from": binding.source, "to": node.id}
            for node in self.nodes
            for binding in node.bindings().values()
            if binding.source in self.ids
        ]
        document = {"workflow_id": WORKFLOW_ID, "nodes": self.nodes, "edges": edges, "context": dict(self.context)}
        plan = Plan.model_validate(document)
        view = View(plan, self.manifest, self.constraints, USER_LIMITS)
        return [item for rule in rules for item in rule(view)]

    def _no_node(self, node_id: str) -> Diagnostic:
        return problem(
            Code.UNKNOWN_NODE,
            "/nodes",
            f"the draft has no node {node_id!r}",
            got=node_id,
            allowed=list(self.ids),
            hint=did_you_mean(node_id, self.ids, otherwise="add the node first"),
        )

    def _inputs(self, node: PlanNode) -> Mapping[str, Port]:
        found = advertised(self.manifest, node.task)
        return (found.capability.inputs or {}) if found else {}

    def _outputs(self, node: PlanNode) -> Mapping[str, Port]:
        found = advertised(self.manifest, node.task)
        return (found.capability.outputs or {}) if found else {}

    def _offers(self, name: str, port: Port, *, besides: str) -> list[str]:
        kind = port.kind_of(name)
        is_text = port.is_value or kind == "text"
        made = [
            f"{node.id}.{out}"
            for node in self.nodes
            for out, given in self._outputs(node).items()
            if node.id != besides and given.kind_of(out) == kind and given.type == port.type
            if not is_text
        ]
        keys = [key for key in (name, kind, f"{kind}s") if key in self.context]
        return [*made, *(f"request.{key}" for key in keys[:1])]


def _names(stem: str) -> Iterable[str]:
    yield stem
    yield from (f"{stem}_{number}" for number in range(2, 1000))


def _bound(node: PlanNode, port: str, source: str) -> PlanNode:
    return node.model_copy(update={"inputs": {**node.inputs, port: source}})


def _set(node: PlanNode, name: str, value: Any) -> PlanNode:
    rest = {key: kept for key, kept in node.params.items() if key != name}
    return node.model_copy(update={"params": rest if value is None else {**rest, name: value}})


def _without_source(node: PlanNode, source: str) -> PlanNode:
    def stays(text: str) -> bool:
        binding = parse_binding(text)
        return binding is None or binding.source != source

    return node.model_copy(update={"inputs": {port: text for port, text in node.inputs.items() if stays(text)}})
