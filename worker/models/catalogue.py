"""Every model found in the user's folders, with family, licence and digest, or why it is refused. It loads none.

`REELGRAPH_MODELS` lists folders; `REELGRAPH_MODEL_<FAMILY>` chooses the default of a family, by id or by path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from worker.context import TaskError
from worker.models.digest import digest_of_file, digest_of_files, fingerprint, known_digest
from worker.models.families import FAMILIES, PIPELINES, SD2_CONTEXT, family_of_names, family_of_tensors
from worker.models.header import Header, open_regular, read_header, refuse_pickle
from worker.models.weights import CARD, MAX_FILES, read_json, refuse_name, refuse_unsafe, safe_files

DEFAULT_FOLDER = "~/.reelgraph/models"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_README_LICENCE = re.compile(rb"^license:\s*[\"']?([\w.+-]+)", re.MULTILINE)
_README_BYTES = 8192
_LICENCE_KEYS = ("modelspec.license", "license")
Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Model:
    """A usable model.

    Attributes:
        id: the name of its folder, or of its file without the suffix.
        path: a diffusers folder, the one weight file, or the folder when the weights are several files.
        revision: what its card says, else `local`.
        files: what its size and digest cover.
        pinned: the sha256 that its card demands.
    """

    id: str
    family: str
    path: Path
    revision: str
    licence: str | None
    size_bytes: int
    files: tuple[Path, ...] = ()
    pinned: str | None = None

    @cached_property
    def sha256(self) -> str:
        """The digest of its file, or of the sorted `NAME DIGEST` lines of its folder; computed once, then kept.

        Raises:
            TaskError: `weights_changed`: the card pins another digest.
        """
        found = digest_of_file(self.path) if self.path.is_file() else digest_of_files(self.path, self.files)
        if self.pinned is not None and self.pinned != found:
            message = f"the model {self.id!r} is not what its card pins"
            raise TaskError("weights_changed", message, got=found, allowed=self.pinned, hint="fetch it again")
        return found

    @property
    def fingerprint(self) -> str:
        """What names these very weights at no cost: the sha256 once it is known, until then their sizes and times."""
        if all(known_digest(path) is not None for path in self.files):
            return self.sha256
        return "unread:" + fingerprint(self.path.parent, self.files)


@dataclass(frozen=True)
class Refused:
    """What lies in a model folder and is not usable, and why."""

    id: str
    path: Path
    error: TaskError


_looked: dict[Path, tuple[Stamp, Model | Refused]] = {}


def folders() -> tuple[Path, ...]:
    """Return the model folders in the order in which they are searched; they need not exist."""
    listed = os.environ.get("REELGRAPH_MODELS") or DEFAULT_FOLDER
    return tuple(Path(part).expanduser().absolute() for part in listed.split(os.pathsep) if part.strip())


def catalogue() -> tuple[Model, ...]:
    """Return every usable model in the order of ids; a model whose files did not change is not read again."""
    return tuple(one for one in survey() if isinstance(one, Model))


def survey() -> tuple[Model | Refused, ...]:
    """Return all that was found, usable or refused, in the order of ids."""
    found: list[Model | Refused] = []
    usable: dict[str, Model] = {}
    for path in dict.fromkeys(_places()):
        one = _look(path)
        if isinstance(one, Model) and (first := usable.setdefault(one.id, one)) is not one:
            error = TaskError("model_hidden", f"{first.path} has the same id and comes first", hint="rename one")
            one = Refused(one.id, path, error)
        found.append(one)
    return tuple(sorted(found, key=lambda one: (one.id, str(one.path))))


def choose(*families: str, id: str | None = None) -> Model:
    """Return the model of this id, else the default of the first family that has one, else the first by id.

    Raises:
        TaskError: `model_unknown` (no such id, or of another family; `allowed` lists the fitting ones),
            `model_missing` (nothing of these families).
    """
    usable = catalogue()
    fitting = [model for model in usable if model.family in families]
    if id is not None:
        for model in fitting:
            if model.id == id:
                return model
        raise _unknown(id, families=families, fitting=fitting)
    for family in families:
        if (wanted := _default_id(family)) is not None:
            for model in fitting:
                if model.id == wanted and model.family == family:
                    return model
            raise _unknown(wanted, families=(family,), fitting=fitting)
    if fitting:
        return fitting[0]
    raise TaskError("model_missing", f"there is no model of family {' or '.join(families)}", allowed=list(families),
                    hint=lacking(*families, purpose="this task"))  # fmt: skip


def lacking(*families: str, purpose: str) -> str | None:
    """Return None when a model of one of these families is there, else what to fetch and where to put it."""
    found = survey()
    if any(isinstance(one, Model) and one.family in families for one in found):
        return None
    wanted = " or ".join(f"{FAMILIES[one].title} (about {FAMILIES[one].size_gb:g} GB, licence {FAMILIES[one].licence})"
                         for one in families)  # fmt: skip
    place = folders()[0]
    text = f"{purpose} needs {wanted}: put {FAMILIES[families[0]].form} at {place}/NAME"
    refused = [one for one in found if isinstance(one, Refused)]
    return text if not refused else f"{text} (refused: {refused[0].id}, {refused[0].error}; see `reelgraph models`)"


def _places() -> Iterator[Path]:
    """Yield the path of everything that looks like a model: user paths first, then the folders in order."""
    for family in FAMILIES:
        if (chosen := _chosen_path(family)) is not None:
            yield chosen
    for folder in folders():
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
        except OSError:
            continue
        for name in names[:MAX_FILES]:
            path = folder / name
            if path.is_dir() or path.is_symlink() or path.suffix.lower() not in {".json", ".md", ".txt"}:
                yield path


def _chosen_path(family: str) -> Path | None:
    chosen = os.environ.get(f"REELGRAPH_MODEL_{family.upper()}", "").strip()
    return Path(chosen).expanduser().absolute() if "/" in chosen or os.sep in chosen else None


def _default_id(family: str) -> str | None:
    path = _chosen_path(family)
    return _id_of(path) if path is not None else os.environ.get(f"REELGRAPH_MODEL_{family.upper()}", "").strip() or None


def _id_of(path: Path) -> str:
    return path.name if path.is_dir() else path.name.removesuffix(".safetensors").removesuffix(".onnx")


def _look(path: Path) -> Model | Refused:
    stamp = _stamp(path)
    known = _looked.get(path)
    if known is not None and known[0] == stamp:
        return known[1]
    try:
        found: Model | Refused = _read(path)
    except TaskError as error:
        found = Refused(_id_of(path), path, error)
    _looked[path] = (stamp, found)
    return found


def _stamp(path: Path) -> Stamp:
    """Return (name, size, change time) of all files below, hidden ones left out; bounded like the folder itself."""
    facts = [_facts(path), _facts(_card_path(path))]
    for root, below, names in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("."))
        facts += [_facts(Path(root, name)) for name in (*below, *sorted(names)) if not name.startswith(".")]
        if len(facts) > MAX_FILES + 1:
            break
    return tuple(facts)


def _facts(path: Path) -> tuple[str, int, int]:
    try:
        found = path.lstat()
    except OSError:
        return (str(path), -1, 0)
    return (str(path), found.st_size if path.is_file() else 0, found.st_ctime_ns if path.is_file() else 0)


def _card_path(path: Path) -> Path:
    return path / CARD if path.is_dir() else path.with_suffix(".json")


def _read(path: Path) -> Model:
    id = _id_of(path)
    if not _ID.fullmatch(id):
        raise TaskError("model_name", f"{id!r} cannot be an id", allowed=_ID.pattern, hint="rename it")
    if path.is_symlink():
        hint = f"name it by REELGRAPH_MODEL_<FAMILY>={path.resolve()}, or put its folder into REELGRAPH_MODELS"
        raise TaskError("weights_unsafe", f"{path.name} is a link", hint=hint)
    card_path = _card_path(path)
    card = read_json(card_path) if card_path.is_file() else {}
    if not isinstance(card, dict) or not all(isinstance(card.get(key, ""), str) for key in _CARD_KEYS):
        raise TaskError("model_card", f"{card_path.name} must hold texts", allowed=list(_CARD_KEYS))
    if path.is_dir():
        return _read_folder(id, path, card)
    if path.suffix != ".safetensors":
        with open_regular(path) as file:
            refuse_pickle(path, file.read(8))
        refuse_name(path, path.parent)
        raise TaskError("weights_unsafe", f"{path.name} is no .safetensors file and no folder", got=path.suffix)
    return _model(id, path, (path,), card, family=_family_of_file(path), header=read_header(path))


_CARD_KEYS = ("family", "licence", "revision", "sha256")


def _read_folder(id: str, folder: Path, card: dict[str, Any]) -> Model:
    refuse_unsafe(folder)
    files = tuple(path for path in safe_files(folder) if path.name != CARD and path.suffix.lower() != ".md")
    weights = [path for path in files if path.suffix in {".safetensors", ".onnx"}]
    if not weights:
        raise TaskError("weights_missing", f"{folder.name} holds no .safetensors file")
    if (folder / "model_index.json").is_file():
        return _model(id, folder, files, card, family=_family_of_index(folder))
    family = family_of_names(frozenset(path.name for path in files))
    if len(weights) > 1:
        return _model(id, folder, files, card, family=family)
    if weights[0].suffix == ".onnx":
        return _model(id, weights[0], (weights[0],), card, family=family)
    return _model(id, weights[0], (weights[0],), card, family=family or _family_of_file(weights[0]),
                  header=read_header(weights[0]))  # fmt: skip


def _model(
    id: str,
    path: Path,
    files: tuple[Path, ...],
    card: dict[str, Any],
    *,
    family: str | None,
    header: Header | None = None,
) -> Model:
    told = card.get("family")
    if told is not None and told not in FAMILIES:
        raise TaskError("model_card", f"no family {told!r}", path="family", got=told, allowed=sorted(FAMILIES))
    if told is not None and family is not None and told != family:
        raise TaskError("model_card", f"the card says {told}, the weights are {family}", path="family", got=told)
    if (family := told or family) is None:
        raise TaskError(
            "model_family", "its family cannot be told from its tensors", allowed=sorted(FAMILIES),
            hint=f'if it is one of them, say so in {CARD}: {{"family": "sd15", "licence": "...", "revision": "..."}}',
        )  # fmt: skip
    licence = card.get("licence") or _licence(path if path.is_dir() else path.parent, header)
    return Model(
        id=id, family=family, path=path, revision=card.get("revision") or "local", licence=licence,
        size_bytes=sum(one.stat().st_size for one in files), files=files, pinned=card.get("sha256"),
    )  # fmt: skip


def _family_of_file(path: Path) -> str | None:
    return family_of_tensors(read_header(path).tensors)


def _family_of_index(folder: Path) -> str:
    told = read_json(folder / "model_index.json").get("_class_name")
    if told not in PIPELINES:
        raise TaskError("model_family", f"no backend for the pipeline {told!r}", got=told, allowed=sorted(PIPELINES))
    unet = folder / "unet" / "config.json"
    config = read_json(unet) if unet.is_file() else {}
    if PIPELINES[told] == "sd15" and config.get("cross_attention_dim") == SD2_CONTEXT:
        raise TaskError("model_family", "it is a Stable Diffusion 2 model", allowed=sorted(FAMILIES))
    return PIPELINES[told]


def _licence(folder: Path, header: Header | None) -> str | None:
    """Return what the file's metadata or the folder's README says."""
    for key in _LICENCE_KEYS:
        if header is not None and header.metadata.get(key):
            return header.metadata[key][:100]
    try:
        with open(folder / "README.md", "rb") as file:
            found = _README_LICENCE.search(file.read(_README_BYTES))
    except OSError:
        return None
    return found[1].decode() if found else None


def _unknown(id: str, *, families: tuple[str, ...], fitting: list[Model]) -> TaskError:
    return TaskError(
        "model_unknown", f"there is no usable model {id!r} of family {' or '.join(families)}",
        got=id, allowed=[model.id for model in fitting], hint="`reelgraph models` says what was found and refused",
    )  # fmt: skip
