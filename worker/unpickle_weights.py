"""The child of `worker/convert_weights.py`: unpickle one checkpoint with torch's restricted reader, write safetensors.

It runs alone, sandboxed and without our packages; what it writes is checked by its parent, which trusts nothing of it.
Usage: python unpickle_weights.py IN OUT
"""

from __future__ import annotations

import io
import json
import pickle  # only its error class: nothing is read with it
import sys
import warnings
from typing import Any

NESTED = ("state_dict", "params_ema", "params", "generator", "model")  # where checkpoints keep their weights
GPU_PREFIX = "module."  # saved by a model that was trained on several GPUs
# What no reader of weights needs. Source: the audit events table of the Python 3.11 library reference.
FORBIDDEN = (
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "os.fork", "os.forkpty", "os.remove",
    "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.truncate", "os.putenv",
    "subprocess.", "pty.", "socket.", "shutil.", "urllib.", "http.", "ftplib.", "smtplib.", "webbrowser.",
    "ctypes.", "code.", "tempfile.",
)  # fmt: skip
ADVICE = ("Weights only load failed", "Please file an issue", "Check the documentation", "Please use", "(1)", "(2)")
REFUSED, MALFORMED = 3, 4  # exit codes


def main(source: str, target: str) -> None:
    """Convert, or leave with `REFUSED` or `MALFORMED` and one line of JSON on stderr."""
    import torch
    from safetensors.torch import save_file

    warnings.simplefilter("ignore")
    for as_zip in (True, False):  # so that the reader has imported all it wants before the hook watches
        sample = io.BytesIO()
        torch.save({"state_dict": {"x": torch.zeros(1)}}, sample, _use_new_zipfile_serialization=as_zip)
        sample.seek(0)
        torch.load(sample, weights_only=True)
    reading = True

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(args[1], str) and any(sign in args[1] for sign in "wax+")
        if reading and (writes or event.startswith(FORBIDDEN)):
            leave(REFUSED, f"the file tried to {event} {args!r}"[:300])

    sys.addaudithook(refuse)
    found: Any = None
    try:
        found = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a hostile or broken file makes the reader raise
        leave(REFUSED if isinstance(error, pickle.UnpicklingError) else MALFORMED, said_by_reader(error))
    tensors = weights(found)
    reading = False
    if not tensors:
        leave(MALFORMED, "no tensors were found")
    save_file(tensors, target)


def said_by_reader(error: Exception) -> str:
    """Return why the reader refused, without its advice to read the file unsafely."""
    lines = (line.strip() for line in str(error).splitlines())
    said = [line for line in lines if line and not line.startswith(ADVICE)]
    return f"{type(error).__name__}: {said[0] if said else 'it cannot be read'}"[:400]


def weights(found: Any) -> dict[str, Any]:
    """Return the tensors by name, each with its own memory; optimiser states and counters are left behind."""
    import torch

    for name in NESTED:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict):
        return {}
    return {
        str(name).removeprefix(GPU_PREFIX): tensor.detach().clone().contiguous()
        for name, tensor in found.items()
        if isinstance(tensor, torch.Tensor)
    }


def leave(code: int, message: str) -> None:
    import os

    sys.stderr.write(json.dumps({"message": message}) + "\n")
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
