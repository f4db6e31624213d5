"""Rules about tasks: known, enabled, in their plane, with a variant that is live, each result written once."""

from __future__ import annotations

from collections.abc import Iterator

from planner.rules.view import View, choices, did_you_mean, problem
from schemas.builder import not_live
from schemas.contracts.table import contracts
from schemas.diagnostics import Code, Diagnostic


def tasks_are_live(view: View) -> Iterator[Diagnostic]:
    for place, node in enumerate(view.plan.nodes):
        found = view.task(node)
        if found is None or not found.capability.enabled:
            why = not_live(node.task, view.manifest)
            names = [*view.manifest.node, *view.manifest.python]
            hint = did_you_mean(node.task, names, otherwise=why.hint) if found is None else why.hint
            allowed = choices(names) if found is None else None
            yield why.model_copy(update={"path": f"/nodes/{place}/task", "hint": hint, "allowed": allowed})


def planes_are_those_advertised(view: View) -> Iterator[Diagnostic]:
    for place, node, found in view.known():
        if node.plane != found.plane:
            yield problem(
                Code.WRONG_PLANE,
                f"/nodes/{place}/plane",
                f"{node.task} runs in the {found.plane!r} plane",
                got=node.plane,
                allowed=[found.plane],
                hint=f'write "plane": "{found.plane}"',
            )


def variants_are_live(view: View) -> Iterator[Diagnostic]:
    for place, node, found in view.known():
        variants, wanted = found.capability.variants, node.params.get("variant")
        if found.capability.enabled and variants is not None and wanted is not None and wanted not in variants:
            yield problem(
                Code.VARIANT_UNAVAILABLE,
                f"/nodes/{place}/params/variant",
                f"{node.task} has no live variant {wanted!r}",
                got=wanted,
                allowed=list(variants),
                hint=did_you_mean(str(wanted), variants, otherwise=_choices(variants)),
            )


def results_are_written_once(view: View) -> Iterator[Diagnostic]:
    """A fixed task yields its result once in a plan, except where the later run works on what the earlier one made.

    Two different makers of one kind, as a Manim animation and a narrated video, are two results.
    """
    writers: dict[tuple[str, str], list[int]] = {}
    for place, node, found in view.known():
        if node.task in contracts():
            for key in found.capability.outputs or ():
                writers.setdefault((node.task, key), []).append(place)
    for (_, key), places in writers.items():
        for later in places:
            rivals = [other for other in places if other < later and not _one_works_on_the_other(view, later, other)]
            if rivals:
                names = [view.plan.nodes[place].id for place in (rivals[0], later)]
                yield problem(
                    Code.DUPLICATE_OUTPUT,
                    f"/nodes/{later}",
                    f"{names[0]!r} and {names[1]!r} both yield {key!r}",
                    got=key,
                    hint=f"remove one of them, or let one work on the {key} of the other",
                )


def _one_works_on_the_other(view: View, a: int, b: int) -> bool:
    return bool(view.sources[a] >> b & 1 or view.sources[b] >> a & 1)


def _choices(variants: tuple[str, ...]) -> str:
    return f"use {' or '.join(variants)}" if variants else "start a worker that offers a variant"
