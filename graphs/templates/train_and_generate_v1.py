"""`train_and_generate_v1`: train a profile on the user's images and recordings, then a video with the result."""

from __future__ import annotations

from pydantic import Field

from graphs.templates._steps import VideoParams, choose_pipeline, register, render, write_script
from schemas.brief import Deliverable
from schemas.builder import PlanBuilder, Step
from schemas.template import template

_VIDEOS = {Deliverable.VIDEO, Deliverable.TALKING_VIDEO}


class TrainAndGenerateParams(VideoParams):
    """Params of `train_and_generate_v1`. Images train a LoRA, recordings train a voice."""

    topic: str = Field(default="", max_length=4000)
    deliverables: tuple[Deliverable, ...] = Field(
        default=(Deliverable.VIDEO,), description="`video`, `talking_video`; `lora` and `voice` narrow what is trained."
    )


@template(
    "train_and_generate_v1",
    description="Train a look and a voice on the user's own material and render a video with them.",
    makes=["lora", "voice", "video", "talking_video"],
)
def train_and_generate(params: TrainAndGenerateParams, b: PlanBuilder) -> None:
    """Script, profile, both trainings side by side, pipeline, rendering, registration."""
    named = {Deliverable.LORA, Deliverable.VOICE} & set(params.deliverables)
    trains_lora = Deliverable.LORA in named or (not named and bool(params.images or not params.audio))
    trains_voice = Deliverable.VOICE in named or (not named and bool(params.audio))
    renders = bool(_VIDEOS & set(params.deliverables))

    script = write_script(params, b) if renders else None
    images, audio = b.request("images", params.images), b.request("audio", params.audio)
    profile = b.add(
        "profile",
        "profiles.resolveOrCreate",
        offers={"images": images, "audio": audio},
        wishes={"profile_id": params.profile_id},
        after=[script],
        weight=1,
        timeout_s=30,
    )
    pipeline = choose_pipeline(params, b, after=profile, profile=profile) if renders else None
    lora = _train(b, "train_lora", profile=profile, material={"images": images}) if trains_lora else None
    voice = _train(b, "train_voice", profile=profile, material={"audio": audio}) if trains_voice else None
    video = None
    if script is not None:
        video = render(params, b, script=script, pipeline=pipeline, profile=profile, lora=lora, voice=voice)
    register(b, video=video, lora=lora, voice=voice)


def _train(b: PlanBuilder, task: str, *, profile: Step, material: dict[str, str | None]) -> Step:
    return b.add(
        task,
        task,
        inputs={"profile": profile["profile"], **material},
        weight=80,
        timeout_s=6 * 3600,
        max_attempts=3,
    )
