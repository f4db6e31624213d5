"""Backend `esrgan`: the user's own ESRGAN weights through spandrel, on CPU or GPU. Knows no video."""

from __future__ import annotations

import importlib.util
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from worker.context import TaskError
from worker.upscale.tiles import Enlarger

if TYPE_CHECKING:
    from worker.models.catalogue import Model

FAMILY = "esrgan"
SIZE_GIB = 1.5  # 16.7 million parameters, and the activations of one tile
TILE_PX = {"cpu": 160, "cuda": 384}
MARGIN_PX = 16
NEEDED = ("torch", "spandrel", "einops")


def available() -> str | None:
    """Return why this backend cannot run here, or None when it can."""
    from worker.models.catalogue import lacking

    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return f"ESRGAN needs the packages {', '.join(missing)}: install the extra `models` (make models)"
    return lacking(FAMILY, purpose="upscale pictures with your own weights")


def chosen() -> Model:
    """Return the weights to use.

    Raises:
        TaskError: `model_missing`.
    """
    from worker.models.catalogue import choose

    return choose(FAMILY)


@contextmanager
def lent(model: Model, *, device: str) -> Iterator[Enlarger]:
    """Lend the network with the user's weights; it stays loaded for the next task.

    Raises:
        TaskError: `weights_pickled`, `weights_corrupt` or `weights_mismatch`.
    """
    from worker.models.resident import resident

    def load() -> Enlarger:
        return loaded(model.path, name=model.id, device=device)

    with resident(f"{model.id}:{model.sha256}", load, size_gib=SIZE_GIB, device=device) as enlarger:
        yield enlarger


def loaded(path: Path, *, name: str, device: str) -> Enlarger:
    """Build the network that the weights fit; spandrel tells the architecture from the names and shapes.

    Raises:
        TaskError: `weights_pickled`, `weights_corrupt` or `weights_mismatch`.
    """
    import torch

    from worker.models.weights import read_weights

    tensors = read_weights(path)
    with warnings.catch_warnings(), _torchvision_stood_in():
        warnings.simplefilter("ignore", DeprecationWarning)
        import spandrel  # type: ignore[import-untyped]
    try:
        described: Any = spandrel.ModelLoader(device=device).load_from_state_dict(tensors)
    except Exception as error:  # each architecture raises its own
        raise _mismatch(path, f"{type(error).__name__}: {error}") from error
    plain = isinstance(described, spandrel.ImageModelDescriptor) and described.input_channels == 3
    if not plain or described.output_channels != 3 or described.scale < 2:
        raise _mismatch(path, f"{type(described).__name__}, x{described.scale}")
    kind = device.partition(":")[0]
    half = kind == "cuda" and described.supports_half
    network = described.model.eval()

    def run(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode(), torch.autocast(kind, torch.float16, enabled=half):
            made = network(torch.from_numpy(picture)[None].to(device))
        return made[0].float().cpu().numpy()

    return Enlarger(name, run, described.scale, tile_px=TILE_PX[kind], margin_px=MARGIN_PX)


def _mismatch(path: Path, got: str) -> TaskError:
    return TaskError(
        "weights_mismatch", f"{path.name} is no network that enlarges colour pictures", got=got[:300],
        allowed="ESRGAN, Real-ESRGAN or another single-image architecture that spandrel knows, x2 or more",
    )  # fmt: skip


@contextmanager
def _torchvision_stood_in() -> Iterator[None]:
    """Give spandrel the three names it imports of torchvision, when that is absent, for as long as the block lasts.

    Only its LaMa and RestoreFormer use them, which are no upscalers; torchvision itself would replace the CPU torch. A
    stand-in that stayed would make other libraries believe that torchvision is there.
    """
    if importlib.util.find_spec("torchvision") is not None:
        yield
        return

    class InterpolationMode(Enum):
        NEAREST = "nearest"
        BILINEAR = "bilinear"

    def absent(*args: object, **kwargs: object) -> None:
        raise NotImplementedError("torchvision is not installed")

    functional: Any = types.ModuleType("torchvision.transforms.functional")
    functional.InterpolationMode, functional.rotate, functional.normalize = InterpolationMode, absent, absent
    transforms: Any = types.ModuleType("torchvision.transforms")
    transforms.functional = functional
    package: Any = types.ModuleType("torchvision")
    package.transforms = transforms
    names = {module.__name__: module for module in (package, transforms, functional)}
    sys.modules.update(names)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
