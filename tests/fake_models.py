"""A server on loopback that speaks the wire formats of Ollama, OpenAI and Anthropic, with scripted answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Told = list[dict[str, str]]
"""Messages as `{"role", "content"}`."""
USED = (11, 7)
"""Tokens of every question and answer."""


class FakeModels:
    """Answers every question with what `script(messages)` returns; an int is an HTTP status."""

    def __init__(self, script: Callable[[Told], str | int]) -> None:
        self.script = script
        self.asked: list[dict[str, Any]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                fake.asked.append(body)
                said = fake.script(_messages(body))
                reply = b"{}" if isinstance(said, int) else _reply(self.path, said, body)
                self.send_response(said if isinstance(said, int) else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def serving(self) -> Iterator[FakeModels]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def _messages(body: dict[str, Any]) -> Told:
    system = [{"role": "system", "content": str(body["system"])}] if "system" in body else []
    return [*system, *body["messages"]]


def _reply(path: str, said: str, body: dict[str, Any]) -> bytes:
    asked, answered = USED
    if path.endswith("/api/chat"):
        message = {"role": "assistant", "content": said}
        head = {"model": body["model"], "created_at": "2026-01-01T00:00:00Z"}
        end = {"done": True, "done_reason": "stop", "prompt_eval_count": asked, "eval_count": answered}
        lines = [{**head, "message": message, "done": False}, {**head, "message": {**message, "content": ""}, **end}]
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    tool = {"name": body["tools"][0]["name"]} if path.endswith("/messages") else body["tools"][0]["function"]
    if path.endswith("/messages"):
        use = {"type": "tool_use", "id": "t1", "name": tool["name"], "input": json.loads(said)}
        message = {"id": "m1", "type": "message", "role": "assistant", "model": body["model"], "content": [use]}
        usage = {"input_tokens": asked, "output_tokens": answered}
        return json.dumps({**message, "stop_reason": "tool_use", "stop_sequence": None, "usage": usage}).encode()
    call = {"id": "c1", "type": "function", "function": {"name": tool["name"], "arguments": said}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    usage = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
    head = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"]}
    return json.dumps({**head, "choices": [choice], "usage": usage}).encode()
