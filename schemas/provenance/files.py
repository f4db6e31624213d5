"""Files and their records: written once when an artifact is saved, read back from the file alone.

The pixels, samples, tensors and shapes in a file never change. A file that cannot hold its record has it beside it,
in `NAME.provenance.json`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from schemas.provenance.carriers import text_in, write_text
from schemas.provenance.record import MAX_TEXT_BYTES, Provenance, parse

SIDECAR = ".provenance.json"


def stamp(path: Path, record: Provenance) -> bool:
    """Write the record into the file; False: the file cannot hold one and is left as it is."""
    return write_text(path, record.text())


def record_of(path: Path) -> Provenance | None:
    """Return the record that the file carries, or that lies beside it; None: it has none of ours.

    Raises:
        OSError: the file cannot be read.
    """
    text = text_in(path)
    beside = path.with_name(path.name + SIDECAR)
    if text is None and beside.is_file() and beside.stat().st_size <= MAX_TEXT_BYTES:
        text = beside.read_bytes()
    return parse(text) if text is not None else None


def sha256_of_file(path: Path) -> str:
    """Return the hexadecimal digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
