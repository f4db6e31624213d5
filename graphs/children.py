"""Warm child processes for slow control-plane nodes: models run there, without credentials, and can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import Any

from graphs.registry import NodeError
from schemas.outcome import TaskFailure
from schemas.states import FailureKind

KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "REELGRAPH_SCRIPT_MODEL")
MAX_ANSWER_BYTES = 4 * 1024 * 1024


class ProcessChildren:
    """One warm child, started at the first call and replaced when it died, hung or was cancelled."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def call(self, target: str, argument: dict[str, Any], *, timeout_s: float) -> Any:
        """Return `module:function(argument)` as run in the child.

        Raises:
            NodeError: the function failed (`bug` or its own failure), the child died (`crash`) or took too long.
        """
        async with self._turn:
            process = await self._started()
            try:
                async with asyncio.timeout(timeout_s):
                    line = await self._ask(process, {"target": target, "argument": argument})
            except TimeoutError:
                await self.stop()
                raise NodeError(
                    "timeout", f"{target} took longer than {timeout_s:g} s", kind=FailureKind.TIMEOUT
                ) from None
            except BaseException:
                await self.stop()
                raise
        answer = json.loads(line) if line else None
        if answer is None:
            await self.stop()
            raise NodeError("crash", f"the child process of {target} died", kind=FailureKind.CRASH)
        if "failure" in answer:
            failure = TaskFailure.model_validate(answer["failure"])
            raise NodeError(failure.code, failure.message, kind=failure.kind, hint=failure.hint)
        if "bug" in answer:
            raise NodeError("bug", answer["bug"], kind=FailureKind.BUG)
        return answer["value"]

    async def stop(self) -> None:
        """Kill the child's process group."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def _ask(self, process: asyncio.subprocess.Process, request: dict[str, Any]) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            await process.stdin.drain()
            return await process.stdout.readline()
        except (ConnectionError, ValueError):
            return b""

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
            environment |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2", "PYTHONPATH": os.pathsep.join(sys.path)}
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "graphs.child",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=None,
                env=environment,
                start_new_session=True,
                limit=MAX_ANSWER_BYTES,
            )
        return self._process
