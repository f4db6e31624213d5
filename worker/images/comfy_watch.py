"""Waits for one prompt of a ComfyUI server: its WebSocket shows steps and previews, its history says how it ended.

The socket may break, be late, or say nonsense: what counts is the history, asked whenever the socket is silent.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from schemas.states import FailureKind
from worker.context import TaskContext, TaskError
from worker.images.comfy_server import Server
from worker.images.latents import EVERY_S, small_jpeg

SILENCE_S = 2.0  # of the socket, after which the server is asked
LISTEN_S = 0.25  # how long a cancel may wait
LONGEST_S = 1800.0  # from queueing to the end
UNREACHABLE_S = 30.0  # without any answer, then the run has failed
MAX_FRAME_BYTES = 32 * 2**20
PREVIEW, PREVIEW_WITH_FACTS = 1, 4  # event numbers of binary frames
Report = Callable[[float, str], None]
"""Takes the share done, 0 to 1, and what is going on."""


class Watch:
    """The life of one prompt.

    Args:
        sampler: node whose steps are reported.
        previews: whether pictures may be shown before the end.
    """

    def __init__(
        self, ctx: TaskContext, server: Server, *, client_id: str, sampler: str, previews: bool, report: Report
    ) -> None:
        self._ctx, self._server, self._client_id = ctx, server, client_id
        self._sampler, self._previews, self._report = sampler, previews, report
        self._socket: Any = None
        self._opened = ExitStack()
        self._retry_s, self._preview_s = 0.0, 0.0
        self._running_node: str | None = None

    def open(self) -> None:
        """Connect the socket; a server without one is watched through its history alone."""
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        try:
            connecting = connect(
                self._server.socket_url(self._client_id), open_timeout=3, close_timeout=1,
                max_size=MAX_FRAME_BYTES, proxy=None,
            )  # fmt: skip
            self._socket = self._opened.enter_context(connecting)
        except (OSError, WebSocketException, TimeoutError):
            self._socket, self._retry_s = None, time.monotonic() + 1.0

    def close(self) -> None:
        """Close the socket."""
        self._opened.close()
        self._socket = None

    def until_end(self, prompt_id: str) -> dict[str, Any]:
        """Return the history entry of the prompt once it has ended well.

        Raises:
            TaskError: `comfyui_failed`, `comfyui_out_of_memory`, `comfyui_interrupted`, `comfyui_lost` (the server
                knows it no more), `comfyui_slow`, `comfyui_unreachable`.
            TaskCancelled: the job was cancelled.
        """
        began = heard = asked = time.monotonic()
        missing = 0
        while True:
            self._ctx.check_cancelled()
            now = time.monotonic()
            if now - began > LONGEST_S:
                raise TaskError("comfyui_slow", f"no picture after {LONGEST_S:g} s", kind=FailureKind.TIMEOUT)
            over = self._listen(prompt_id)
            if not over and time.monotonic() - asked < SILENCE_S:
                continue
            asked = time.monotonic()
            try:
                entry = self._server.ended(prompt_id)
                place = None if entry is not None else self._server.place(prompt_id)
                heard = time.monotonic()
            except TaskError:
                if time.monotonic() - heard > UNREACHABLE_S:
                    raise
                continue
            if entry is not None:
                return _checked(entry)
            missing = missing + 1 if place is None else 0
            if missing > 2:  # twice may be the moment between queue and history
                raise TaskError(
                    "comfyui_lost", "the ComfyUI server has forgotten the prompt: it was restarted or cleared",
                    kind=FailureKind.DEPENDENCY,
                )  # fmt: skip
            if isinstance(place, int):
                self._report(0.0, f"waiting in the server's queue, {place} before this")
            elif place == "running" and self._running_node is None:
                self._report(0.01, "drawing")

    def _listen(self, prompt_id: str) -> bool:
        """Take what the socket says within a moment; return whether it says that the prompt has ended."""
        from websockets.exceptions import WebSocketException

        if self._socket is None:
            if time.monotonic() < self._retry_s:
                self._ctx.cancelled.wait(LISTEN_S)
                return False
            self.open()
            return self._socket is not None  # what happened meanwhile only the history knows
        try:
            message = self._socket.recv(timeout=LISTEN_S)
        except TimeoutError:
            return False
        except (WebSocketException, OSError):
            self.close()
            self._retry_s = time.monotonic() + LISTEN_S
            return True
        if isinstance(message, bytes):
            self._show(message)
            return False
        return self._hear(message, prompt_id)

    def _hear(self, text: str, prompt_id: str) -> bool:
        try:
            message = json.loads(text)
            kind, data = message["type"], message["data"]
            if data.get("prompt_id", prompt_id) != prompt_id:
                return False
            match kind:
                case "progress" if str(data.get("node", self._running_node)) == self._sampler:
                    done, steps = int(data["value"]), max(1, int(data["max"]))
                    self._report(0.05 + 0.9 * min(1.0, done / steps), f"step {done} of {steps}")
                case "executing" if data.get("node") is None:
                    return "prompt_id" in data
                case "executing":
                    self._running_node = str(data["node"])
                case "execution_success" | "execution_error" | "execution_interrupted":
                    return True
                case _:
                    pass
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # nonsense of the socket changes nothing: the history decides
        return False

    def _show(self, frame: bytes) -> None:
        """Show a binary preview: event number, format or length of its facts (4 bytes each, big-endian), picture."""
        now = time.monotonic()
        if not self._previews or now < self._preview_s or len(frame) <= 8:
            return
        event, second = struct.unpack(">II", frame[:8])
        start = {PREVIEW: 8, PREVIEW_WITH_FACTS: 8 + second}.get(event)
        if start is None or start >= len(frame):
            return
        import cv2

        picture = cv2.imdecode(np.frombuffer(frame, np.uint8, offset=start), cv2.IMREAD_COLOR)
        if picture is not None:
            self._preview_s = now + EVERY_S
            self._ctx.preview(small_jpeg(np.asarray(picture[..., ::-1], np.uint8)))


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a history entry that ended well; the messages of its status say why another did not."""
    status = entry.get("status")
    if not isinstance(status, dict) or status.get("status_str", "success") == "success":
        return entry
    for message in status.get("messages") or []:
        match message:
            case ["execution_error", dict() as told]:
                raise _failed(told)
            case ["execution_interrupted", *_]:
                raise TaskError(
                    "comfyui_interrupted", "someone interrupted the prompt on the ComfyUI server",
                    kind=FailureKind.DEPENDENCY,
                )  # fmt: skip
            case _:
                continue
    raise TaskError("comfyui_failed", "the ComfyUI server failed and gave no reason", kind=FailureKind.BUG)


def _failed(told: dict[str, Any]) -> TaskError:
    kind, why = str(told.get("exception_type", "")), str(told.get("exception_message", "")).strip()[:600]
    where = f"{told.get('node_type', 'a node')} (node {told.get('node_id', '?')})"
    detail = "".join(str(line) for line in told.get("traceback") or [])[-6000:] or None
    if "OutOfMemory" in kind or "out of memory" in why.lower():
        return TaskError(
            "comfyui_out_of_memory", f"the ComfyUI server ran out of memory in {where}", kind=FailureKind.CAPACITY,
            hint="choose a smaller picture", detail=detail,
        )  # fmt: skip
    return TaskError("comfyui_failed", f"{where} of the ComfyUI server failed: {why or kind}", kind=FailureKind.BUG,
                     detail=detail)  # fmt: skip
