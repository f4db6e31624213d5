"""The bodies that submit work: the seed's `/api/train` and `/api/generate`, and `/api/jobs`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from schemas.plan import Plan
from schemas.planning import MAX_GOAL_CHARS, PlanRequest
from schemas.resolution import ALLOWED, parse_resolution

MODEL_MODE = "llm"
Cache = Annotated[Literal["on", "off"], Field(description="`off`: every node runs, whatever was made before.")]
Topic = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_GOAL_CHARS)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Options(BaseModel):
    """Rendering options of the seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    durationSeconds: float = Field(default=20.0, ge=1, le=600, allow_inf_nan=False)
    resolution: str = Field(default="720p", max_length=16)
    style: str | None = Field(default=None, max_length=400)
    language: str = Field(default="en", max_length=16)
    approve: bool = Field(default=False, description="Hold until a person approves the script.")
    cache: Cache = "on"

    @field_validator("resolution")
    @classmethod
    def _spelled(cls, text: str) -> str:
        if parse_resolution(text) is None:
            raise ValueError(f"not a resolution: use {ALLOWED}")
        return text


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: Topic
    variant: str = Field(default="svd", min_length=1, max_length=64)
    options: Options = Options()
    profileId: str | None = Field(default=None, max_length=64)
    images: tuple[Reference, ...] = Field(default=(), max_length=64)

    def template_params(self) -> dict[str, Any]:
        """Return the params of the template that serves this body."""
        return {
            "topic": self.topic,
            "variant": self.variant,
            "duration_seconds": self.options.durationSeconds,
            "resolution": self.options.resolution,
            "style": self.options.style,
            "language": self.options.language,
            "approve": self.options.approve,
            "profile_id": self.profileId,
            "images": list(self.images),
        }

    @property
    def cache(self) -> Cache:
        return self.options.cache


class TrainBody(_Body):
    """`POST /api/train`: train on the caller's material and make a video with the result."""

    mode: Literal["train_and_generate"] = "train_and_generate"
    audio: tuple[Reference, ...] = Field(default=(), max_length=64)

    def template_params(self) -> dict[str, Any]:
        return {**super().template_params(), "audio": list(self.audio)}


class GenerateBody(_Body):
    """`POST /api/generate`: make a video, with an existing profile where one is named."""

    mode: Literal["generate"] = "generate"


class JobBody(PlanRequest):
    """`POST /api/jobs`: exactly one of a goal, a plan, a template with params, or a file to make again."""

    goal: str = Field(default="", max_length=MAX_GOAL_CHARS)
    plan: Plan | None = None
    template: str | None = Field(default=None, max_length=64)
    params: dict[str, Any] = Field(default_factory=dict)
    cache: Cache = "on"
    from_file: str | None = Field(
        default=None,
        max_length=1024,
        description="Make a file again: its artifact id, its s3:// uri, or the sha256:HEX of its plan or of itself.",
    )

    @field_validator("goal")
    @classmethod
    def _says_something(cls, goal: str) -> str:
        return goal

    @model_validator(mode="after")
    def _one_of(self) -> JobBody:
        given = [name for name in ("goal", "plan", "template", "from_file") if name in self.model_fields_set]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of goal, plan, template, from_file; got {' and '.join(given) or 'none'}"
            )
        if self.params and self.template is None:
            raise ValueError("params belong to a template: name it, or put them into the plan")
        if self.conversation is not None and "goal" not in given:
            raise ValueError("a conversation goes on with a goal, which says what to change")
        return self

    @property
    def is_for_a_model(self) -> bool:
        """True for a goal that a language model is to plan, which takes longer than a request may."""
        return "goal" in self.model_fields_set and self.mode == MODEL_MODE

    def planning(self) -> PlanRequest:
        """Return the planning request inside the body."""
        return PlanRequest.model_validate(
            self.model_dump(include=set(PlanRequest.model_fields), exclude_unset=True) | {"goal": self.goal}
        )
