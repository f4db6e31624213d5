"""The brief: a goal in typed form, as the planner read it. No I/O, no reading; that is `planner/brief.py`."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Deliverable(StrEnum):
    """What a goal can ask for."""

    VIDEO = "video"
    TALKING_VIDEO = "talking_video"  # a portrait that speaks
    MATH_ANIMATION = "math_animation"  # made with Manim
    SCENE_ANIMATION = "scene_animation"  # an animated 3D scene
    IMAGE = "image"
    SVG = "svg"
    MODEL3D = "model3d"
    LORA = "lora"
    VOICE = "voice"
    AUDIO = "audio"
    SCRIPT = "script"
    UPSCALED_VIDEO = "upscaled_video"
    LIPSYNCED_VIDEO = "lipsynced_video"
    MEMORY = "memory"  # a creation that is remembered
    PUBLICATION = "publication"  # a video under a public link

    @property
    def kind(self) -> str:
        """The media kind of the port that yields it."""
        return "video" if self in _SHOWN_AS_VIDEO else self.value


_SHOWN_AS_VIDEO = frozenset(
    {
        Deliverable.VIDEO,
        Deliverable.TALKING_VIDEO,
        Deliverable.MATH_ANIMATION,
        Deliverable.SCENE_ANIMATION,
        Deliverable.UPSCALED_VIDEO,
        Deliverable.LIPSYNCED_VIDEO,
    }
)
TRAINED = frozenset({Deliverable.LORA, Deliverable.VOICE})


class Brief(BaseModel):
    """A goal as understood. `None` and empty mean that the goal does not say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    goal: str = Field(description="The goal without its hostile clauses.")
    topic: str = Field(default="", description="What it is about: `black holes`.")
    deliverables: tuple[Deliverable, ...] = ()
    excluded: tuple[Deliverable, ...] = ()
    is_guess: bool = Field(default=False, description="The goal names no deliverable; its kind was inferred.")
    tasks: tuple[str, ...] = Field(default=(), description="The system's other tasks whose results the goal means.")
    duration_seconds: float | None = None
    resolution: str | None = Field(default=None, description="As `schemas/resolution.py` spells it.")
    style: str | None = None
    language: str = Field(default="en", description="ISO 639-1 code of what is to be made.")
    variant: str | None = None
    profile_id: str | None = None
    approve: bool = Field(default=False, description="A person wants to see the script before it is rendered.")
    recalls: bool = Field(default=False, description="The goal refers to earlier work of the user.")
    images: tuple[str, ...] = ()
    audio: tuple[str, ...] = ()
    svg: str | None = None
    others: dict[str, Any] = Field(default_factory=dict, description="Other inputs at hand, by port name.")

    @property
    def trains(self) -> bool:
        return any(wanted in TRAINED for wanted in self.deliverables)
