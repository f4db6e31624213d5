"""A whole training as a task runs it: read, encode, train, show, keep, write. It decides when, never how."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.states import FailureKind
from worker.context import TaskContext
from worker.lora.checkpoint import Course, read_checkpoint, write_checkpoint
from worker.lora.files import (
    CARD_NAME,
    DIFFUSERS_NAME,
    KOHYA_NAME,
    header_of,
    write_card,
    write_diffusers,
    write_kohya,
)
from worker.lora.pictures import Picture, caption_of, captions_for, read_pictures
from worker.lora.settings import FAMILIES, MOST_BYTES_ON_CPU, LoraParams, Settings, settings_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from worker.lora.base import Base
    from worker.lora.encoding import Words
    from worker.lora.training import Training
    from worker.models.catalogue import Model

GIB = 2**30
# What training holds on a GPU beyond the weights. Source: FEASIBILITY-ML section 1 (LoRA on SD 1.5 8 GB [K], on SDXL
# under 16 GB [D]); it only decides which idle models make room.
WORKING_GIB = {"sd15": 5.0, "sdxl": 8.0}
TRAINING_BEGINS, TRAINING_ENDS = 0.05, 0.97  # the part of the progress that is steps
EARLIEST_STOP = 1 / 3  # of the steps
REPORT_GAP_S = 0.25
CURVE_POINTS = 200
CARD_FORMAT = "reelgraph-lora-card/1"


def train(ctx: TaskContext, params: LoraParams, refs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Train an adapter on the pictures and return the port value of its diffusers file.

    Raises:
        TaskError: what is wrong with params, pictures or the base model; `training_diverged`; `needs_gpu`.
        TaskCancelled: at the next step after a cancel.
    """
    from worker.lora.base import load_base, precision
    from worker.models.catalogue import choose
    from worker.models.resident import resident

    ctx.progress(0.0, stage="reading the base model")
    captions = captions_for(refs, given=params.captions, trigger=params.trigger, concept=params.concept)
    model = choose(*FAMILIES, id=params.base)
    _refuse_slow(ctx, model)
    dtype = precision(ctx.device)
    size_gib = model.size_bytes / GIB + (0.0 if ctx.device == "cpu" else WORKING_GIB[model.family])
    key = f"{model.id}:{model.sha256}:training"
    with resident(
        key, lambda: load_base(model.path, family=model.family, dtype=dtype), size_gib=size_gib, device=ctx.device
    ) as base:
        settings = settings_for(
            params, pictures=len(refs), seed=ctx.seed, native_px=base.native_px, multiple_px=base.multiple_px
        )
        ctx.progress(0.01, stage="checking the pictures")
        pictures = read_pictures(refs, side_px=settings.resolution_px, captions=captions, check=ctx.check_cancelled)
        return _Run(ctx, params, settings, model, base, pictures).result()


