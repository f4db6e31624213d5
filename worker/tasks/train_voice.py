"""The task `train_voice`: recordings of a speaker become a profile that makes a packaged voice sound more like them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from schemas.capability import Resources
from worker.context import TaskContext
from worker.registry import Backend, Inputs, Outputs, Params, task

if TYPE_CHECKING:
    from worker.voice.filter_training import FilterStep
    from worker.voice.profile import VoiceProfile
    from worker.voice.training import Reports

BACKEND = "voice matching (filter learned against the packaged speaker encoder)"
CHECKPOINT_STEPS = 20
MAX_RECORDINGS = 64
_STAGES = {"listening": 0.0, "choosing a base voice": 0.2, "training": 0.4, "checking words": 0.75, "measuring": 0.82}
_TRAINED = 0.75


class TrainVoiceParams(Params):
    """How long to train."""

    preset: Literal["quick", "balanced", "quality"] = Field(default="balanced", description="40, 80 or 200 steps.")
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="0 takes the job's own.")


def _available() -> str | None:
    from worker.voice.availability import available

    return available()


def _no_piper_training() -> str:
    return (
        "fine-tuning Piper needs a `.ckpt` of yours and `piper.train`, whose compiled alignment code the wheel of "
        "piper-tts 1.8.0 lacks: train elsewhere from the source distribution, voices are matched here"
    )


def _models() -> dict[str, str]:
    from worker.voice.availability import models

    return models()


@task(
    "train_voice",
    variants={
        "default": Backend(BACKEND, _available),
        "piper_finetune": Backend("piper.train", _no_piper_training),
    },
    resources=Resources(memory_gib=2),
    idle_timeout_s=120,
    cacheable=True,
    models=_models,
)
def train_voice(ctx: TaskContext, params: TrainVoiceParams, inputs: Inputs) -> Outputs:
    """Train a voice on the user's recordings so that narration sounds like them."""
    from worker.av.audio import write_wav
    from worker.voice.encoder import encoder
    from worker.voice.profile import write_profile
    from worker.voice.study import gathered, studied
    from worker.voice.training import STEPS, train_voice

    began = time.monotonic()
    files = _files(ctx, inputs)
    ctx.progress(0.0, stage="listening")
    speech = gathered(files, check=ctx.check_cancelled)
    for error in speech.refused:
        ctx.log("recording left out", reason=error.failure.message, got=error.failure.got)
    judge = encoder(ctx.device)
    speaker = studied(speech.lesson, judge, check=ctx.check_cancelled)
    ctx.log(
        "speaker measured", speech_s=round(speech.speech_s, 1), held_out_s=round(speech.held_out_s, 1),
        snr_db=round(speech.snr_db), pitch_hz=round(speaker.pitch_hz),
    )  # fmt: skip
    trained = train_voice(
        speech, speaker, preset=params.preset, seed=params.seed or ctx.seed, workdir=ctx.workdir,
        reports=_reports(ctx, STEPS[params.preset]), checkpoint=ctx.checkpoint,
        device=ctx.device,
    )  # fmt: skip
    facts = media_facts(trained.profile)
    ctx.log(trained.profile.label, **facts, total_s=round(time.monotonic() - began, 1))
    path, sample = ctx.workdir / "voice.json", ctx.workdir / "sample.wav"
    write_profile(path, trained.profile)
    write_wav(sample, trained.sample.samples, trained.sample.rate_hz)
    saved = ctx.save(path, kind="voice", name="voice.json", media=facts)
    sound = {"sample_rate_hz": trained.sample.rate_hz, "duration_s": round(trained.sample.duration_s, 3)}
    ctx.save(sample, kind="audio", name="sample.wav", media={**sound, "voice": trained.sample.voice}, role="part")
    ctx.progress(1.0, stage="done")
    return {"voice": saved, "profile": inputs.get("profile")}


def media_facts(profile: VoiceProfile) -> dict[str, Any]:
    """Return what the card shows: the honest label, the base voice, and the figures on the held-out part."""
    quality = {name: round(figure, 3) for name, figure in profile.quality.model_dump().items()}
    return {
        "label": profile.label,
        "backend": BACKEND,
        "base": profile.base,
        "speech_s": round(profile.origin.speech_s, 1),
        "steps": profile.origin.steps,
        **quality,
    }


def _files(ctx: TaskContext, inputs: Inputs) -> list[tuple[str, Path]]:
    given = inputs.get("audio")
    recordings = given if isinstance(given, list) else [given]
    files = [(str(one.get("name") or "recording"), Path(one["path"])) for one in recordings if one and one.get("path")]
    if not files or len(files) > MAX_RECORDINGS:
        ctx.fail(
            "no_recording" if not files else "too_many_recordings", "a voice is trained on recordings of one person",
            path="inputs.audio", got=len(files), allowed=f"1 to {MAX_RECORDINGS} audio files",
        )  # fmt: skip
    return files


def _reports(ctx: TaskContext, steps: int) -> Reports:
    """Return what turns a training's reports into progress, live figures, log lines and checkpoints."""
    from worker.voice.training import Reports, checkpointed

    began: list[float] = []

    def step(done: FilterStep, key: str) -> None:
        number, now = done.state.step, time.monotonic()
        began.append(now)
        rate = (len(began) - 1) / max(1e-6, now - began[0])
        ctx.progress(
            _STAGES["training"] + (_TRAINED - _STAGES["training"]) * number / steps, stage="training", step=number,
            steps=steps, metrics={"loss": done.loss, "similarity": done.similarity, "steps_per_s": rate},
        )  # fmt: skip
        if number % CHECKPOINT_STEPS == 0 and number < steps:
            path = ctx.workdir / "training.json"
            checkpointed(path, done.state, key=key)
            ctx.keep_checkpoint(path, step=number)

    return Reports(
        stage=lambda name: ctx.progress(_STAGES[name], stage=name), step=step, log=ctx.log, check=ctx.check_cancelled
    )
