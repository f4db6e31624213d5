"""Diagnostics: what is wrong or noteworthy about a plan or a goal, with code and place."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Severity(StrEnum):
    """How a diagnostic weighs: an `error` refuses the plan, the others inform."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Code(StrEnum):
    """The stable diagnostic codes."""

    UNKNOWN_TASK = "unknown_task"
    TASK_DISABLED = "task_disabled"
    WRONG_PLANE = "wrong_plane"
    DUPLICATE_ID = "duplicate_id"
    UNKNOWN_NODE = "unknown_node"
    CYCLE = "cycle"
    UNREACHABLE_NODE = "unreachable_node"
    DEAD_END = "dead_end"
    MISSING_INPUT = "missing_input"
    TYPE_MISMATCH = "type_mismatch"
    DUPLICATE_OUTPUT = "duplicate_output"
    INVALID_PARAM = "invalid_param"
    VARIANT_UNAVAILABLE = "variant_unavailable"
    CONSTRAINT_VIOLATED = "constraint_violated"
    OVER_BUDGET = "over_budget"
    UNSAFE_INPUT = "unsafe_input"
    # What the planner tells without refusing.
    CLAMPED = "clamped"
    UNSATISFIABLE_GOAL = "unsatisfiable_goal"
    ASSUMED = "assumed"


class Diagnostic(BaseModel):
    """One problem or remark.

    `path` is a JSON pointer into the plan or the request, e.g. `/nodes/2/params/variant`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Code
    path: str
    message: str
    severity: Severity = Severity.ERROR
    got: Any = None
    allowed: Any = None
    hint: str | None = None
