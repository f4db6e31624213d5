"""The task `synthesize_speech`: a script's narrative as narration audio with word and phoneme times."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from schemas.script import Script
from worker.av.audio import write_wav
from worker.context import TaskContext
from worker.registry import Inputs, Outputs, Params, task
from worker.speech.synthesize import available, synthesize
from worker.speech.timing import Speech

if TYPE_CHECKING:
    from worker.voice.profile import VoiceProfile


class SpeechParams(Params):
    """Who speaks, and how long the narration may take."""

    voice: str | None = Field(
        default=None, max_length=64, description="Who speaks: `piper:joe` or `kokoro:NAME`; default `REELGRAPH_VOICE`."
    )
    duration_seconds: float | None = Field(
        default=None, ge=1, le=600, description="Fit the narration into this time by its tempo, 0.8 to 1.25."
    )


@task("synthesize_speech", version="1", available=available)
def synthesize_speech(ctx: TaskContext, params: SpeechParams, inputs: Inputs) -> Outputs:
    """Speak the narrative of the script; every written word is said and has a time."""
    try:
        script = Script.model_validate(inputs.get("script"))
    except ValidationError as error:
        ctx.fail("invalid_script", "the script has no narrative to speak", path="inputs.script", detail=str(error))
    if script.language.lower().partition("-")[0] not in ("en", ""):
        ctx.fail(
            "unsupported_language", "the installed voices speak English only", path="inputs.script.language",
            got=script.language, allowed="en",
        )  # fmt: skip
    profile = voice_profile(inputs.get("voice"))
    if profile is not None and params.voice not in (None, profile.base):
        ctx.log("the trained voice speaks, not the named one", trained=profile.base, named=params.voice)
    ctx.progress(0.0, stage="speaking")
    speech = synthesize(
        script.narrative,
        voice=params.voice,
        profile=profile,
        duration_s=params.duration_seconds,
        workdir=ctx.workdir,
        check=ctx.check_cancelled,
        seed=ctx.seed,
    )
    limit_s = params.duration_seconds
    if limit_s is not None and speech.duration_s > limit_s:
        ctx.log("the narration is longer than asked: no word was cut", duration_s=speech.duration_s, asked_s=limit_s)
    ctx.progress(0.9, stage="saving")
    path = ctx.workdir / "narration.wav"
    write_wav(path, speech.samples, speech.rate_hz)
    audio = ctx.save(
        path, kind="audio", media=media_facts(speech) | ({"voice_label": profile.label} if profile else {})
    )
    ctx.progress(1.0)
    return {"audio": audio}


def voice_profile(voice: dict[str, Any] | None) -> VoiceProfile | None:
    """Return the profile of a `voice` port value, None where there is none.

    Raises:
        TaskError: `voice_profile_unreadable` or `voice_profile_invalid`.
    """
    from worker.voice.profile import read_profile

    return read_profile(Path(voice["path"])) if voice and voice.get("path") else None


def media_facts(speech: Speech) -> dict[str, Any]:
    """Return what travels with the audio: its length and voice, and [text, start_s, end_s] of words and phonemes."""
    return {
        "duration_s": round(speech.duration_s, 4),
        "sample_rate_hz": speech.rate_hz,
        "voice": speech.voice,
        "times": "measured" if speech.phonemes else "estimated",
        "words": [[word.text, round(word.start_s, 3), round(word.end_s, 3)] for word in speech.words],
        "phonemes": [[sound.symbol, round(sound.start_s, 3), round(sound.end_s, 3)] for sound in speech.phonemes],
    }
