"""The child process of slow control-plane nodes: one JSON request a line in, one answer a line out.

It holds models, no credentials: the parent starts it with a scrubbed environment. What a function prints goes to
stderr, so that it cannot break the protocol.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import Any, BinaryIO

ALLOWED_PREFIX = "graphs."


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the parent closes the pipe."""
    for line in requests:
        answers.write(json.dumps(_answer(json.loads(line))).encode() + b"\n")
        answers.flush()


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    from graphs.registry import NodeError

    module_name, _, name = str(request["target"]).partition(":")
    if not module_name.startswith(ALLOWED_PREFIX):
        return {"bug": f"{module_name!r} is not one of our modules"}
    try:
        function = getattr(importlib.import_module(module_name), name)
        return {"value": function(request["argument"])}
    except NodeError as error:
        return {"failure": error.failure.model_dump(mode="json", exclude_none=True)}
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return {"bug": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    answers_fd = os.dup(1)
    os.dup2(2, 1)
    serve(sys.stdin.buffer, os.fdopen(answers_fd, "wb"))
