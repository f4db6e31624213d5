"""What the command line reports instead of a traceback, in the API's error shape. It prints nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Problem(Exception):
    """Raised when a command cannot go on; `error` is the API's error object."""

    def __init__(self, error: Mapping[str, Any], *, exit_code: int = 1) -> None:
        super().__init__(str(error.get("message", "")))
        self.error = dict(error)
        self.exit_code = exit_code


def problem(code: str, message: str, *, hint: str | None = None, exit_code: int = 1, **facts: Any) -> Problem:
    """Return a problem that this side found."""
    given = {"code": code, "message": message, **facts, "hint": hint}
    return Problem({key: value for key, value in given.items() if value is not None}, exit_code=exit_code)


def lines(error: Mapping[str, Any]) -> list[str]:
    """Return an error object as lines for a person: message and code, then path, got, allowed, hint, diagnostics."""
    found = [f"{error.get('message', 'something went wrong')} ({error.get('code', 'internal_error')})"]
    for key, label in (("path", "at"), ("got", "got"), ("allowed", "allowed"), ("hint", "hint")):
        if error.get(key) is not None:
            found.append(f"  {label}: {_short(error[key])}")
    for one in error.get("diagnostics") or []:
        found.append(f"  - {one.get('code')} {one.get('path', '')}: {one.get('message', '')}".rstrip())
        if one.get("hint"):
            found.append(f"      hint: {one['hint']}")
    return found


def _short(value: Any) -> str:
    text = ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 300 else text[:297] + "..."
