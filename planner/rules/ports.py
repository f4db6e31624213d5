"""Rules about bindings: every required input is there in time, and of the kind and type that the port takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from planner.rules.view import View, choices, did_you_mean, pointer, problem
from schemas.capability import MEDIA_KINDS, Port
from schemas.diagnostics import Code, Diagnostic
from schemas.plan import Binding, PlanNode, parse_binding

_JSON_TYPES: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    dict: "object",
    list: "array",
    tuple: "array",
}
_ITEM = "item"
"""The type of what a list port holds, which its contract does not tell."""


def required_inputs_are_bound(view: View) -> Iterator[Diagnostic]:
    for place, node, found in view.known():
        for name, port in (found.capability.inputs or {}).items():
            if not port.optional and name not in node.inputs:
                yield problem(
                    Code.MISSING_INPUT,
                    f"/nodes/{place}/inputs/{pointer(name)}",
                    f"{node.id!r} ({node.task}) needs its input {name!r} ({_shown(name, port)})",
                    allowed=choices(_offers(view, name, port)) or None,
                    hint=f"bind it to `NODE.PORT` or `request.KEY` that yields {port.kind_of(name)}",
                )


def bound_ports_exist(view: View) -> Iterator[Diagnostic]:
    for place, node, found in view.known():
        ports = found.capability.inputs or {}
        for name in node.inputs:
            if name not in ports:
                yield problem(
                    Code.INVALID_PARAM,
                    f"/nodes/{place}/inputs/{pointer(name)}",
                    f"{node.task} has no input {name!r}",
                    got=name,
                    allowed=choices(ports),
                    hint=did_you_mean(name, ports, otherwise="remove this binding"),
                )


def bindings_lead_to_a_source(view: View) -> Iterator[Diagnostic]:
    """Each binding names something that exists and is done before the node starts."""
    for place, node in enumerate(view.plan.nodes):
        for path, text in _bound(place, node):
            binding = parse_binding(text)
            if binding is None:
                yield problem(
                    Code.MISSING_INPUT,
                    path,
                    f"{text!r} is not a binding",
                    got=text,
                    allowed=["request.KEY", "NODE.PORT"],
                    hint="write for example `script.script` or `request.topic`",
                )
            elif binding.from_request:
                yield from _in_context(view, path, text, binding)
            else:
                yield from _from_node(view, place, path, text, binding)


def kinds_and_types_agree(view: View) -> Iterator[Diagnostic]:
    for place, node, found in view.known():
        ports = found.capability.inputs or {}
        for name, text in node.inputs.items():
            binding = parse_binding(text)
            if binding is None or name not in ports:
                continue
            if binding.from_request:
                mismatch = _request_mismatch(view, node, name, ports[name], text, binding)
            else:
                mismatch = _node_mismatch(view, node, name, ports[name], text, binding)
            if mismatch is not None:
                got, allowed = mismatch
                yield problem(
                    Code.TYPE_MISMATCH,
                    f"/nodes/{place}/inputs/{pointer(name)}",
                    f"{text!r} is {got}, {name!r} of {node.task} takes {allowed}",
                    got=got,
                    allowed=allowed,
                    hint=_better_source(view, name, ports[name]),
                )


def fan_out_is_over_a_list(view: View) -> Iterator[Diagnostic]:
    for place, node in enumerate(view.plan.nodes):
        binding = parse_binding(node.foreach) if node.foreach is not None else None
        if binding is None:
            continue
        if binding.from_request:
            value = view.plan.context.get(binding.port)
            is_list = value is None or isinstance(value, (list, tuple))
        else:
            port = _output(view, binding)
            gathered = _gathered(view, binding)
            is_list = port is None or gathered or port.type in {None, "array"}
        if not is_list:
            yield problem(
                Code.TYPE_MISMATCH,
                f"/nodes/{place}/foreach",
                f"{node.foreach!r} is not a list, so {node.id!r} cannot fan out over it",
                got=node.foreach,
                allowed="a port or value of type array",
                hint="name a list, or remove `foreach`",
            )


def _bound(place: int, node: PlanNode) -> Iterator[tuple[str, str]]:
    for name, text in node.inputs.items():
        yield f"/nodes/{place}/inputs/{pointer(name)}", text
    if node.foreach is not None:
        yield f"/nodes/{place}/foreach", node.foreach


def _in_context(view: View, path: str, text: str, binding: Binding) -> Iterator[Diagnostic]:
    value = view.plan.context.get(binding.port)
    if value is None or value == []:
        yield problem(
            Code.MISSING_INPUT,
            path,
            f"the request holds no {binding.port!r}",
            got=text,
            allowed=choices(f"request.{key}" for key in view.plan.context),
            hint=did_you_mean(binding.port, view.plan.context, otherwise=f"add {binding.port!r} to the plan's context"),
        )


def _from_node(view: View, place: int, path: str, text: str, binding: Binding) -> Iterator[Diagnostic]:
    source = view.index.get(binding.source)
    if source is None:
        yield problem(
            Code.UNKNOWN_NODE,
            path,
            f"no node has the id {binding.source!r}",
            got=text,
            allowed=choices(view.index),
            hint=did_you_mean(binding.source, view.index, otherwise="add the node or bind another one"),
        )
        return
    found = view.task(view.plan.nodes[source])
    outputs = (found.capability.outputs or {}) if found else None
    if outputs is not None and binding.port not in outputs:
        yield problem(
            Code.MISSING_INPUT,
            path,
            f"{binding.source!r} yields no {binding.port!r}",
            got=text,
            allowed=choices(f"{binding.source}.{name}" for name in outputs),
            hint=did_you_mean(binding.port, outputs, otherwise="bind an output that it has"),
        )
    runs = set(view.order)
    if place in runs and source in runs and not view.ancestors[place] >> source & 1:
        target = view.plan.nodes[place].id
        yield problem(
            Code.MISSING_INPUT,
            path,
            f"no path of edges leads from {binding.source!r} to {target!r}, so {text!r} may not be there in time",
            got=text,
            hint=f'add the edge {{"from": "{binding.source}", "to": "{target}"}}',
        )


def _node_mismatch(
    view: View, node: PlanNode, name: str, port: Port, text: str, binding: Binding
) -> tuple[str, str] | None:
    given = _output(view, binding)
    if given is None:
        return None
    type_ = _item_or_list(given.type, is_item=text == node.foreach, gathered=_gathered(view, binding))
    both_values = given.is_value and port.type is not None and (port.is_value or port.kind == "text")
    kinds_agree = both_values or given.kind_of(binding.port) == port.kind_of(name)
    if kinds_agree and _types_agree(type_, port.type):
        return None
    return _shown(binding.port, given.model_copy(update={"type": type_})), _shown(name, port)


def _request_mismatch(
    view: View, node: PlanNode, name: str, port: Port, text: str, binding: Binding
) -> tuple[str, str] | None:
    value: Any = view.plan.context.get(binding.port)
    if value is None or value == []:
        return None
    if text == node.foreach and isinstance(value, (list, tuple)):
        value = value[0]
    is_media = port.kind in MEDIA_KINDS and port.kind != "text"
    is_file = isinstance(value, str) and value.startswith("s3://") and port.type in (None, "object")
    if is_media or is_file:  # a reference, or a list of which a single port takes the first
        return None if isinstance(value, (str, list, tuple, dict)) else (_json_type(value), _shown(name, port))
    type_ = _json_type(value)
    return None if _types_agree(type_, port.type) else (type_, _shown(name, port))


def _output(view: View, binding: Binding) -> Port | None:
    source = view.index.get(binding.source)
    found = view.task(view.plan.nodes[source]) if source is not None else None
    return (found.capability.outputs or {}).get(binding.port) if found else None


def _gathered(view: View, binding: Binding) -> bool:
    source = view.index.get(binding.source)
    return source is not None and view.plan.nodes[source].foreach is not None


def _item_or_list(type_: str | None, *, is_item: bool, gathered: bool) -> str | None:
    """Return the type that arrives: the item of a list port may be anything but a list, a fan-out yields a list."""
    if is_item:
        return type_ if gathered else _ITEM if type_ == "array" else type_
    return "array" if gathered else type_


def _types_agree(given: str | None, taken: str | None) -> bool:
    if given == _ITEM:
        return taken != "array"
    return given is None or taken is None or given == taken or (given == "integer" and taken == "number")


def _json_type(value: Any) -> str:
    return _JSON_TYPES.get(type(value), type(value).__name__)


def _shown(name: str, port: Port) -> str:
    kind = port.kind_of(name)
    if port.is_value or port.type is None:
        return port.type or kind
    return f"{kind}[]" if port.type == "array" else f"{kind} ({port.type})" if port.type == "string" else kind


def _offers(view: View, name: str, port: Port) -> list[str]:
    """Return the bindings in this plan that would fit."""
    kind = port.kind_of(name)
    found: list[str] = []
    for _, node, task in view.known():
        for out, given in (task.capability.outputs or {}).items():
            if given.kind_of(out) == kind and _types_agree(given.type, port.type):
                found.append(f"{node.id}.{out}")
    return sorted(set(found))


def _better_source(view: View, name: str, port: Port) -> str:
    offers = _offers(view, name, port)
    if offers:
        return f"bind {' or '.join(repr(text) for text in offers[:3])}"
    return f"add a node or a value of the request that yields {_shown(name, port)}"
