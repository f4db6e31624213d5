"""Draws a plan as a Mermaid flow chart. Pure."""

from __future__ import annotations

from schemas.plan import Plan, PlanNode


def mermaid(plan: Plan) -> str:
    """Return the chart: control-plane nodes are rounded, data-plane nodes are boxes, a gate is a diamond."""
    names = {node.id: f"n{place}" for place, node in enumerate(plan.nodes)}
    lines = ["flowchart LR"]
    lines += [f"  {names[node.id]}{_shape(node)}" for node in plan.nodes]
    lines += [f"  {names[edge.source]} --> {names[edge.target]}" for edge in plan.edges]
    return "\n".join(lines) + "\n"


def _shape(node: PlanNode) -> str:
    variant = node.params.get("variant")
    label = _safe(node.id) + "<br/>" + _safe(node.task if variant is None else f"{node.task} ({variant})")
    label += " &times; each" if node.foreach else ""
    if node.task == "gate.approve":
        return f'{{"{label}"}}'
    return f'("{label}")' if node.plane == "node" else f'["{label}"]'


def _safe(text: str) -> str:
    """Escape what has a meaning in a quoted Mermaid label."""
    return "".join(char if char.isalnum() or char in " _-.()" else f"#{ord(char)};" for char in text)
