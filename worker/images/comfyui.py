"""The image backend `comfyui`: pictures drawn by a ComfyUI server that the user runs (`REELGRAPH_COMFYUI`).

A LoRA cannot be sent over ComfyUI's HTTP interface: it must lie on the server, under the name this module says.
"""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.states import FailureKind
from worker.context import TaskContext, TaskError
from worker.images.comfy_graph import filled, node_classes, sampler_id
from worker.images.comfy_server import SETTING, Server, named
from worker.images.comfy_watch import Watch
from worker.images.lora import lora_path
from worker.images.policy import policy_folder, policy_lacking
from worker.images.schedulers import COMFYUI, SchedulerName

ASKED_AGAIN_S = 10.0  # how long an answer about the server stands
GENERIC_NAMES = frozenset({"pytorch_lora_weights.safetensors", "lora.safetensors"})
_lock = threading.Lock()
_known: dict[str, tuple[float, str | None]] = {}


def available() -> str | None:
    """Return None when a server is configured, answers, and has the nodes and a checkpoint, else what to do."""
    server = Server.of_settings()
    if server is None:
        return f"no ComfyUI server is configured: set {SETTING}=http://HOST:8188"
    with _lock:
        asked_s, reason = _known.get(server.url, (-1e9, None))
        if time.monotonic() - asked_s > ASKED_AGAIN_S:
            reason = _lacking(server)
            _known[server.url] = (time.monotonic(), reason)
    return reason or policy_lacking()


def draw(
    ctx: TaskContext,
    prompt: str,
    *,
    negative_prompt: str,
    width: int | None,
    height: int | None,
    steps: int,
    guidance_scale: float,
    scheduler: SchedulerName,
    seed: int,
    count: int,
    lora: Mapping[str, Any] | None,
    lora_scale: float,
    model: str | None,
) -> tuple[list[NDArray[np.uint8]], str]:
    """Return the pictures, each uint8 [H, W, 3] RGB, and the checkpoint that drew them.

    The pictures are queued one after the other, each with the next seed, so that any of them can be drawn alone.

    Raises:
        TaskError: `comfyui_*`, `model_unknown`, `model_missing`, `lora_not_on_server`.
        TaskCancelled: the job was cancelled; the prompt is taken off the server.
    """
    server = Server.of_settings()
    if server is None:
        raise TaskError("comfyui_missing", str(available()), kind=FailureKind.DEPENDENCY)
    checkpoint = server.checkpoint(model)
    side = 1024 if "xl" in checkpoint.lower() else 512
    sampler, schedule = COMFYUI[scheduler]
    slots = {
        "prompt": prompt, "negative_prompt": negative_prompt, "width": width or side, "height": height or side,
        "steps": steps, "guidance_scale": guidance_scale, "sampler": sampler, "scheduler": schedule,
        "checkpoint": checkpoint, "lora": _lora_on(ctx, server, lora) if lora else None, "lora_scale": lora_scale,
    }  # fmt: skip
    client_id = uuid.uuid4().hex
    previews, pictures = policy_folder() is None, []

    def report(done: float, stage: str) -> None:
        ctx.progress(0.98 * (len(pictures) + done) / count, stage=stage)

    watch = Watch(ctx, server, client_id=client_id, sampler=sampler_id(), previews=previews, report=report)
    watch.open()
    try:
        for number in range(count):
            graph = filled({**slots, "seed": (seed or ctx.seed) + number}, lora=lora is not None)
            prompt_id = server.submit(graph, client_id=client_id, previews=previews)
            try:
                entry = watch.until_end(prompt_id)
            except BaseException:
                server.drop(prompt_id)
                raise
            pictures.append(_fitting(server.picture(_first_file(entry)), slots))
            report(0.0, f"picture {number + 1} of {count}")
    finally:
        watch.close()
    return pictures, checkpoint


def _lacking(server: Server) -> str | None:
    try:
        missing = server.lacks(node_classes(lora=False))
        if missing:
            return f"the ComfyUI server at {server.url} lacks the nodes {', '.join(missing)}: update it"
        server.checkpoint()
    except TaskError as error:
        return f"{error}" + (f": {error.failure.hint}" if error.failure.hint else "")
    return None


def _lora_on(ctx: TaskContext, server: Server, lora: Mapping[str, Any]) -> str:
    """Return the server's name of a LoRA: that of its digest, or its own file name where that says something."""
    path = lora_path(lora)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    pinned, own = f"reelgraph-{digest[:12]}.safetensors", str(lora.get("name") or path.name)
    names = server.options("LoraLoader", "lora_name")
    if (found := named(pinned, names)) is not None:
        return found
    if own not in GENERIC_NAMES and (found := named(own, names)) is not None:
        ctx.log("the LoRA on the ComfyUI server is taken by its name; its content is not compared", name=found)
        return found
    raise TaskError(
        "lora_not_on_server", f"the ComfyUI server has no LoRA {pinned!r}, and none can be sent to it over HTTP",
        path="inputs.lora", got=own, allowed=names[:50],
        hint=f"copy the LoRA's file to models/loras/{pinned} of the ComfyUI server, then retry",
    )  # fmt: skip


def _first_file(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    outputs = entry.get("outputs")
    for output in outputs.values() if isinstance(outputs, dict) else ():
        for file in (output.get("images") or []) if isinstance(output, dict) else ():
            if isinstance(file, dict) and file.get("filename"):
                return file
    raise TaskError("comfyui_no_image", "the ComfyUI server ended without a picture", kind=FailureKind.DEPENDENCY)


def _fitting(picture: NDArray[np.uint8], slots: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return the picture when it is what was asked for: its size, and more than one colour."""
    wanted = (slots["height"], slots["width"])
    if picture.shape[:2] != wanted:
        got = f"{picture.shape[1]}x{picture.shape[0]}"
        raise TaskError("comfyui_bad_image", f"the ComfyUI server drew {got}", kind=FailureKind.DEPENDENCY, got=got,
                        allowed=f"{wanted[1]}x{wanted[0]}")  # fmt: skip
    if int(picture.max()) == int(picture.min()):
        raise TaskError("image_empty", "the model drew a picture of one single colour", kind=FailureKind.DEPENDENCY,
                        hint="change the seed, the scheduler or the guidance scale")  # fmt: skip
    return picture
