"""Run one task in a child with no broker, no database and no S3: for trying a task and for debugging it."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.artifact import ArtifactRef
from schemas.capability import Port
from schemas.outcome import Failed, Succeeded
from worker.registry import Registry
from worker.slot import ChildPolicy, Limits, Slot

# Kinds that are plain JSON or text values; every other kind is a file.
_VALUE_KINDS = {"script", "text", "json", "pipeline", "profile", "explanation"}
_KIND_BY_SUFFIX = {
    ".png": "image", ".jpg": "image", ".jpeg": "image", ".webp": "image", ".wav": "audio", ".mp3": "audio",
    ".flac": "audio", ".ogg": "audio", ".mp4": "video", ".webm": "video", ".glb": "model3d", ".obj": "model3d",
    ".svg": "svg", ".safetensors": "lora",
}  # fmt: skip
RUN_TIMEOUT_S = 3600.0


class BadInput(Exception):
    """Raised when an `--input` cannot be given to the task."""


def read_inputs(given: Sequence[str], *, ports: dict[str, Port]) -> dict[str, Any]:
    """Return port -> value for `port=path` words; a repeated port, or one of type array, becomes a list.

    A `.json` or `.txt` file is read as a value, unless the port wants a media file; a media file becomes a reference.

    Raises:
        BadInput: no such port or file.
    """
    values: dict[str, list[Any]] = {}
    for word in given:
        name, separator, text = word.partition("=")
        path = Path(text).resolve()
        if not separator or name not in ports:
            raise BadInput(f"{word!r}: give PORT=PATH with a port of {', '.join(sorted(ports)) or 'none'}")
        if not path.is_file():
            raise BadInput(f"{path} is not a file")
        values.setdefault(name, []).append(_value(path, ports[name].kind_of(name)))
    return {
        name: items if ports[name].type == "array" or len(items) > 1 else items[0] for name, items in values.items()
    }


async def run_task(
    task: str,
    *,
    params: dict[str, Any],
    inputs: dict[str, Any],
    packages: tuple[str, ...],
    out: Path,
    device: str,
    checkpoint: Path | None = None,
) -> int:
    """Run a task once, show its progress on stderr and its outcome as JSON on stdout; return the exit code.

    What it keeps to go on from becomes `checkpoint.*` in `out`, the latest only; give it back as `checkpoint`.
    """
    with tempfile.TemporaryDirectory(prefix="reelgraph-exec-") as scratch:
        workdir = Path(scratch) / "work"
        workdir.mkdir()
        slot = Slot("exec", Path(scratch) / "child", ChildPolicy(packages=packages), device=device)
        order = {
            "task": task,
            "params": params,
            "inputs": inputs,
            "job_id": str(uuid.UUID(int=0)),
            "node_id": task,
            "attempt": 1,
            "workdir": str(workdir),
            "seed": 0,
            "checkpoint": str(checkpoint.resolve()) if checkpoint else None,
            "provenance": {"software": "Reelgraph", "node_id": task},
        }
        began = time.monotonic()
        try:
            outcome = await slot.run(
                order,
                limits=Limits(run_s=RUN_TIMEOUT_S, idle_s=RUN_TIMEOUT_S),
                on_message=lambda message: _show(message, out),
                stop=asyncio.Event(),
            )
        finally:
            await slot.drop("done")
        print(f"{outcome.type} after {time.monotonic() - began:.2f} s", file=sys.stderr)
        shown = outcome.model_dump(mode="json", exclude_none=True)
        if isinstance(outcome, Succeeded | Failed):
            moved = _keep(outcome.artifacts, out)
            shown = _moved(shown, moved)
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0 if isinstance(outcome, Succeeded) else 1


def list_tasks(registry: Registry) -> str:
    """Return one line per task: its name, whether it can run here, and why not."""
    lines = []
    for name, task in sorted(registry.tasks.items()):
        capability = task.capability()
        state = "yes" if capability.enabled else "no "
        what = ", ".join(f"{variant}: {backend}" for variant, backend in (capability.backends or {}).items())
        lines.append(f"{state}  {name:<24} {task.queue:<4} {capability.reason or what or capability.description}")
    return "\n".join(lines)


def _value(path: Path, kind: str) -> Any:
    if kind in _VALUE_KINDS or path.suffix == ".json":
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else text
    found = _KIND_BY_SUFFIX.get(path.suffix.lower(), kind)
    try:
        ref = ArtifactRef(kind=found, name=path.name, size_bytes=path.stat().st_size, path=str(path))  # type: ignore[arg-type]
    except ValueError as error:
        raise BadInput(f"{path.name}: cannot tell its kind ({found!r})") from error
    return ref.model_dump(mode="json")


def _show(message: dict[str, Any], out: Path) -> None:
    match message.get("type"):
        case "progress":
            stage = message.get("stage") or message.get("message") or ""
            print(f"{100 * message['progress']:5.1f} %  {stage}", file=sys.stderr)
        case "log":
            print(f"log: {message['message']} {message.get('facts') or ''}", file=sys.stderr)
        case "checkpoint":
            kept = Path(message["path"])
            out.mkdir(parents=True, exist_ok=True)
            target = shutil.copy2(kept, out / f"checkpoint{kept.suffix}")
            print(f"checkpoint: {target} after step {message['step']}", file=sys.stderr)
        case _:
            pass


def _keep(artifacts: Sequence[ArtifactRef], out: Path) -> dict[str, str]:
    """Move the files out of the scratch folder; return old path -> new path."""
    moved: dict[str, str] = {}
    for ref in artifacts:
        if ref.path:
            out.mkdir(parents=True, exist_ok=True)
            moved[ref.path] = str(shutil.copy2(ref.path, out / ref.name))
    return moved


def _moved(value: Any, moved: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _moved(item, moved) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, moved) for item in value]
    return moved.get(value, value) if isinstance(value, str) else value
