"""Settles what a brief leaves open: variant, duration, resolution, all within the constraints. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from planner import lexicon
from planner.rules.view import did_you_mean, problem
from schemas.brief import Deliverable
from schemas.builder import not_live
from schemas.capability import Manifest
from schemas.contracts.table import advertised
from schemas.diagnostics import Code, Diagnostic, Severity
from schemas.errors import UnsatisfiableGoal, VariantUnavailable
from schemas.planning import Constraints
from schemas.resolution import ALLOWED, canonical, parse_resolution


@dataclass(frozen=True)
class Settled:
    """Concrete settings with the remarks on how they came about."""

    variant: str
    duration_seconds: float
    resolution: str
    diagnostics: tuple[Diagnostic, ...]


def settle(
    *,
    manifest: Manifest,
    constraints: Constraints,
    requested_variant: str | None,
    wanted_variant: str | None,
    duration_seconds: float | None,
    resolution: str | None,
    renders: bool,
) -> Settled:
    """Return concrete settings.

    Args:
        requested_variant: asked for by name; never swapped.
        wanted_variant: what the goal's words come down to, as `talking portrait`; never swapped either.
        renders: whether the result has a rendering at all, else the variant does not matter.

    Raises:
        VariantUnavailable: the variant is not live and its task is.
        UnsatisfiableGoal: the length or picture size is one that nobody can make.
    """
    remarks: list[Diagnostic] = []
    variant = requested_variant or wanted_variant or lexicon.SCENES
    if renders:
        variant = _variant(manifest, requested_variant, wanted_variant, remarks)
    seconds = _duration(duration_seconds, constraints, remarks)
    size = _resolution(resolution, constraints, remarks)
    return Settled(variant, seconds, size, tuple(remarks))


def renders(deliverables: Collection[Deliverable]) -> bool:
    """Tell whether these deliverables need the video maker."""
    return any(lexicon.VIDEO_MAKER in lexicon.MAKERS[item] for item in deliverables)


def _variant(manifest: Manifest, requested: str | None, wanted: str | None, remarks: list[Diagnostic]) -> str:
    found = advertised(manifest, lexicon.VIDEO_MAKER)
    if found is None or not found.capability.enabled:
        why = not_live(lexicon.VIDEO_MAKER, manifest)
        raise UnsatisfiableGoal(f"no video can be made here: {why.message}", diagnostics=[why])
    live = found.capability.variants or ()
    variant = requested or wanted or lexicon.SCENES
    if variant in live:
        return variant
    if requested is None and wanted is None and live:
        remarks.append(
            _remark(
                Code.ASSUMED,
                "/requested_variant",
                f"the variant {variant!r} is not live here, so the video is made with {live[0]!r}",
                got=variant,
                allowed=list(live),
            )
        )
        return live[0]
    choices = f"use {' or '.join(live)}" if live else "start a worker that offers a variant"
    path = "/requested_variant" if requested else "/goal"
    diagnostic = problem(
        Code.VARIANT_UNAVAILABLE,
        path,
        f"the variant {variant!r} of {lexicon.VIDEO_MAKER} is not available here",
        got=variant,
        allowed=list(live),
        hint=did_you_mean(variant, live, otherwise=choices),
    )
    raise VariantUnavailable(
        diagnostic.message,
        path=path,
        got=variant,
        allowed=list(live),
        hint=diagnostic.hint,
        diagnostics=[diagnostic],
    )


def _duration(wanted: float | None, constraints: Constraints, remarks: list[Diagnostic]) -> float:
    limit_s = min(constraints.max_duration_seconds or lexicon.MAX_DURATION_S, lexicon.MAX_DURATION_S)
    if wanted is not None and wanted < lexicon.MIN_DURATION_S:
        diagnostic = problem(
            Code.CONSTRAINT_VIOLATED,
            "/goal",
            f"{wanted:g} s is no length for a result",
            got=wanted,
            allowed=f"{lexicon.MIN_DURATION_S:g} to {limit_s:g} s",
        )
        raise UnsatisfiableGoal(diagnostic.message, diagnostics=[diagnostic])
    seconds = wanted if wanted is not None else min(lexicon.DEFAULT_DURATION_S, limit_s)
    if seconds <= limit_s:
        return float(seconds)
    remarks.append(
        _remark(
            Code.CLAMPED,
            "/constraints/max_duration_seconds",
            f"{seconds:g} s were asked for, {limit_s:g} s are allowed and planned",
            got=seconds,
            allowed=limit_s,
        )
    )
    return float(limit_s)


def _resolution(wanted: str | None, constraints: Constraints, remarks: list[Diagnostic]) -> str:
    wanted = canonical(wanted) if wanted else None
    size = parse_resolution(wanted or lexicon.DEFAULT_RESOLUTION)
    if size is None:
        diagnostic = problem(
            Code.CONSTRAINT_VIOLATED, "/goal", f"{wanted!r} cannot be served", got=wanted, allowed=ALLOWED
        )
        raise UnsatisfiableGoal(diagnostic.message, diagnostics=[diagnostic])
    largest = parse_resolution(constraints.max_resolution) if constraints.max_resolution else None
    if largest is None or size.pixels <= largest.pixels:
        return wanted or lexicon.DEFAULT_RESOLUTION
    if wanted is not None:
        remarks.append(
            _remark(
                Code.CLAMPED,
                "/constraints/max_resolution",
                f"{wanted} was asked for, {constraints.max_resolution} is allowed and planned",
                got=wanted,
                allowed=constraints.max_resolution,
            )
        )
    return canonical(str(constraints.max_resolution))


def _remark(code: Code, path: str, message: str, **facts: object) -> Diagnostic:
    return problem(code, path, message, severity=Severity.WARNING, **facts)
