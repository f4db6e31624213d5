"""`inspect`: where a file came from, told by the file itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from compose.options import AsJson
from compose.problems import problem
from compose.terminal import say, say_json
from schemas.provenance.files import record_of, sha256_of_file
from schemas.provenance.record import Provenance

File = Annotated[Path, typer.Argument(help="A file that Reelgraph made: MP4, PNG, WAV, GLB, safetensors ...")]


def inspect(file: File, as_json: AsJson = False) -> None:
    """Say which plan, node, params, seed, models and inputs made a file; needs no stack."""
    record = record_in(file)
    if record is None:
        raise problem(
            "no_provenance",
            f"{file} carries no record of Reelgraph",
            path="FILE",
            got=f"sha256:{sha256_of_file(file)}",
            hint="`reelgraph submit --from-file FILE` asks the stack, which also knows its files by their digest",
        )
    if as_json:
        say_json(record.model_dump(mode="json"))
        return
    for name, value in facts(record):
        say(f"{name:<9} {value}")
    if record.names_plan:
        say(f"again     reelgraph submit --from-file {file}")


def record_in(file: Path) -> Provenance | None:
    """Return the record of a file.

    Raises:
        Problem: the file cannot be read.
    """
    try:
        return record_of(file)
    except OSError as error:
        raise problem("not_found", f"cannot read {file}: {error.strerror}", path="FILE", exit_code=2) from error


def facts(record: Provenance) -> list[tuple[str, str]]:
    """Return what a person reads: a name and a line for each fact that the record holds."""
    found: list[tuple[str, Any]] = [
        ("made by", record.software),
        ("plan", record.plan_digest),
        ("job", record.job_id),
        ("node", record.node_id),
        ("task", f"{record.task} version {record.task_version}" if record.task else ""),
        ("seed", "" if record.seed is None else record.seed),
        ("params", json.dumps(record.params, ensure_ascii=False) if record.params else record.params_sha256),
    ]
    found += [("model", f"{name} {digest}") for name, digest in sorted(record.models.items())]
    found += [("made from", f"{one.kind} {one.name} {one.sha256}".strip()) for one in record.parents]
    if record.parents_left_out:
        found.append(("made from", f"{record.parents_left_out} more"))
    return [(name, str(value)) for name, value in found if value != ""]
