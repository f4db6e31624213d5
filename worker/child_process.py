"""The supervisor's handle on one child: start it without secrets, talk to it, kill it with everything it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from worker.frames import pack, read_frame

ROOT = Path(__file__).parent.parent
LOG_TAIL_CHARS = 4000
# What a task may need from outside. Everything else, credentials above all, stays with the supervisor.
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES",
           "REELGRAPH_WORKER_DEVICES", "REELGRAPH_VRAM_GIB")  # fmt: skip
_PASSED_PREFIXES = (
    "REELGRAPH_TASK_", "REELGRAPH_PIPER_", "REELGRAPH_VOICE", "REELGRAPH_MODEL", "REELGRAPH_IMAGE_",
    "REELGRAPH_COMFYUI", "REELGRAPH_SADTALKER", "REELGRAPH_SVD_",
)  # fmt: skip


def child_environment(outer: Mapping[str, str], *, threads: int) -> dict[str, str]:
    """Return the environment of a child: an allow list of names, offline model hubs, bounded thread pools."""
    kept = {name: value for name, value in outer.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), outer.get("PYTHONPATH")))),  # a user's own tasks
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "OPENCV_LOG_LEVEL": "ERROR",
    }


class ChildProcess:
    """One running child. Its stdout and stderr go to a log file of its own."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        log: Path,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._log = log
        self.tasks_done = 0

    @classmethod
    async def start(cls, *, folder: Path, packages: Sequence[str], threads: int) -> ChildProcess:
        """Start a child in a session of its own, with `folder` as its current folder."""
        folder.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        log = folder / "child.log"
        with open(log, "ab") as out, theirs:  # noqa: ASYNC230 - a local file, opened once a child
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "worker.child", str(theirs.fileno()), *packages,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=folder,
                env=child_environment(os.environ, threads=threads),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )  # fmt: skip
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer, log)

    @property
    def pid(self) -> int:
        """The process id, which is also that of its process group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; one that died meanwhile shows at the next `receive`."""
        if not self._writer.is_closing():
            self._writer.write(pack(message))

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message, or None when the child is gone."""
        return await read_frame(self._reader)

    async def kill(self) -> int:
        """Kill the whole process group, wait for the child and return its exit code (negative: a signal)."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        code = await self._process.wait()
        self._writer.close()
        return code

    async def exit_code(self, *, within_s: float = 2.0) -> int:
        """Return how it ended by itself; kill what is left of its group."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), within_s)
        return await self.kill()

    def clear_log(self) -> None:
        """Forget what it wrote so far."""
        with contextlib.suppress(OSError):
            os.truncate(self._log, 0)

    def log_tail(self) -> str:
        """Return the end of what it and its tools wrote."""
        with contextlib.suppress(OSError):
            return self._log.read_bytes()[-LOG_TAIL_CHARS:].decode("utf-8", "replace").replace("\x00", "")
        return ""

    def cpu_s(self) -> float:
        """Return the CPU seconds that the live processes of its group have used."""
        ticks = 0
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    if int(fields[2]) == self.pid:
                        ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")
