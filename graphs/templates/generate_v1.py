"""`generate_v1`: a narrated video, with an existing profile where one is named."""

from __future__ import annotations

from graphs.templates._steps import VideoParams, choose_pipeline, register, render, write_script
from schemas.builder import PlanBuilder
from schemas.diagnostics import Code
from schemas.template import template


class GenerateParams(VideoParams):
    """Params of `generate_v1`."""


@template(
    "generate_v1",
    description="Write a script and render it as a narrated video or a talking portrait.",
    makes=["video", "talking_video"],
)
def generate(params: GenerateParams, b: PlanBuilder) -> None:
    """Script, profile where one is named, pipeline, rendering, registration."""
    script = write_script(params, b)
    profile = None
    if params.profile_id and b.live("profiles.loadExisting"):
        profile = b.add(
            "profile",
            "profiles.loadExisting",
            inputs={"profile_id": b.request("profile_id", params.profile_id)},
            after=[script],
            weight=1,
            timeout_s=30,
        )
    elif params.profile_id:
        b.note(
            Code.TASK_DISABLED,
            "profiles.loadExisting is not available, so the video is made without the profile's look and voice",
            path="/user_context/profile_id",
            got=params.profile_id,
            hint="enable profiles.loadExisting, or leave the profile out",
        )
    pipeline = choose_pipeline(params, b, after=profile or script, profile=profile)
    video = render(params, b, script=script, pipeline=pipeline, profile=profile)
    register(b, video=video)
