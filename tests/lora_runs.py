"""Small trainings for tests: drawn pictures, a context that remembers, and the task itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from worker.context import TaskContext
from worker.lora.settings import LoraParams
from worker.tasks.train_lora import train_lora

PROVENANCE = {"software": "Reelgraph", "job_id": "job-1", "node_id": "train", "plan_digest": "sha256:ab"}


def drawn(folder: Path, count: int, *, size: tuple[int, int] = (80, 64)) -> list[dict[str, Any]]:
    """Return `count` different pictures as the values of an `images` port."""
    folder.mkdir(parents=True, exist_ok=True)
    refs = []
    for index in range(count):
        picture = Image.new("RGB", size, (40 * index % 256, 80, (200 - 30 * index) % 256))
        ImageDraw.Draw(picture).ellipse((8, 8, 50 + index % 9, 56), fill=(250, 200, 20 * index % 256))
        path = folder / f"{index:03d}.png"
        picture.save(path)
        refs.append(ref_of(path))
    return refs


def ref_of(path: Path, **media: Any) -> dict[str, Any]:
    return {"kind": "image", "name": path.name, "path": str(path), "media": media}


class Run:
    """One attempt at a training: what the task emitted and what it returned.

    Args:
        cancel_at: the step whose report cancels the job.
    """

    def __init__(self, folder: Path, *, checkpoint: Path | None = None, cancel_at: int | None = None) -> None:
        folder.mkdir(parents=True)
        self.messages: list[dict[str, Any]] = []
        self.cancel_at = cancel_at
        self.context = TaskContext(
            "job-1", "train", 1, folder, self._emit, seed=7, provenance=PROVENANCE, checkpoint=checkpoint
        )  # fmt: skip
        self.outputs: dict[str, Any] = {}

    def of(self, refs: Sequence[dict[str, Any]], **params: Any) -> Run:
        """Train and return self."""
        self.outputs = train_lora(
            self.context, LoraParams(**params), {"images": list(refs), "profile": {"id": "p", "name": "P"}}
        )
        return self

    @property
    def lora(self) -> dict[str, Any]:
        return self.outputs["lora"]

    def file(self, name: str) -> Path:
        return next(Path(str(ref.path)) for ref in self.context.saved if ref.name == name)

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    def _emit(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if self.cancel_at is not None and message.get("metrics") and message.get("step", 0) >= self.cancel_at:
            self.context.cancelled.set()
