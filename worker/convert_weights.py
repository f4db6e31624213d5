"""A pickled checkpoint becomes safetensors: `python -m worker.convert_weights IN.pth OUT.safetensors --family F`.

Unpickling can run code. So it is done once, here, by torch's restricted reader (`weights_only=True`) in a child with
limits, and where `bubblewrap` works also without network, without other files and without a way to write them.
Source: RELIABILITY.md 5.6 and 5.8.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import worker.unpickle_weights as child
from worker.context import TaskError
from worker.models.families import FAMILIES, family_of_tensors
from worker.models.header import Header, read_header

TIMEOUT_S = 300.0
ADDRESS_SPACE_BYTES = 16 << 30  # torch alone maps several GiB
MAX_FILE_BYTES = 16 << 30
MOST_OPEN_FILES = 256
PRIVATE_FOLDER = "/tmp"  # noqa: S108 - an empty one of its own, gone with the child


@dataclass(frozen=True)
class Converted:
    """What was written: the weights, the card that the catalogue reads, and how the child was held.

    Attributes:
        sandbox: `bubblewrap` or `limits`.
    """

    weights: Path
    card: Path
    family: str
    sha256: str
    sandbox: str


def convert(source: Path, target: Path, *, family: str, licence: str | None = None, sandbox: str = "auto") -> Converted:
    """Convert one checkpoint.

    Args:
        source: a file that `torch.save` wrote.
        target: `NAME.safetensors`; its card goes to `NAME.json` beside it.
        licence: what the card says; None takes what is known of the family.
        sandbox: `auto` uses bubblewrap where it works, `bubblewrap` insists on it, `limits` does without.

    Raises:
        TaskError: `weights_missing`, `weights_pickled` (code in the file), `weights_corrupt`, `weights_mismatch` (of
            another family), `sandbox_missing`, or `output_taken`.
    """
    if not source.is_file():
        raise TaskError("weights_missing", f"there is no file {source}")
    if target.suffix != ".safetensors" or target.exists() or target.with_suffix(".json").exists():
        hint = "give a new name that ends in .safetensors"
        raise TaskError("output_taken", f"{target} exists or is no .safetensors name", hint=hint)
    how = _sandbox(sandbox)
    with tempfile.TemporaryDirectory(prefix="reelgraph-weights-") as folder:
        made = Path(folder) / "weights.safetensors"
        _unpickle(source.resolve(), made, bubblewrap=how == "bubblewrap")
        header = read_header(made)  # every offset checked: the child may have been taken over
        _check_family(source, header, family)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        shutil.copyfile(made, partial)
        partial.replace(target)
    digest = _digest(target)
    card = target.with_suffix(".json")
    facts = {
        "family": family,
        "licence": licence or FAMILIES[family].licence,
        "revision": f"converted from {source.name}, sha256 {_digest(source)}",
        "sha256": digest,
    }
    card.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return Converted(target, card, family, digest, how)


def main(argv: Sequence[str] | None = None) -> int:
    """Convert by command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m worker.convert_weights", description=__doc__)
    parser.add_argument("source", type=Path, metavar="IN.pth")
    parser.add_argument("target", type=Path, metavar="OUT.safetensors")
    parser.add_argument("--family", required=True, choices=sorted(FAMILIES))
    parser.add_argument("--licence", help="for the card; default: what is known of the family")
    parser.add_argument("--sandbox", choices=("auto", "bubblewrap", "limits"), default="auto")
    given = parser.parse_args(argv)
    try:
        done = convert(
            given.source, given.target, family=given.family, licence=given.licence, sandbox=given.sandbox
        )  # fmt: skip
    except TaskError as error:
        failure = error.failure
        parts = (f"{failure.code}: {failure.message}", failure.detail, failure.hint)
        print("\n".join(part for part in parts if part), file=sys.stderr)
        return 1
    print(f"{done.weights} and {done.card.name}: {done.family}, sha256 {done.sha256}, unpickled in: {done.sandbox}")
    return 0


def bubblewrap_works() -> bool:
    """Whether namespaces can be made here."""
    path = shutil.which("bwrap")
    if path is None:
        return False
    argv = [path, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"]
    return subprocess.run(argv, capture_output=True, timeout=20, check=False).returncode == 0


def _sandbox(wanted: str) -> str:
    if wanted == "limits":
        return "limits"
    works = bubblewrap_works()
    if wanted == "bubblewrap" and not works:
        raise TaskError("sandbox_missing", "bubblewrap does not work here", hint="install `bubblewrap`, as no root")
    return "bubblewrap" if works else "limits"


def _unpickle(source: Path, made: Path, *, bubblewrap: bool) -> None:
    """Run the child and translate how it ended."""
    script = Path(child.__file__).resolve()
    argv = [sys.executable, "-I", "-B", str(script), str(source), str(made)]
    if bubblewrap:
        argv = [*_walls(source, made.parent, script), *argv]
    environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "HOME": "/nonexistent", "HF_HUB_OFFLINE": "1"}
    try:
        ended = subprocess.run(
            argv,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            timeout=TIMEOUT_S,
            check=False,
            preexec_fn=_limits,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise TaskError("weights_corrupt", f"reading {source.name} took more than {TIMEOUT_S:g} s") from error
    said = ended.stderr.decode("utf-8", "replace")[-3000:]
    if ended.returncode == child.REFUSED:
        hint = "do not use this file: a checkpoint of weights needs no code"
        raise TaskError("weights_pickled", f"{source.name} holds more than weights", detail=said, hint=hint)
    if ended.returncode != 0 or not made.is_file() or made.is_symlink():
        raise TaskError("weights_corrupt", f"{source.name} cannot be read as a checkpoint", detail=said)


def _walls(source: Path, out: Path, script: Path) -> list[str]:
    """Return the bubblewrap words: system and Python read-only, one file in, one folder out, nothing else."""
    system = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache"]
    shown = dict.fromkeys([*system, sys.base_prefix, sys.prefix, os.path.realpath(sys.executable), str(script)])
    words = [shutil.which("bwrap") or "bwrap", "--unshare-all", "--die-with-parent", "--new-session"]
    words += ["--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev", "--tmpfs", PRIVATE_FOLDER]
    for path in shown:
        words += ["--ro-bind-try", path, path]
    return [*words, "--ro-bind", str(source), str(source), "--bind", str(out), str(out), "--chdir", "/", "--"]


def _limits() -> None:
    """Limit the child: memory, processor time, file size, open files, no core."""
    for kind, most in (
        (resource.RLIMIT_AS, ADDRESS_SPACE_BYTES),
        (resource.RLIMIT_CPU, int(TIMEOUT_S)),
        (resource.RLIMIT_FSIZE, MAX_FILE_BYTES),
        (resource.RLIMIT_NOFILE, MOST_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_family(source: Path, header: Header, family: str) -> None:
    found = family_of_tensors(header.tensors)
    if found != family:
        what = f"{len(header.tensors)} tensors of {found or 'an unknown family'}"
        raise TaskError("weights_mismatch", f"{source.name} is no {family} checkpoint", got=what, allowed=family)


if __name__ == "__main__":
    sys.exit(main())
