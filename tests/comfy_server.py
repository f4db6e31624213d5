"""A server that speaks ComfyUI's protocol, for tests: real HTTP and WebSocket, a queue, caching, previews, faults.

Behaviour after ComfyUI's `server.py` and `execution.py`: validation with `node_errors`, one prompt at a time, messages
`execution_start`, `execution_cached`, `executing`, `progress`, `progress_state`, `executed`, `execution_success`,
`execution_error`, `execution_interrupted` to the client that queued, binary previews, `/history` with the status
messages. Instead of a diffusion model it draws waves that depend on every input of the sampler, the LoRA included.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import struct
import threading
import uuid
from collections.abc import AsyncIterator
from typing import Any, Self

import numpy as np
from aiohttp import WSMsgType, web
from PIL import Image

from tests.comfy_nodes import Node, errors_of, node_table, waves


class Interrupted(Exception):
    """Raised inside an execution that `/interrupt` ends."""


class ComfyServer:
    """The server, in a thread of its own while the block is open.

    Attributes:
        faults: what goes wrong; see `_fault` and its uses.
        prompts: every graph that was queued, by prompt id.
        calls: `METHOD /path` of every request.
        running: set while a prompt executes its sampler.
        gate: when given, the sampler stops before its second step until it is set.
    """

    def __init__(
        self,
        *,
        checkpoints: list[str] | None = None,
        loras: list[str] | None = None,
        gated: bool = False,
        faults: set[str] | None = None,
        lacking: set[str] | None = None,
        new_style_lists: bool = False,
    ) -> None:
        self.checkpoints = ["sd15/dreamy.safetensors", "sdxl_base.safetensors"] if checkpoints is None else checkpoints
        self.loras, self.faults, self.lacking = loras or [], faults or set(), lacking or set()
        self.new_style_lists = new_style_lists
        self.prompts: dict[str, dict[str, Node]] = {}
        self.extra: dict[str, Any] = {}
        self.calls: list[str] = []
        self.running, self.gate = threading.Event(), threading.Event()
        if not gated:
            self.gate.set()
        self.url = ""
        self._pending: list[tuple[float, str, dict[str, Node], dict[str, Any]]] = []
        self._current: tuple[float, str, dict[str, Node], dict[str, Any]] | None = None
        self._history: dict[str, Any] = {}
        self._files: dict[str, bytes] = {}
        self._cache: dict[str, Any] = {}
        self._sockets: dict[str, web.WebSocketResponse] = {}
        self._interrupt = False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def occupy(self) -> None:
        """Put a prompt of someone else, never ending by itself, in front of the queue."""
        self._pending.insert(0, (-1.0, "of-another", {}, {}))

    def fall(self) -> None:
        """Break every socket and answer nothing more, as a killed process does."""
        self.faults.add("down")
        for socket in list(self._sockets.values()):
            asyncio.run_coroutine_threadsafe(socket.close(), self._loop)

    # --- the process

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop, self._wake = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        app = web.Application(middlewares=[self._noted])
        app.add_routes([
            web.get("/ws", self._socket), web.get("/object_info/{name}", self._object_info),
            web.post("/prompt", self._post_prompt), web.get("/queue", self._get_queue),
            web.post("/queue", self._post_queue), web.post("/interrupt", self._post_interrupt),
            web.get("/history/{id}", self._get_history), web.get("/view", self._view),
        ])  # fmt: skip
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        executor = asyncio.create_task(self._execute_all())
        self._ready.set()
        await self._stop.wait()
        executor.cancel()
        for socket in list(self._sockets.values()):
            await socket.close()
        await runner.cleanup()

    @web.middleware
    async def _noted(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path}")
        if "login_page" in self.faults:
            return web.Response(text="<html>sign in</html>", content_type="text/html")
        if "down" in self.faults:
            request.transport.close()  # type: ignore[union-attr]
        return await handler(request)

    # --- routes

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if "no_socket" in self.faults:
            raise web.HTTPNotFound
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sid = request.query.get("clientId") or uuid.uuid4().hex
        self._sockets[sid] = socket
        await socket.send_json({"type": "status", "data": {"status": self._status(), "sid": sid}})
        async for message in socket:
            if message.type == WSMsgType.ERROR:
                break
        if self._sockets.get(sid) is socket:
            del self._sockets[sid]
        return socket

    async def _object_info(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.json_response({name: self._nodes()[name]} if name in self._nodes() else {})

    def _nodes(self) -> dict[str, Any]:
        table = node_table(checkpoints=self.checkpoints, loras=self.loras, new_style_lists=self.new_style_lists)
        return {name: facts for name, facts in table.items() if name not in self.lacking}

    async def _post_prompt(self, request: web.Request) -> web.Response:
        body = await request.json()
        graph: dict[str, Node] = body["prompt"]
        errors = errors_of(graph, self._nodes())
        if errors:
            told = {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation",
                    "details": "", "extra_info": {}}  # fmt: skip
            return web.json_response({"error": told, "node_errors": errors}, status=400)
        prompt_id, number = str(uuid.uuid4()), len(self.prompts)
        self.prompts[prompt_id] = graph
        self.extra = {**body.get("extra_data", {}), "client_id": body.get("client_id")}
        if "forget" not in self.faults:
            self._pending.append((float(number), prompt_id, graph, self.extra))
            self._wake.set()
        return web.json_response({"prompt_id": prompt_id, "number": number, "node_errors": {}})

    async def _get_queue(self, _: web.Request) -> web.Response:
        def row(entry: tuple[float, str, Any, Any]) -> list[Any]:
            return [entry[0], entry[1], entry[2], entry[3], ["9"]]

        running = [row(self._current)] if self._current else []
        return web.json_response({"queue_running": running, "queue_pending": [row(entry) for entry in self._pending]})

    async def _post_queue(self, request: web.Request) -> web.Response:
        unwanted = (await request.json()).get("delete", [])
        self._pending = [entry for entry in self._pending if entry[1] not in unwanted]
        return web.Response()

    async def _post_interrupt(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        if self._current and body.get("prompt_id", self._current[1]) == self._current[1]:
            self._interrupt = True
        return web.Response()

    async def _get_history(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        return web.json_response({id: self._history[id]} if id in self._history else {})

    async def _view(self, request: web.Request) -> web.StreamResponse:
        name = request.query["filename"]
        if "huge_file" in self.faults:
            answer = web.StreamResponse()
            await answer.prepare(request)
            for _ in range(80):
                await answer.write(b"\0" * 2**20)
            return answer
        if name not in self._files:
            raise web.HTTPNotFound
        return web.Response(body=self._files[name], content_type="image/png")

    def _status(self) -> dict[str, Any]:
        return {"exec_info": {"queue_remaining": len(self._pending) + (self._current is not None)}}

    # --- execution

    async def _execute_all(self) -> None:
        while True:
            while not self._pending:
                self._wake.clear()
                await self._wake.wait()
            self._current = self._pending.pop(0)
            self._interrupt = False
            _, id, graph, extra = self._current
            messages: list[list[Any]] = []
            outputs: dict[str, Any] = {}
            try:
                if not graph:
                    while not self._interrupt:
                        await asyncio.sleep(0.02)
                    raise Interrupted
                outputs = await self._execute(id, graph, extra, messages)
                kind = "success"
                await self._tell(extra, "execution_success", {"prompt_id": id}, messages)
            except Interrupted:
                kind = "error"
                await self._tell(extra, "execution_interrupted", {"prompt_id": id, "node_id": "3"}, messages)
            except RuntimeError as error:
                kind = "error"
                told = {"prompt_id": id, "node_id": "3", "node_type": "KSampler", "executed": [],
                        "exception_message": str(error), "exception_type": type(error).__name__,
                        "traceback": ["  File nodes.py\n"], "current_inputs": {}, "current_outputs": []}  # fmt: skip
                if "oom" in self.faults:
                    told["exception_type"] = "torch.OutOfMemoryError"
                await self._tell(extra, "execution_error", told, messages)
            status = {"status_str": kind, "completed": kind == "success", "messages": messages}
            self._history[id] = {"prompt": [0, id, graph, extra, ["9"]], "outputs": outputs, "status": status}
            self._current = None
            self.running.clear()
            await self._tell(extra, "executing", {"node": None, "prompt_id": id}, [])

    async def _execute(
        self, id: str, graph: dict[str, Node], extra: dict[str, Any], messages: list[Any]
    ) -> dict[str, Any]:
        await self._tell(extra, "execution_start", {"prompt_id": id}, messages)
        order, seen = [node async for node in self._order(graph)], dict[str, str]()
        for node in order:
            linked = {
                name: seen[value[0]] if isinstance(value, list) else value
                for name, value in graph[node]["inputs"].items()
            }
            seen[node] = hashlib.sha256(
                json.dumps([graph[node]["class_type"], linked], sort_keys=True).encode()
            ).hexdigest()
        cached = [node for node in order if seen[node] in self._cache]
        await self._tell(extra, "execution_cached", {"nodes": cached, "prompt_id": id}, messages)
        outputs: dict[str, Any] = {}
        for node in order:
            kind = graph[node]["class_type"]
            if node not in cached:
                await self._tell(extra, "executing", {"node": node, "prompt_id": id}, [])
                if kind == "KSampler":
                    await self._sample(id, node, graph, extra, seen[node])
                self._cache[seen[node]] = self._saved(graph, seen[node]) if kind == "PreviewImage" else True
            if kind == "PreviewImage":
                outputs[node] = {"images": [self._cache[seen[node]]]} if "no_output" not in self.faults else {}
                await self._tell(extra, "executed", {"node": node, "output": outputs[node], "prompt_id": id}, [])
        return outputs

    async def _order(self, graph: dict[str, Node]) -> AsyncIterator[str]:
        done: set[str] = set()
        waiting = [id for id, node in graph.items() if node["class_type"] == "PreviewImage"]
        while waiting:
            needs = [value[0] for value in graph[waiting[-1]]["inputs"].values() if isinstance(value, list)]
            missing = [need for need in needs if need not in done]
            if missing:
                waiting += missing
                continue
            node = waiting.pop()
            if node not in done:
                done.add(node)
                yield node

    async def _sample(self, id: str, node: str, graph: dict[str, Node], extra: dict[str, Any], digest: str) -> None:
        steps = graph[node]["inputs"]["steps"]
        self.running.set()
        for step in range(1, steps + 1):
            await asyncio.sleep(0.01)
            while step == 2 and not self.gate.is_set() and not self._interrupt:
                await asyncio.sleep(0.01)
            if self._interrupt:
                raise Interrupted
            if self.faults & {"fail", "oom"} and step == 2:
                raise RuntimeError("Allocation on device" if "oom" in self.faults else "mat1 and mat2 shapes differ")
            if "nonsense" in self.faults:
                await self._nonsense(extra)
            socket = self._sockets.get(extra.get("client_id") or "")
            if "drop_socket" in self.faults and step == 2 and socket is not None:
                await socket.close()
            progress = {"value": step, "max": steps, "prompt_id": id, "node": node}
            await self._tell(extra, "progress", progress, [])
            states = {node: {"value": step, "max": steps, "state": "running", "node_id": node, "prompt_id": id}}
            await self._tell(extra, "progress_state", {"prompt_id": id, "nodes": states}, [])
            if extra.get("preview_method") not in (None, "none"):
                await self._preview(extra, waves(digest, 64, 64))

    async def _nonsense(self, extra: dict[str, Any]) -> None:
        socket = self._sockets.get(extra.get("client_id") or "")
        if socket is not None:
            for text in (
                "{",
                "[]",
                '{"type": "progress"}',
                '{"type": "progress", "data": {"value": "x", "max": 0}}',
                "null",
            ):
                await socket.send_str(text)
            for frame in (b"", b"\0\0", struct.pack(">II", 1, 1), struct.pack(">II", 1, 1) + b"no picture",
                          struct.pack(">II", 4, 2**31) + b"x", struct.pack(">II", 99, 0) + b"later"):  # fmt: skip
                await socket.send_bytes(frame)

    async def _preview(self, extra: dict[str, Any], picture: np.ndarray) -> None:
        data = io.BytesIO()
        Image.fromarray(picture).save(data, "JPEG", quality=95)
        socket = self._sockets.get(extra.get("client_id") or "")
        if socket is not None:
            await socket.send_bytes(struct.pack(">II", 1, 1) + data.getvalue())

    def _saved(self, graph: dict[str, Node], digest: str) -> dict[str, str]:
        latent = next(node["inputs"] for node in graph.values() if node["class_type"] == "EmptyLatentImage")
        picture = waves(digest, latent["width"], latent["height"])
        if "one_colour" in self.faults:
            picture[:] = 127
        if "wrong_size" in self.faults:
            picture = picture[:32]
        data = io.BytesIO()
        Image.fromarray(picture).save(data, "PNG")
        name = f"ComfyUI_temp_{digest[:8]}_00001_.png"
        self._files[name] = b"not a picture" if "broken_file" in self.faults else data.getvalue()
        return {"filename": name, "subfolder": "", "type": "temp"}

    async def _tell(self, extra: dict[str, Any], kind: str, data: dict[str, Any], messages: list[Any]) -> None:
        messages.append([kind, data])
        socket = self._sockets.get(extra.get("client_id") or "")
        if socket is not None and not socket.closed:
            await socket.send_json({"type": kind, "data": data})
