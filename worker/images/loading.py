"""Loads a Stable Diffusion pipeline from local safetensors and keeps it for the next task. No hub, no pickle."""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worker.context import TaskError
from worker.lora.published import write_configs
from worker.models.catalogue import Model
from worker.models.header import read_header
from worker.models.resident import GIB, resident
from worker.models.weights import variant_of

FAMILIES = ("sdxl", "sd15")
_LIBRARIES = ("torch", "diffusers", "transformers", "peft")
WORKING_RATIO, WORKING_GIB = 0.4, 0.05  # activations on top of the weights, as a share of them and at least


def libraries_lacking() -> str | None:
    """Return None when the `[models]` extra is installed, else what to do."""
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    return f"install the model libraries with `make models` (missing: {', '.join(missing)})" if missing else None


def resident_gib(model: Model, *, device: str) -> float:
    """Return what the pipeline holds on a device: 2 bytes a weight on a GPU, 4 on a CPU, and its working memory."""
    weights = [path for path in model.files if path.suffix == ".safetensors"] or [model.path]
    largest = max(weights, key=lambda path: path.stat().st_size)
    stored_as = {tensor.dtype for tensor in read_header(largest).tensors.values()}
    stored_bytes, held_bytes = (4 if "F32" in stored_as else 2), (4 if device == "cpu" else 2)
    held_gib = sum(path.stat().st_size for path in weights) / GIB * held_bytes / stored_bytes
    return held_gib * (1 + WORKING_RATIO) + WORKING_GIB


@contextmanager
def pipeline(model: Model, *, device: str) -> Iterator[Any]:
    """Lend the text-to-image pipeline of a model on a device; loaded once per child.

    Raises:
        TaskError: `weights_*` from the checks, `model_too_big`.
    """
    precision = "float32" if device == "cpu" else "float16"
    key = f"{model.id}:{model.sha256[:16]}:images:{precision}:{device}"
    with resident(
        key, lambda: _load(model, device, precision), size_gib=resident_gib(model, device=device), device=device
    ) as pipe:
        yield pipe


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep what diffusers, transformers and numpy tell developers (deprecations, bars) out of a user's log."""
    import diffusers.utils.logging as told
    import transformers.utils.logging as also_told

    told.disable_progress_bar()
    also_told.disable_progress_bar()
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning, UserWarning):
            warnings.simplefilter("ignore", kind)
        yield


def _load(model: Model, device: str, precision: str) -> Any:
    import torch
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
    from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import StableDiffusionXLPipeline

    kind = StableDiffusionXLPipeline if model.family == "sdxl" else StableDiffusionPipeline
    dtype = getattr(torch, precision)
    given: dict[str, Any] = {"torch_dtype": dtype, "local_files_only": True}
    if model.family == "sd15":
        given |= {"safety_checker": None, "requires_safety_checker": False}
    else:
        given |= {"add_watermarker": False}
    with quiet_libraries():
        if model.path.is_dir():
            pipe = kind.from_pretrained(
                str(model.path), variant=variant_of(model.path), use_safetensors=True, **given
            )  # fmt: skip
        else:
            pipe = _of_single_file(kind, model, given)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def _of_single_file(kind: Any, model: Model, given: dict[str, Any]) -> Any:
    """Return the pipeline of a single file; its architecture and tokenizers are the published ones of its family."""
    from diffusers.loaders.single_file_utils import SingleFileComponentError

    with tempfile.TemporaryDirectory(prefix="reelgraph-configs-") as folder:
        configs = write_configs(model.family, Path(folder))
        try:
            pipe = kind.from_single_file(str(model.path), config=str(configs), **given)
        except (KeyError, RuntimeError, ValueError, SingleFileComponentError) as error:
            raise _unfit(model, str(error)) from error
    for part in pipe.components.values():
        absent = [name for name, weight in getattr(part, "named_parameters", tuple)() if weight.is_meta]
        if absent:
            raise _unfit(model, f"{len(absent)} weights are missing, {absent[0]} among them")
    return pipe


def _unfit(model: Model, why: str) -> TaskError:
    return TaskError(
        "weights_corrupt", f"{model.path.name} cannot be read as a {model.family} model: {why[:500]}",
        path="params.model", got=model.id, hint="fetch the file again, or use a diffusers folder",
    )  # fmt: skip
