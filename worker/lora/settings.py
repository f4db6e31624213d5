"""What a training run is told: presets as data, and the settings they give for a number of pictures. No torch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import Field

from worker.registry import Params

PresetName = Literal["quick", "balanced", "quality"]
Loss = Literal["mse", "min_snr"]
FAMILIES = ("sdxl", "sd15")  # in the order in which `text_to_image` chooses, so that the adapter fits its model
MOST_BYTES_ON_CPU = 500 * 10**6  # of a base model's files; SD 1.5 has 2 GB or more and would train for days
EVALUATIONS = 10  # looks at the fixed-noise loss in a run
PREVIEWS = 5
CHECKPOINT_STEPS = (20, 200)  # at least and at most between two checkpoints
MOST_PICTURES = 300


@dataclass(frozen=True)
class Preset:
    """How much work a run is worth. Rates and ranks: the usual range of public SD 1.5 and SDXL recipes.

    Attributes:
        visits: how often each picture is seen; with `least_steps` and `most_steps` it gives the steps.
        resolution_ratio: of the side the base model was trained for.
        patience: evaluations without an improvement of 0.1 % after which the run stops early.
    """

    rank: int
    learning_rate: float
    batch: int
    visits: int
    least_steps: int
    most_steps: int
    resolution_ratio: float
    patience: int


PRESETS: dict[PresetName, Preset] = {
    "quick": Preset(
        rank=8, learning_rate=2e-4, batch=2, visits=60, least_steps=150, most_steps=500, resolution_ratio=0.75,
        patience=2,
    ),
    "balanced": Preset(
        rank=16, learning_rate=1e-4, batch=4, visits=160, least_steps=400, most_steps=1500, resolution_ratio=1.0,
        patience=3,
    ),
    "quality": Preset(
        rank=32, learning_rate=1e-4, batch=4, visits=320, least_steps=800, most_steps=4000, resolution_ratio=1.0,
        patience=4,
    ),
}  # fmt: skip


class LoraParams(Params):
    """What is trained and how; an empty field is filled by the preset."""

    preset: PresetName = "balanced"
    seed: int = Field(default=0, ge=0, lt=2**31, description="0: a seed derived from the job.")
    base: str | None = Field(default=None, max_length=128, description="Id of the base model; default: the first.")
    trigger: str = Field(
        default="ohwx", min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$",
        description="The word that calls the subject or style in a prompt.",
    )  # fmt: skip
    concept: Literal["subject", "style"] = "subject"
    captions: tuple[str, ...] = Field(
        default=(), max_length=MOST_PICTURES, description="A text for each picture, in order; empty: from the trigger."
    )
    prompt: str | None = Field(default=None, max_length=1000, description="Of the validation picture.")
    steps: int | None = Field(default=None, ge=1, le=20_000)
    rank: int | None = Field(default=None, ge=1, le=256)
    learning_rate: float | None = Field(default=None, gt=0, le=0.1)
    batch: int | None = Field(default=None, ge=1, le=64)
    resolution_px: int | None = Field(default=None, ge=16, le=2048)
    loss: Loss = "min_snr"
    early_stop: bool = True


@dataclass(frozen=True)
class Settings:
    """A training run in numbers; equal settings, pictures and base give equal weights on the same device.

    Attributes:
        resolution_px: side of the square crops.
        evaluate_every, preview_every, keep_every: steps between evaluations, validation pictures and checkpoints.
        patience: evaluations without improvement until the run stops early; 0 means never.
    """

    seed: int
    steps: int
    rank: int
    learning_rate: float
    batch: int
    resolution_px: int
    loss: Loss
    evaluate_every: int
    preview_every: int
    keep_every: int
    patience: int

    def learning_rate_at(self, step: int) -> float:
        """Return the rate of a step (from 0): linear warm-up over 5 %, then half a cosine down to a tenth."""
        warm = max(1, self.steps // 20)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        passed = (step - warm) / max(1, self.steps - warm)
        return self.learning_rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * passed)))

    def fingerprint(self, *facts: str | Sequence[str]) -> str:
        """Return the digest of everything that decides the weights: these settings and `facts`."""
        return hashlib.sha256(json.dumps([asdict(self), *facts], sort_keys=True).encode()).hexdigest()


def settings_for(params: LoraParams, *, pictures: int, seed: int, native_px: int, multiple_px: int) -> Settings:
    """Return the settings of a run.

    Args:
        pictures: how many there are; more of them give more steps, within the preset's bounds.
        seed: used when the params name none.
        native_px: the side the base model was trained for; crops are never larger unless the params say so.
        multiple_px: what a side must be a multiple of.
    """
    preset = PRESETS[params.preset]
    batch = params.batch or preset.batch
    wanted = math.ceil(pictures * preset.visits / batch)
    steps = params.steps or min(preset.most_steps, max(preset.least_steps, wanted))
    side_px = params.resolution_px or round(native_px * preset.resolution_ratio)
    least, most = CHECKPOINT_STEPS
    return Settings(
        seed=params.seed or seed,
        steps=steps,
        rank=params.rank or preset.rank,
        learning_rate=params.learning_rate or preset.learning_rate,
        batch=batch,
        resolution_px=max(multiple_px, side_px // multiple_px * multiple_px),
        loss=params.loss,
        evaluate_every=max(1, steps // EVALUATIONS),
        preview_every=max(1, steps // PREVIEWS),
        keep_every=min(most, max(least, steps // EVALUATIONS)),
        patience=preset.patience if params.early_stop else 0,
    )
