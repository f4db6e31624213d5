"""Steps that several templates share, and the params they need. Not a template itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from schemas.builder import PlanBuilder, Step
from schemas.resolution import ALLOWED, parse_resolution
from schemas.template import TemplateParams

Reference = Annotated[str, Field(max_length=1024)]


class VideoParams(TemplateParams):
    """What a narrated video is made from."""

    topic: str = Field(min_length=1, max_length=4000, description="What the video tells about.")
    goal: str | None = Field(default=None, max_length=4000)
    variant: str = Field(default="svd", max_length=64)
    duration_seconds: float = Field(default=20.0, ge=1, le=600)
    resolution: str = "720p"
    style: str | None = Field(default=None, max_length=400)
    language: str = Field(default="en", max_length=16)
    profile_id: str | None = Field(default=None, max_length=200)
    images: tuple[Reference, ...] = Field(default=(), max_length=64)
    audio: tuple[Reference, ...] = Field(default=(), max_length=64)
    approve: bool = Field(default=False, description="Hold before rendering until a person approves the script.")

    @field_validator("topic")
    @classmethod
    def _says_something(cls, topic: str) -> str:
        if not topic.strip():
            raise ValueError("the topic is empty")
        return topic.strip()

    @field_validator("resolution")
    @classmethod
    def _spelled(cls, text: str) -> str:
        if parse_resolution(text) is None:
            raise ValueError(f"not a resolution: use {ALLOWED}")
        return text


def write_script(params: VideoParams, b: PlanBuilder) -> Step:
    """Add the script, and a gate behind it where approval is wanted; return the step that yields the final script."""
    b.request("goal", params.goal)
    script = b.add(
        "script",
        "script.generateScript",
        inputs={"topic": b.request("topic", params.topic)},
        offers={"style": b.request("style", params.style), "language": b.request("language", params.language)},
        wishes={"duration_seconds": params.duration_seconds},
        weight=6,
        timeout_s=120,
        max_attempts=3,
    )
    if not params.approve:
        return script
    return b.add(
        "approve",
        "gate.approve",
        inputs={"value": script["script"]},
        wishes={"question": "Is this script good to render?"},
        weight=1,
        timeout_s=86_400,
    )


def choose_pipeline(params: VideoParams, b: PlanBuilder, *, after: Step, profile: Step | None) -> Step | None:
    """Add the choice of the rendering pipeline where the system offers one."""
    if not b.live("planner.selectPipeline"):
        return None
    return b.add(
        "pipeline",
        "planner.selectPipeline",
        offers={"profile": profile and profile["profile"]},
        wishes={"requested_variant": params.variant},
        after=[after],
        weight=1,
        timeout_s=30,
    )


def render(
    params: VideoParams,
    b: PlanBuilder,
    *,
    script: Step,
    pipeline: Step | None,
    profile: Step | None = None,
    lora: Step | None = None,
    voice: Step | None = None,
) -> Step:
    """Add the rendering with concrete variant, duration and resolution."""
    return b.add(
        "render",
        "render_video",
        params={
            "variant": params.variant,
            "duration_seconds": params.duration_seconds,
            "resolution": params.resolution,
        },
        wishes={"style": params.style},
        inputs={"script": script["script"]},
        offers={
            "pipeline": pipeline and pipeline["pipeline"],
            "profile": profile and profile["profile"],
            "lora": lora and lora["lora"],
            "voice": voice and voice["voice"],
            "images": b.request("images", params.images),
        },
        after=[step for step in (profile, lora, voice) if step is not None],
        weight=88,
        timeout_s=max(900.0, 60.0 * params.duration_seconds),
    )


def register(b: PlanBuilder, **produced: Step | None) -> None:
    """Register what was produced, last, where the system offers it."""
    if b.live("artifacts.registerOutputs"):
        b.add(
            "register",
            "artifacts.registerOutputs",
            offers={kind: step and step[kind] for kind, step in produced.items()},
            after=[step for step in produced.values() if step is not None],
            weight=2,
            timeout_s=60,
        )
