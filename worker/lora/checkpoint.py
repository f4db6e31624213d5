"""A training kept in one file: tensors and their place in the run, as safetensors; nothing in it is executed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_KEY = "reelgraph_training"
IMPROVED = 0.999  # an evaluation counts as better when it is at least a thousandth below the best one


@dataclass
class Course:
    """How far a run is and how its losses went.

    Attributes:
        step: steps done.
        losses: [step, training loss], at most a few hundred.
        evaluations: [step, fixed-noise loss], from step 0 on.
        stale: evaluations since the last improvement.
    """

    step: int = 0
    losses: list[list[float]] = field(default_factory=list)
    evaluations: list[list[float]] = field(default_factory=list)
    stale: int = 0

    @property
    def best(self) -> float:
        return min((loss for _, loss in self.evaluations), default=float("inf"))

    def evaluated(self, loss: float) -> None:
        """Note a fixed-noise loss."""
        self.stale = 0 if loss < IMPROVED * self.best else self.stale + 1
        self.evaluations.append([self.step, loss])


def write_checkpoint(path: Path, tensors: dict[str, Tensor], course: Course, *, fingerprint: str) -> None:
    """Write everything a later attempt needs.

    Args:
        fingerprint: of the settings, pictures and base; only a run with the same one may go on from the file.
    """
    from safetensors.torch import save_file

    facts = json.dumps({"fingerprint": fingerprint, "course": asdict(course)})
    save_file(tensors, path, metadata={_KEY: facts})


def read_checkpoint(path: Path, *, fingerprint: str) -> tuple[dict[str, Tensor], Course]:
    """Return what `write_checkpoint` wrote.

    Raises:
        ValueError: the file is not a checkpoint, is damaged, or is of another training.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            facts: dict[str, Any] = json.loads((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
            course = Course(**facts["course"])
            found = facts["fingerprint"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"it cannot be read ({type(error).__name__})") from error
    if found != fingerprint:
        raise ValueError("it is of other settings, pictures or another base model")
    return tensors, course
