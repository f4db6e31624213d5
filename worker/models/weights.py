"""Which weight files may be loaded, and the one way to load them: safetensors, no pickle, no code, no links out.

Source: RELIABILITY.md 5.8. Pickle scanners are no boundary, so a pickle is refused whatever is in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from worker.context import TaskError
from worker.models.header import NO_PICKLE, open_regular, read_header, refuse_pickle

if TYPE_CHECKING:
    import torch

MAX_FILES = 2000
MAX_TEXT_BYTES = 64 * 2**20  # a config, a vocabulary
CARD = "model.json"
_PICKLES = frozenset({".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".npy", ".npz", ".joblib", ".tar"})
_CODE = frozenset({".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".sh", ".exe", ".js", ".ipynb"})
_LIBRARIES = frozenset({"diffusers", "transformers", "stable_diffusion"})  # the last one: old name in SD 1.5 folders


def read_weights(path: Path, *, device: str = "cpu") -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file by name, with the types they were stored in, on `device`.

    Raises:
        TaskError: `weights_missing`, `weights_pickled`, `weights_corrupt`, `weights_unsafe`.
    """
    read_header(path)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device=device)
    except SafetensorError as error:
        raise TaskError("weights_corrupt", f"{path.name} cannot be read: {error}") from error


def refuse_unsafe(folder: Path) -> None:
    """Refuse a model folder that holds anything but whole safetensors and plain data, or lacks a weight it promises.

    Raises:
        TaskError: `weights_pickled`, `weights_corrupt`, `weights_missing`, or `weights_unsafe` (code, remote code,
            a link out of the folder, absurdly many or big files).
    """
    for path in safe_files(folder):
        if path.suffix == ".safetensors":
            read_header(path)
        elif path.suffix == ".json":
            _refuse_remote_code(path, read_json(path))
        else:
            with open_regular(path) as file:
                refuse_pickle(path, file.read(8))
    if (folder / "model_index.json").exists():
        _refuse_lacking(folder)


def safe_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a model folder, hidden ones left out, in the order of their names.

    Raises:
        TaskError: `weights_unsafe`, `weights_pickled` by name, links and numbers; `weights_missing`: no such folder.
    """
    if not folder.is_dir():
        raise TaskError("weights_missing", f"there is no folder {folder}")
    home, count = folder.resolve(), 0
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted([*folders, *names]):
            path = Path(root, name)
            if name.startswith("."):
                continue
            count += 1
            if count > MAX_FILES:
                raise TaskError("weights_unsafe", f"{folder.name} has more than {MAX_FILES} files", allowed=MAX_FILES)
            if path.is_symlink():
                raise TaskError(
                    "weights_unsafe",
                    f"{path.relative_to(folder)} is a link" + ("" if path.resolve().is_relative_to(home) else " out"),
                    hint="copy the folder with `cp -rL`, so that it holds the files themselves",
                )
            if name in names:
                refuse_name(path, folder)
                yield path


def variant_of(folder: Path) -> str | None:
    """Return the `variant=` that `from_pretrained` needs: `fp16` when only such weights are there, else None."""
    weights = [path.name for path in folder.rglob("*.safetensors")]
    return "fp16" if weights and all(".fp16" in name for name in weights) else None


def read_json(path: Path) -> Any:
    """Return a bounded JSON document of a model folder.

    Raises:
        TaskError: `weights_corrupt`, `weights_unsafe`.
    """
    with open_regular(path) as file:
        text = file.read(MAX_TEXT_BYTES + 1)
    if len(text) > MAX_TEXT_BYTES:
        raise TaskError("weights_unsafe", f"{path.name} is absurdly big for JSON", allowed=MAX_TEXT_BYTES)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise TaskError("weights_corrupt", f"{path.name} is not JSON: {error}") from error


def refuse_name(path: Path, folder: Path) -> None:
    """Raise for a file whose name says that it is code or a pickle."""
    suffix, shown = path.suffix.lower(), path.relative_to(folder)
    if suffix in _CODE:
        hint = "delete it: no code of a model is ever run"
        raise TaskError("weights_unsafe", f"{shown} is code", got=suffix, hint=hint)
    if suffix in _PICKLES:
        names = {f"{path.stem}.safetensors", "model.safetensors" if path.stem == "pytorch_model" else ""}
        twin = any((path.parent / name).is_file() for name in names)
        hint = "delete it: the safetensors beside it are used" if twin else NO_PICKLE
        raise TaskError("weights_pickled", f"{shown} may be a pickle", got=suffix, allowed=".safetensors", hint=hint)


def _refuse_remote_code(path: Path, document: Any) -> None:
    if isinstance(document, dict) and ("auto_map" in document or "custom_pipelines" in document):
        raise TaskError("weights_unsafe", f"{path.name} asks for code of its own", got="auto_map")


def _refuse_lacking(folder: Path) -> None:
    """Every component of a diffusers folder is of a known library and, if it has weights, has whole safetensors."""
    index = read_json(folder / "model_index.json")
    if not isinstance(index, dict):
        raise TaskError("weights_corrupt", "model_index.json is not an object")
    for name, told in index.items():
        if name.startswith("_") or not isinstance(told, list) or told[:1] in ([None], []):
            continue
        if told[0] not in _LIBRARIES:
            message = f"the part {name!r} needs code of its own ({told[0]})"
            raise TaskError("weights_unsafe", message, got=told[0], allowed=sorted(_LIBRARIES))
        part = folder / name
        if not part.is_dir():
            raise TaskError("weights_missing", f"the folder of the part {name!r} is missing", path=name)
        if (part / "config.json").exists() and not any(part.glob("*.safetensors")):
            message = f"the part {name!r} has no .safetensors file"
            raise TaskError("weights_missing", message, path=name, hint="fetch the folder again, with safetensors")
        for shards in part.glob("*.safetensors.index.json"):
            for shard in sorted(set(_weight_map(shards).values())):
                if "/" in str(shard) or not (part / str(shard)).is_file():
                    raise TaskError("weights_missing", f"{name}/{shard} is missing", path=f"{name}/{shard}")


def _weight_map(path: Path) -> dict[str, Any]:
    document = read_json(path)
    found = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise TaskError("weights_corrupt", f"{path.name} has no weight map")
    return found