@dataclass
class _Run:
    """One training of one job."""

    ctx: TaskContext
    params: LoraParams
    settings: Settings
    model: Model
    base: Base
    pictures: list[Picture]
    course: Course = field(default_factory=Course)

    def __post_init__(self) -> None:
        self.began_at = time.monotonic()
        self.prompt = self.params.prompt or caption_of(self.params.trigger, concept=self.params.concept)
        pictures = [text for picture in self.pictures for text in (picture.sha256, picture.caption)]
        self.fingerprint = self.settings.fingerprint(self.model.sha256, *pictures)

    def result(self) -> dict[str, Any]:
        from worker.lora.encoding import encode, encode_words
        from worker.lora.training import training_on

        ctx, count = self.ctx, len(self.pictures)

        def tick(done: int) -> None:
            ctx.progress(0.02 + 0.03 * done / count, stage="encoding the pictures", step=done, steps=count)

        encoded = encode(self.base, self.pictures, device=ctx.device, tick=tick)
        words = encode_words(self.base, [self.prompt, ""], device=ctx.device)
        with training_on(self.base, encoded, self.settings, device=ctx.device) as training:
            tensors = self._resumed()
            before = self._look(training, words)
            if tensors is not None:
                training.restore(tensors)
            else:
                self.course.evaluated(training.evaluate())
            stopped = self._train(training, words)
            after = self._look(training, words)
            ctx.progress(TRAINING_ENDS, stage="saving")
            return self._write(training, pictures=(before, after), stopped=stopped)

    def _train(self, training: Training, words: Words) -> str:
        """Train until the last step or until it no longer helps; return why it ended."""
        ctx, settings, course = self.ctx, self.settings, self.course
        curve_every = max(1, settings.steps // CURVE_POINTS)
        reported_at, reported_step = time.monotonic(), course.step
        while course.step < settings.steps:
            ctx.check_cancelled()
            loss = training.step(course.step)
            course.step += 1
            due = {name: course.step % every == 0 for name, every in self._rhythms().items()}
            if course.step % curve_every == 0:
                course.losses.append([course.step, self._finite(float(loss))])
            now = time.monotonic()
            if due["evaluate"]:
                ctx.check_cancelled()
                course.evaluated(self._finite(training.evaluate()))
            if now - reported_at >= REPORT_GAP_S or due["evaluate"]:
                pace = (course.step - reported_step) / max(1e-9, now - reported_at)
                self._report(training, loss=self._finite(float(loss)), steps_per_s=pace)
                reported_at, reported_step = now, course.step
            if due["preview"] and course.step < settings.steps:
                self._look(training, words)
            if due["keep"] and course.step < settings.steps:
                self._keep(training)
            if any(due.values()):  # the pace is that of steps alone
                reported_at, reported_step = time.monotonic(), course.step
            if due["evaluate"] and self._learnt():
                ctx.log("training stopped early: the fixed-noise loss no longer falls", step=course.step)
                return "early"
        return "steps"

    def _learnt(self) -> bool:
        """Say whether to stop early: not before `EARLIEST_STOP`, and after `patience` looks without improvement."""
        settings, course = self.settings, self.course
        return 0 < settings.patience <= course.stale and course.step >= EARLIEST_STOP * settings.steps

    def _rhythms(self) -> dict[str, int]:
        settings = self.settings
        return {"evaluate": settings.evaluate_every, "preview": settings.preview_every, "keep": settings.keep_every}

    def _report(self, training: Training, *, loss: float, steps_per_s: float) -> None:
        settings, course = self.settings, self.course
        metrics = {
            "loss": loss,
            "evaluation_loss": course.evaluations[-1][1],
            "learning_rate": settings.learning_rate_at(course.step - 1),
            "steps_per_s": steps_per_s,
        }
        if training.device != "cpu":
            import torch

            metrics["vram_gib"] = torch.cuda.max_memory_allocated(training.device) / GIB
        share = course.step / settings.steps
        self.ctx.progress(
            TRAINING_BEGINS + (TRAINING_ENDS - TRAINING_BEGINS) * share,
            stage="training", step=course.step, steps=settings.steps, metrics=metrics,
        )  # fmt: skip

    def _look(self, training: Training, words: Words) -> NDArray[np.uint8]:
        from worker.lora.validation import draw, jpeg

        picture = draw(training, words, check=self.ctx.check_cancelled)
        self.ctx.preview(jpeg(picture))
        return picture

    def _resumed(self) -> dict[str, Any] | None:
        """Return the tensors of an earlier attempt, and take its course up; a file that does not fit is set aside."""
        ctx = self.ctx
        if ctx.checkpoint is None:
            return None
        try:
            tensors, self.course = read_checkpoint(ctx.checkpoint, fingerprint=self.fingerprint)
        except ValueError as error:
            ctx.log("training starts over: the checkpoint does not fit", reason=str(error))
            return None
        ctx.log("training goes on from a checkpoint", step=self.course.step, steps=self.settings.steps)
        return tensors

    def _keep(self, training: Training) -> None:
        path = self.ctx.workdir / "training.safetensors"
        write_checkpoint(path, training.state(), self.course, fingerprint=self.fingerprint)
        self.ctx.keep_checkpoint(path, step=self.course.step)

    def _finite(self, loss: float) -> float:
        if loss != loss or loss in (float("inf"), float("-inf")):
            self.ctx.fail(
                "training_diverged", f"the loss is {loss} after {self.course.step} steps", path="/params/learning_rate",
                got=self.settings.learning_rate, allowed="a smaller one, 1e-4 for most pictures",
                hint="lower the learning rate, or leave it to the preset",
            )  # fmt: skip
        return loss

    def _write(
        self, training: Training, *, pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]], stopped: str
    ) -> dict[str, Any]:
        """Save all files and return the port value of the adapter."""
        from worker.lora.validation import jpeg

        ctx, settings, model, folder = self.ctx, self.settings, self.model, self.ctx.workdir
        facts = {
            "base": model.id, "base_sha256": model.sha256, "family": model.family, "rank": settings.rank,
            "steps": self.course.step, "trigger": self.params.trigger,
        }  # fmt: skip
        header = header_of(ctx.provenance, {**facts, "pictures": [picture.sha256 for picture in self.pictures]})
        adapter = training.adapter()
        weights = {name: folder / name for name in (DIFFUSERS_NAME, KOHYA_NAME)}
        write_diffusers(weights[DIFFUSERS_NAME], adapter, header)
        write_kohya(weights[KOHYA_NAME], adapter, header, family=model.family, rank=settings.rank)
        shown = folder / "validation.jpg"
        shown.write_bytes(jpeg(*pictures, height_px=512, most_bytes=2**20))
        media = {**facts, **self._quality()}
        saved = ctx.save(weights[DIFFUSERS_NAME], kind="lora", media={**media, "format": "diffusers"})
        also = ctx.save(weights[KOHYA_NAME], kind="lora", media={**media, "format": "kohya"}, role="part")
        files = {str(value["name"]): Path(str(value["path"])) for value in (saved, also)}  # with their records in them
        write_card(folder / CARD_NAME, self._card(training, stopped=stopped), weights=files)
        ctx.save(folder / CARD_NAME, kind="json", role="part")
        ctx.save(shown, kind="image", media={"prompt": self.prompt, "shows": "before, after"}, role="thumbnail")
        ctx.progress(1.0, stage="saved")
        return saved

    def _quality(self) -> dict[str, float]:
        first, last = self.course.evaluations[0][1], self.course.evaluations[-1][1]
        return {"loss_before": round(first, 6), "loss_after": round(last, 6)}

    def _card(self, training: Training, *, stopped: str) -> dict[str, Any]:
        from worker.lora.training import optimizer_name

        model, params = self.model, self.params
        return {
            "format": CARD_FORMAT,
            "base": {
                "id": model.id, "family": model.family, "revision": model.revision, "sha256": model.sha256,
                "licence": model.licence,
            },
            "trigger": params.trigger,
            "concept": params.concept,
            "preset": params.preset,
            "settings": asdict(self.settings),
            "optimizer": optimizer_name(training.device),
            "gradient_checkpointing": training.checkpointing,
            "steps_done": self.course.step,
            "ended": {"early": "the fixed-noise loss no longer fell", "steps": "all steps were done"}[stopped],
            "losses": {
                **self._quality(),
                "best": self.course.best,
                "fixed_noise": self.course.evaluations,
                "training": self.course.losses,
                "meaning": "fixed_noise is measured on training pictures: it tells progress, not generalisation",
            },
            "validation": {"prompt": self.prompt, "file": "validation.jpg"},
            "pictures": [
                {
                    "name": picture.name, "sha256": picture.sha256, "caption": picture.caption,
                    "size_px": list(picture.size_px),
                }
                for picture in self.pictures
            ],
            "device": training.device,
            "duration_s": round(time.monotonic() - self.began_at, 2),
            "software": {name: version(name) for name in ("torch", "diffusers", "transformers", "peft")},
            "provenance": dict(self.ctx.provenance),
        }  # fmt: skip


def _refuse_slow(ctx: TaskContext, model: Model) -> None:
    if ctx.device == "cpu" and model.size_bytes > MOST_BYTES_ON_CPU:
        ctx.fail(
            "needs_gpu", f"training {model.id} on a CPU would take days", kind=FailureKind.CAPACITY,
            path="/params/base", got=f"{model.size_bytes:,} bytes", allowed=f"at most {MOST_BYTES_ON_CPU:,} on a CPU",
            hint="run a worker on a machine with a GPU (REELGRAPH_WORKER_DEVICES=cuda:0)",
        )  # fmt: skip
