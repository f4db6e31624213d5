"""All contracts in one table, and the contract of a manifest entry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from schemas.capability import Capability, Contract, Manifest
from schemas.contracts import control, explainer, media, scene3d, training


@cache
def contracts() -> dict[str, Contract]:
    """Return task name -> contract, aliases included."""
    table: dict[str, Contract] = {}
    for module in (control, training, media, scene3d, explainer):
        for name, contract in module.CONTRACTS.items():
            table[name] = contract
            if contract.alias:
                table[contract.alias] = contract
    return table


def completed(task: str, capability: Capability) -> Capability:
    """Return `capability` with ports, params and description filled from the fixed contract where it is silent.

    A `render_video` entry that names no variants at all has the two the seeds fix.
    """
    contract = contracts().get(task)
    if contract is None and capability.inputs is not None and capability.outputs is not None:
        return capability
    if contract is None:
        return capability.model_copy(update={"inputs": capability.inputs or {}, "outputs": capability.outputs or {}})
    variants = capability.variants
    if variants is None and task == "render_video":
        variants = media.RENDER_VARIANTS
    return capability.model_copy(
        update={
            "variants": variants,
            "inputs": contract.inputs if capability.inputs is None else capability.inputs,
            "outputs": contract.outputs if capability.outputs is None else capability.outputs,
            "params": contract.params if capability.params is None else capability.params,
            "description": capability.description or contract.description,
        }
    )


@dataclass(frozen=True)
class Advertised:
    """A task as the manifest spells it, with its plane and its completed capability."""

    name: str
    plane: Literal["node", "python"]
    capability: Capability


def advertised(manifest: Manifest, task: str) -> Advertised | None:
    """Return the manifest's entry for `task` under any of its spellings, or None."""
    for name in (task, *spellings(task)):
        if found := manifest.find(name):
            return Advertised(name, found[0], completed(name, found[1]))
    return None


def spellings(task: str) -> tuple[str, ...]:
    """Return the other accepted spellings of a task name."""
    table = contracts()
    contract = table.get(task)
    if contract is None or contract.alias is None:
        return ()
    return tuple(name for name, other in table.items() if other is contract and name != task)
