"""Runs the check of a template file in a process of its own: a file may print, change modules, end or never end.

`python -m compose.template_process` is that process: a request on stdin, a `CheckedFile` on stdout, both JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.capability import Manifest

if TYPE_CHECKING:
    from graphs.template_check import CheckedFile

TIME_LIMIT_S = 20.0
_ROOT = Path(__file__).resolve().parent.parent  # the API process runs here too, so that imports resolve alike


def check_apart(file: Path, *, manifest: Manifest, time_limit_s: float = TIME_LIMIT_S) -> CheckedFile:
    """Check one file in a fresh process; one that takes the process down or does not end is told like any mistake."""
    from graphs.template_check import CheckedFile, Mistake

    request = {"path": str(file.resolve()), "manifest": manifest.model_dump(mode="json")}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "compose.template_process"],
            input=json.dumps(request).encode(), capture_output=True, cwd=_ROOT, timeout=time_limit_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        reason = f"it is not loaded and built after {time_limit_s:g} s: a template only describes a plan"
        return CheckedFile(path=file, mistakes=(Mistake(line=1, reason=reason),))
    try:
        return CheckedFile.model_validate_json(done.stdout).model_copy(update={"path": file})
    except ValueError:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        reason = f"it ends the process that loads it, with code {done.returncode}: {''.join(last)}".rstrip(": ")
        return CheckedFile(path=file, mistakes=(Mistake(line=1, reason=reason),))


def main() -> None:
    """Answer one request."""
    from graphs.template_check import check_file
    from planner.validator import validate

    request = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the file prints is not an answer
    checked = check_file(
        Path(request["path"]),
        manifest=Manifest.model_validate(request["manifest"]),
        validate=lambda plan, manifest: validate(plan, manifest=manifest),
    )
    answer.write(checked.model_dump_json())
    answer.flush()
    os._exit(0)  # threads and exit handlers of the file do not matter any more


if __name__ == "__main__":
    main()
