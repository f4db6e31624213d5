"""The voice profile `voice.json`: what was learned of a speaker, and how well it fits.

Loading it is safe whoever wrote it: bounds are checked, and a file is read only up to a size. It knows no model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.context import TaskError
from worker.voice.bands import BANDS, MAX_GAIN_DB

LABEL = "voice matching, not cloning"
MAX_BYTES = 64 * 1024
SHORTEST_SCALE, LONGEST_SCALE = 0.85, 1.2
LOWEST_FORMANT, HIGHEST_FORMANT = 0.8, 1.25

Gain = Annotated[float, Field(ge=-MAX_GAIN_DB, le=MAX_GAIN_DB)]
PitchHz = Annotated[float, Field(ge=50.0, le=500.0)]
Cosine = Annotated[float, Field(ge=-1.0, le=1.0)]
Decibel = Annotated[float, Field(ge=-200.0, le=200.0)]
Distance = Annotated[float, Field(ge=0.0, le=200.0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Speaker(_Part):
    """What was measured of the speaker, on the training part only.

    Attributes:
        pitch_hz, pitch_spread_semitones: median and liveliness of the fundamental frequency.
        letters_per_s: how fast they speak, pauses not counted.
        spectrum_db: long-term spectrum in the 24 bands, its mean taken off.
        embedding: unit vector [256] of the packaged speaker encoder.
    """

    pitch_hz: PitchHz
    pitch_spread_semitones: float = Field(ge=0.0, le=24.0)
    letters_per_s: float = Field(ge=0.0, le=100.0)
    spectrum_db: tuple[Decibel, ...] = Field(min_length=BANDS, max_length=BANDS)
    embedding: tuple[Cosine, ...] = Field(min_length=256, max_length=256)


class Quality(_Part):
    """How close it comes, on a text and a part of the recording that training never saw.

    Attributes:
        similarity_base, similarity: cosine of the speaker encoder to the held-out part, base voice and matched.
        similarity_self: of the speaker's own training part to the held-out part: what a perfect voice would reach.
        spectrum_distance_base_db, spectrum_distance_db: between long-term spectra.
        pitch_error_base_semitones, pitch_error_semitones: between median pitches.
        word_error_rate_base, word_error_rate: of the test sentence as the packaged Whisper tiny.en hears it.
    """

    held_out_s: float = Field(ge=0.0, le=100_000.0)
    similarity_base: Cosine
    similarity: Cosine
    similarity_self: Cosine
    spectrum_distance_base_db: Distance
    spectrum_distance_db: Distance
    pitch_error_base_semitones: Distance
    pitch_error_semitones: Distance
    word_error_rate_base: Distance
    word_error_rate: Distance


class Origin(_Part):
    """What it was made from, and how."""

    recordings: int = Field(ge=1, le=10_000)
    speech_s: float = Field(ge=0.0, le=100_000.0)
    snr_db: Decibel
    preset: str = Field(max_length=32)
    steps: int = Field(ge=0, le=1_000_000)
    seed: int = Field(ge=0)
    strength: float = Field(
        ge=0.0, le=1.0, description="Share of the learned gains that keeps every word intelligible."
    )


class VoiceProfile(_Part):
    """How to make a packaged voice sound more like a speaker.

    Attributes:
        base: the packaged voice that speaks, e.g. `piper:joe`.
        gains_db: the learned filter, in the bands of `worker/voice/bands.py`.
        pitch_from_hz, pitch_to_hz, pitch_spread_ratio: how the base's pitch is moved.
        formant_ratio: what the base's resonances are multiplied by.
        length_scale: tempo; above 1 is slower than the base.
    """

    schema_version: Literal[1] = 1
    label: Literal["voice matching, not cloning"] = LABEL
    base: str = Field(pattern=r"^(piper|kokoro):[a-z0-9_]{1,40}$")
    gains_db: tuple[Gain, ...] = Field(min_length=BANDS, max_length=BANDS)
    pitch_from_hz: PitchHz
    pitch_to_hz: PitchHz
    pitch_spread_ratio: float = Field(ge=0.5, le=2.0)
    formant_ratio: float = Field(ge=LOWEST_FORMANT, le=HIGHEST_FORMANT)
    length_scale: float = Field(ge=SHORTEST_SCALE, le=LONGEST_SCALE)
    speaker: Speaker
    quality: Quality
    origin: Origin


def read_profile(path: Path) -> VoiceProfile:
    """Return the profile in a file.

    Raises:
        TaskError: `voice_profile_unreadable` or `voice_profile_invalid`.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise TaskError(
            "voice_profile_unreadable", "the voice profile cannot be read", path="inputs.voice", detail=str(error)
        ) from error
    if len(text) > MAX_BYTES:
        raise TaskError(
            "voice_profile_invalid", "the voice profile is too large", path="inputs.voice",
            got=f"more than {MAX_BYTES} bytes", allowed=f"{MAX_BYTES} bytes", hint="Train the voice again.",
        )  # fmt: skip
    try:
        return VoiceProfile.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "voice.json"
        raise TaskError(
            "voice_profile_invalid", f"this is no voice profile: {where}: {first['msg']}", path="inputs.voice",
            allowed="voice.json as `train_voice` saves it, schema 1", hint="Train the voice again.",
        ) from error  # fmt: skip


def write_profile(path: Path, profile: VoiceProfile) -> None:
    """Write it as JSON that a person can read."""
    path.write_text(profile.model_dump_json(indent=1) + "\n", encoding="utf-8")
