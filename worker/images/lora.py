"""Lays a LoRA over a pipeline for one task and takes it off again, so that the base is exactly what it was.

Reads both layouts: diffusers (`unet.….lora_A.weight`) and kohya (`lora_unet_….lora_down.weight`). Safetensors only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worker.context import TaskError
from worker.images.loading import quiet_libraries
from worker.models.catalogue import Model
from worker.models.header import read_header

ADAPTER = "lora"
_TEXT_SIDE = re.compile(r"attn2[._]to_k\b.*?(?:lora_A|lora_down|lora\.down)")
"""The weight whose input is the text features: their width tells the base family."""


def lora_path(lora: Mapping[str, Any]) -> Path:
    """Return the local file of a `lora` port value.

    Raises:
        TaskError: `lora_missing`: the value has no file here.
    """
    path = Path(str(lora.get("path") or ""))
    if not lora.get("path") or not path.is_file():
        raise TaskError("lora_missing", "the LoRA has no file", path="inputs.lora", hint="upload a .safetensors file")
    return path


@contextmanager
def adapted(pipe: Any, lora: Mapping[str, Any] | None, *, scale: float, model: Model, scratch: Path) -> Iterator[None]:
    """Use the LoRA at `scale` inside the block; without one, do nothing.

    Raises:
        TaskError: `lora_wrong_base` (made for another family), `lora_unreadable`, `lora_missing`, `weights_*`.
    """
    if lora is None:
        yield
        return
    path = lora_path(lora)
    _check_base(path, lora, pipe, model)
    if path.suffix != ".safetensors":
        named = scratch / "lora.safetensors"
        named.unlink(missing_ok=True)
        named.symlink_to(path.resolve())
        path = named
    try:
        _load(pipe, path, scale)
        yield
    finally:
        pipe.unload_lora_weights()


def _load(pipe: Any, path: Path, scale: float) -> None:
    try:
        with quiet_libraries():
            pipe.load_lora_weights(
                str(path.parent), weight_name=path.name, adapter_name=ADAPTER, local_files_only=True,
                use_safetensors=True,
            )  # fmt: skip
        attached = {name for names in pipe.get_list_adapters().values() for name in names}
        if ADAPTER not in attached:  # names that match nothing would change nothing, silently
            raise ValueError("none of its layers is one of this model")
        pipe.set_adapters([ADAPTER], adapter_weights=[scale])
    except (KeyError, ValueError, RuntimeError, NotImplementedError) as error:
        raise TaskError(
            "lora_unreadable", f"{path.name} cannot be laid over this model: {str(error)[:500]}", path="inputs.lora",
            allowed="a diffusers or kohya LoRA for Stable Diffusion 1.5 or XL",
        ) from error  # fmt: skip


def _check_base(path: Path, lora: Mapping[str, Any], pipe: Any, model: Model) -> None:
    told = dict(lora.get("media") or {}).get("family")
    if told is not None and told != model.family:
        raise _wrong_base(f"the LoRA is made for {told}", model, got=told)
    expected = int(pipe.unet.config.cross_attention_dim)
    for name, tensor in read_header(path).tensors.items():
        if _TEXT_SIDE.search(name) and len(tensor.shape) >= 2 and tensor.shape[1] != expected:
            raise _wrong_base(f"its layers read {tensor.shape[1]} text features", model, got=tensor.shape[1])


def _wrong_base(why: str, model: Model, *, got: Any) -> TaskError:
    return TaskError(
        "lora_wrong_base", f"the LoRA does not fit {model.id!r}, a {model.family} model: {why}", path="inputs.lora",
        got=got, allowed=model.family, hint=f"choose a model of its family, or train a LoRA on {model.id!r}",
    )  # fmt: skip
