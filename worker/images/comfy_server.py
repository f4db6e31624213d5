"""A ComfyUI server over HTTP: what it has, queueing, cancelling, fetching pictures. It knows no task and no socket.

Protocol: `server.py` of ComfyUI (routes `/object_info`, `/prompt`, `/queue`, `/interrupt`, `/history`, `/view`).
Every answer is bounded in time and size, and nothing in it is trusted to have the shape it should.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from schemas.states import FailureKind
from worker.context import TaskError
from worker.images.comfy_graph import Graph

SETTING, CHECKPOINT_SETTING = "REELGRAPH_COMFYUI", "REELGRAPH_COMFYUI_CHECKPOINT"
MAX_IMAGE_BYTES = 64 * 2**20
MAX_JSON_BYTES = 32 * 2**20
MAX_PIXELS = 4096 * 4096
VIEW_S = 60.0  # to fetch one picture
_TIMES = httpx.Timeout(10.0, connect=3.0)


@dataclass(frozen=True)
class Server:
    """A ComfyUI server. `url` has no slash at its end."""

    url: str

    @classmethod
    def of_settings(cls) -> Server | None:
        """Return the server that `REELGRAPH_COMFYUI` names (`http://HOST:PORT`), or None."""
        told = os.environ.get(SETTING, "").strip().rstrip("/")
        if not told:
            return None
        return cls(told if told.startswith(("http://", "https://")) else f"http://{told}")

    def socket_url(self, client_id: str) -> str:
        """Return the address of the server's WebSocket for one client."""
        return f"ws{self.url.removeprefix('http')}/ws?clientId={client_id}"

    def options(self, node_class: str, name: str) -> list[str]:
        """Return the choices of a node's input, for example the checkpoints; empty when the server has no such node."""
        found = self._json("GET", f"/object_info/{node_class}")
        required = _dig(found, node_class, "input", "required", name)
        match required:
            case [list() as choices, *_] | [_, {"options": list() as choices}, *_]:  # the old and the new shape
                return [str(choice) for choice in choices]
            case _:
                return []

    def lacks(self, node_classes: tuple[str, ...]) -> list[str]:
        """Return the node classes that the server does not know."""
        return [name for name in node_classes if not _dig(self._json("GET", f"/object_info/{name}"), name)]

    def checkpoint(self, wanted: str | None = None) -> str:
        """Return the server's name of the wanted checkpoint (with or without folder and suffix), or its default.

        Raises:
            TaskError: `model_unknown`, `model_missing`, `comfyui_unreachable`.
        """
        names = self.options("CheckpointLoaderSimple", "ckpt_name")
        wanted = wanted or os.environ.get(CHECKPOINT_SETTING, "").strip() or None
        if not names:
            raise TaskError(
                "model_missing", f"the ComfyUI server at {self.url} has no checkpoint", kind=FailureKind.DEPENDENCY,
                hint="put a .safetensors checkpoint into its models/checkpoints folder",
            )  # fmt: skip
        if wanted is None:
            return names[0]
        if (found := named(wanted, names)) is not None:
            return found
        raise TaskError(
            "model_unknown", f"the ComfyUI server has no checkpoint {wanted!r}", path="params.model", got=wanted,
            allowed=names[:50],
        )  # fmt: skip

    def submit(self, graph: Graph, *, client_id: str, previews: bool) -> str:
        """Queue a graph and return its prompt id.

        Raises:
            TaskError: `comfyui_refused` (the server found the graph invalid), `comfyui_unreachable`.
        """
        extra = {"preview_method": "auto" if previews else "none"}
        answer = self._send("POST", "/prompt", {"prompt": graph, "client_id": client_id, "extra_data": extra})
        told = _parsed(answer)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise TaskError(
                "comfyui_refused", f"the ComfyUI server refused the graph: {_why(told)}", kind=FailureKind.BUG,
                hint="update ComfyUI, or remove what replaces its built-in nodes", detail=answer.text[:4000],
            )  # fmt: skip
        _expect_ok(answer)
        prompt_id = _dig(told, "prompt_id")
        if not isinstance(prompt_id, str) or not prompt_id:
            raise _not_the_protocol("/prompt gave no prompt id")
        return prompt_id

    def ended(self, prompt_id: str) -> dict[str, Any] | None:
        """Return the history entry of a prompt that has ended, or None."""
        entry = _dig(self._json("GET", f"/history/{prompt_id}"), prompt_id)
        return entry if isinstance(entry, dict) else None

    def place(self, prompt_id: str) -> str | int | None:
        """Return `running`, how many wait before it, or None when the queue does not have the prompt."""
        queue = self._json("GET", "/queue")
        if prompt_id in _ids(_dig(queue, "queue_running")):
            return "running"
        pending = _ids(_dig(queue, "queue_pending"))
        return pending.index(prompt_id) if prompt_id in pending else None

    def drop(self, prompt_id: str) -> None:
        """Take a prompt out of the queue, or interrupt it when it is the one that runs; never another one's."""
        with suppress(TaskError, httpx.HTTPError):
            self._send("POST", "/queue", {"delete": [prompt_id]})
            if self.place(prompt_id) == "running":
                self._send("POST", "/interrupt", {"prompt_id": prompt_id})

    def picture(self, file: Mapping[str, Any]) -> NDArray[np.uint8]:
        """Fetch one picture of a history entry, uint8 [H, W, 3] RGB.

        Raises:
            TaskError: `comfyui_bad_image` (too big, no picture), `comfyui_unreachable`.
        """
        asked = {key: str(file.get(key, "")) for key in ("filename", "subfolder", "type")}
        until, data = time.monotonic() + VIEW_S, io.BytesIO()
        try:
            with (
                httpx.Client(timeout=_TIMES, trust_env=False) as client,
                client.stream("GET", f"{self.url}/view", params=asked) as answer,
            ):
                _expect_ok(answer)
                for chunk in answer.iter_bytes():
                    data.write(chunk)
                    if data.tell() > MAX_IMAGE_BYTES or time.monotonic() > until:
                        raise _bad_image(f"more than {MAX_IMAGE_BYTES} bytes or {VIEW_S:g} s", asked["filename"])
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return _decoded(data, asked["filename"])

    def _json(self, method: str, path: str) -> Any:
        answer = self._send(method, path)
        _expect_ok(answer)
        return _parsed(answer)

    def _send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        try:
            with httpx.Client(timeout=_TIMES, trust_env=False) as client:
                return client.request(method, f"{self.url}{path}", json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> TaskError:
        return TaskError(
            "comfyui_unreachable", f"the ComfyUI server at {self.url} does not answer: {error or type(error).__name__}",
            kind=FailureKind.DEPENDENCY, hint=f"start it, or correct {SETTING}",
        )  # fmt: skip


def named(wanted: str, names: list[str]) -> str | None:
    """Return the entry of a server's list that is meant: its full name, its file name, or that without the suffix."""
    for spelled in (str, _file_name, _stem):
        for name in names:
            if spelled(name) == wanted:
                return name
    return None


def _file_name(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def _decoded(data: io.BytesIO, name: str) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    data.seek(0)
    try:
        with Image.open(data) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise _bad_image(f"{opened.width}x{opened.height} pixels", name)
            return np.asarray(opened.convert("RGB"), np.uint8)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise _bad_image(f"no readable picture: {error}", name) from error


def _bad_image(why: str, name: str) -> TaskError:
    return TaskError("comfyui_bad_image", f"{name!r} of the ComfyUI server: {why}", kind=FailureKind.DEPENDENCY)


def _expect_ok(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise _not_the_protocol(f"{answer.request.url.path} answered {answer.status_code}")


def _not_the_protocol(what: str) -> TaskError:
    return TaskError(
        "comfyui_protocol", f"the server does not speak ComfyUI's protocol: {what}", kind=FailureKind.DEPENDENCY,
        hint=f"{SETTING} must name a ComfyUI server, and no login page may stand before it",
    )  # fmt: skip


def _parsed(answer: httpx.Response) -> Any:
    if len(answer.content) > MAX_JSON_BYTES:
        raise _not_the_protocol(f"{answer.request.url.path} gave {len(answer.content)} bytes")
    try:
        return answer.json()
    except ValueError:
        raise _not_the_protocol(f"{answer.request.url.path} gave no JSON") from None


def _dig(value: Any, *keys: str) -> Any:
    """Return what lies at the end of the keys, or None where the document has another shape."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _ids(entries: Any) -> list[str]:
    """Return the prompt ids of queue entries `[number, prompt id, ...]`, first to run first."""
    rows = [entry for entry in entries or [] if isinstance(entry, list) and len(entry) > 1]
    return [str(entry[1]) for entry in sorted(rows, key=lambda entry: float(entry[0]))]


def _why(told: Any) -> str:
    """Return the reasons of a refused prompt in one line."""
    reasons = [_dig(told, "error", "message")]
    for errors in (_dig(told, "node_errors") or {}).values() if isinstance(_dig(told, "node_errors"), dict) else ():
        reasons += [f"{_dig(one, 'message')} ({_dig(one, 'details')})" for one in _dig(errors, "errors") or []]
    return "; ".join(str(reason) for reason in reasons if reason)[:600] or "no reason given"
