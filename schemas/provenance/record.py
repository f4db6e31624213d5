"""The record of provenance: which plan, node, params, seed, models and inputs made a file. No I/O."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.plan import sha256_of

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
MAX_PARAMS_BYTES = 12 * 1024
MAX_PARENTS = 128
MAX_TEXT_BYTES = 56 * 1024
"""A JPEG segment holds 64 KiB; this much always fits, whatever the format adds."""
_PLAIN = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class Parent(BaseModel):
    """A file that went into another one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(default="", max_length=200)
    kind: str = Field(default="", max_length=32)
    sha256: str = Field(default="", max_length=80)


class Provenance(BaseModel):
    """Where one file came from.

    Attributes:
        seed: what the task drew its random numbers from.
        params: as validated, defaults included; empty when they are too long, and then only their digest is kept.
        models: id -> digest of the weights that were used.
        parents: the files among the inputs, at most `MAX_PARENTS`; `parents_left_out` counts the rest.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    software: str = Field(default="Reelgraph", max_length=100)
    plan_digest: str = Field(max_length=80)
    job_id: str = Field(default="", max_length=64)
    node_id: str = Field(default="", max_length=200)
    task: str = Field(default="", max_length=100)
    task_version: str = Field(default="", max_length=64)
    params: dict[str, Any] = Field(default_factory=dict)
    params_sha256: str = Field(default="", max_length=80)
    seed: int | None = None
    models: dict[str, str] = Field(default_factory=dict)
    parents: tuple[Parent, ...] = ()
    parents_left_out: int = 0

    @property
    def names_plan(self) -> bool:
        """Whether the plan can be looked for: a run without a stack has none, and a stranger may write anything."""
        return DIGEST.fullmatch(self.plan_digest) is not None

    def text(self) -> str:
        """Return the record as one line of ASCII JSON that any XML, RIFF or JSON may hold as it is.

        At most `MAX_TEXT_BYTES`: what is too long is left out, params first, then parents, then models.
        """
        document = self.model_dump(mode="json", exclude_defaults=True) | {"software": self.software}
        document["params_sha256"] = sha256_of(self.params)
        if len(_line(self.params)) > MAX_PARAMS_BYTES:
            del document["params"]
        if len(self.parents) > MAX_PARENTS:
            document["parents"] = document["parents"][:MAX_PARENTS]
            document["parents_left_out"] = len(self.parents) - MAX_PARENTS
        for name in ("params", "parents", "models"):
            if len(text := _line(document)) <= MAX_TEXT_BYTES:
                return text
            if document.pop(name, None) is not None and name == "parents":
                document["parents_left_out"] = len(self.parents)
        return _line(document)


def parse(text: str | bytes) -> Provenance | None:
    """Return the record in `text`, or None when it is none of ours."""
    if len(text) > 2 * MAX_TEXT_BYTES:
        return None
    try:
        return Provenance.model_validate(json.loads(text))
    except (ValueError, ValidationError, RecursionError):
        return None


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).translate(_PLAIN)
