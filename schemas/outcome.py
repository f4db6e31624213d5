"""Outcomes: how an attempt ended, as data. Exceptions never cross a process; these do."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.artifact import ArtifactRef
from schemas.states import FailureKind


class TaskFailure(BaseModel):
    """Why an attempt failed, for a person and for the retry rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FailureKind
    code: str = Field(max_length=64, description="Stable, e.g. `llm_failed`, `bad_image`, `timeout`.")
    message: str = Field(max_length=2000)
    path: str | None = None
    got: Any = None
    allowed: Any = None
    hint: str | None = Field(default=None, max_length=1000)
    detail: str | None = Field(default=None, max_length=8000, description="Last lines of a tool's log, for experts.")
    unknown: bool = Field(default=False, description="The exception was not one we know.")


class Succeeded(BaseModel):
    """A good end: the value of each output port, and every artifact that was made on the way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["succeeded"] = "succeeded"
    outputs: dict[str, Any]
    artifacts: tuple[ArtifactRef, ...] = ()


class Failed(BaseModel):
    """A bad end; partial artifacts stay registered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["failed"] = "failed"
    failure: TaskFailure
    artifacts: tuple[ArtifactRef, ...] = ()


class Cancelled(BaseModel):
    """Ended because a person cancelled the job, or because the claim was lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["cancelled"] = "cancelled"


Outcome = Annotated[Succeeded | Failed | Cancelled, Field(discriminator="type")]
