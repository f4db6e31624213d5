"""The planning request and its answer, as `POST /api/plan` takes and gives them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from schemas.diagnostics import Diagnostic
from schemas.resolution import ALLOWED, parse_resolution
from schemas.text import clean_text

MAX_GOAL_CHARS = 4000


class UserContext(BaseModel):
    """What is known about the user. Data for the plan, never authority."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: str | None = Field(default=None, max_length=200)
    profile_id: str | None = Field(default=None, max_length=200)
    style: str | None = Field(default=None, max_length=400)
    language: str | None = Field(default=None, max_length=16)


class Constraints(BaseModel):
    """Upper limits. Duration and resolution are clamped to them; budgets of time and space are kept or refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_duration_seconds: float | None = Field(default=None, ge=1, allow_inf_nan=False)
    max_resolution: str | None = None
    max_seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="Budget of running time.")
    max_vram_gib: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="Of any one node.")
    max_disk_gib: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="Scratch of any one node.")

    @field_validator("max_resolution")
    @classmethod
    def _spelled(cls, text: str | None) -> str | None:
        if text is not None and parse_resolution(text) is None:
            raise ValueError(f"not a resolution: use {ALLOWED}")
        return text


class PlanRequest(BaseModel):
    """A goal with its context. Only `goal` is required; `inputs` and `capabilities_manifest` are open maps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    goal: str = Field(min_length=1, max_length=MAX_GOAL_CHARS)
    user_context: UserContext = UserContext()
    requested_variant: str | None = Field(default=None, min_length=1, max_length=64)
    capabilities_manifest: dict[str, Any] | None = Field(default=None, description="Overrides the live manifest.")
    constraints: Constraints = Constraints()
    inputs: dict[str, Any] = Field(
        default_factory=dict, description="Inputs at hand: `images`, `audio`, `svg`, others."
    )
    mode: str = Field(default="auto", max_length=32, description="`auto`, or the one strategy to use.")
    conversation: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Id of a conversation whose last request the goal changes.",
    )

    @field_validator("goal")
    @classmethod
    def _says_something(cls, goal: str) -> str:
        goal = clean_text(goal).strip()
        if not goal:
            raise ValueError("the goal is empty: say what you want to have")
        return goal


@dataclass(frozen=True)
class SizedRuns:
    """Seconds of the recorded runs whose params asked for one length and one picture size."""

    duration_s: float | None
    resolution: str | None
    p50_s: float
    p90_s: float
    runs: int


@dataclass(frozen=True)
class RunStatistics:
    """Seconds that recorded runs of a task (or `TASK/VARIANT`) took: all of them, and by what was asked for."""

    p50_s: float
    p90_s: float
    runs: int
    sizes: tuple[SizedRuns, ...] = ()


Statistics = Mapping[str, RunStatistics]


class NodeEstimate(BaseModel):
    """What one node is expected to take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node: str
    task: str
    p50_s: float
    p90_s: float
    vram_gib: float = 0.0
    disk_gib: float = 0.0
    source: Literal["recorded", "default", "cached"]
    runs: int = Field(default=0, description="How many recorded runs stand behind the figures.")


class Misfit(BaseModel):
    """A worker that offers the task of a node and lacks what the node needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node: str
    worker: str
    resource: Literal["vram", "disk"]
    needed_gib: float
    available_gib: float


class Estimate(BaseModel):
    """The quote: seconds along the critical path and in total, memory, what is cached, what does not fit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p50_s: float = Field(description="Seconds along the critical path.")
    p90_s: float
    work_p50_s: float = Field(description="Seconds of all nodes together.")
    work_p90_s: float
    vram_gib: float = Field(description="Of the hungriest node.")
    disk_gib: float = Field(default=0.0, description="Scratch of the hungriest node.")
    critical_path: tuple[str, ...]
    nodes: tuple[NodeEstimate, ...]
    cached: tuple[str, ...] = ()
    does_not_fit: tuple[Misfit, ...] = Field(default=(), description="For nodes that fit on no worker: what lacks.")


class PlanChange(BaseModel):
    """A value that differs between two plans. `path` names nodes by id: `/nodes/render/params/fps`; None is absent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    before: Any = None
    after: Any = None


class PlanDiff(BaseModel):
    """What differs between two plans. Nodes are the same when their ids are; edges are spelled `a -> b`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str = Field(description="All of it in one line.")
    nodes_added: tuple[str, ...] = ()
    nodes_removed: tuple[str, ...] = ()
    params: tuple[PlanChange, ...] = ()
    bindings: tuple[PlanChange, ...] = Field(default=(), description="Inputs, fan-outs and tasks of nodes.")
    context: tuple[PlanChange, ...] = ()
    edges_added: tuple[str, ...] = ()
    edges_removed: tuple[str, ...] = ()


class PlanResponse(BaseModel):
    """A proven plan with its quote. `graph` is the emitted spelling of the plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    graph: dict[str, Any]
    diagnostics: tuple[Diagnostic, ...] = ()
    estimate: Estimate
    rationale: str
    mermaid: str
    conversation: str | None = Field(default=None, description="Name it in the next request to change this one.")
    changes: tuple[str, ...] | None = Field(default=None, description="What was understood of a wish to change.")
    diff: PlanDiff | None = Field(default=None, description="Against the conversation's last plan.")
