"""`models`: the weights that were found, and why something was refused."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from compose.options import AsJson
from compose.terminal import say, say_json, table

Digests = Annotated[bool, typer.Option(help="Show the sha256; reading a new model once takes some seconds a GB.")]


def models(digests: Digests = True, as_json: AsJson = False) -> None:
    """List the models in your model folders: family, size, licence, digest, and why something is refused."""
    from worker.models.catalogue import folders

    found, refused = _look(digests=digests)
    if as_json:
        say_json({"folders": [str(one) for one in folders()], "models": found, "refused": refused})
        return
    say(f"folders: {', '.join(str(one) for one in folders())}")
    if found:
        columns = ["id", "family", "size", "licence", "revision", "sha256"]
        table(columns, [[*map(one.get, columns[:2]), f"{one['sizeBytes'] / 1e9:.2f} GB", one["licence"] or "not told",
                         one["revision"], (one["sha256"] or "")[:16]] for one in found])  # fmt: skip
    else:
        say("no model found: `reelgraph doctor` says what each backend needs")
    for one in refused:
        say(f"refused: {one['id']} ({one['path']}): {one['message']} ({one['code']})")
        if one["hint"]:
            say(f"         -> {one['hint']}")


def _look(*, digests: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what is usable and what is not; a model that is not what its card pins is not."""
    from worker.context import TaskError
    from worker.models.catalogue import Model, survey

    found: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    for one in survey():
        try:
            if not isinstance(one, Model):
                raise one.error
            found.append({
                "id": one.id, "family": one.family, "path": str(one.path), "sizeBytes": one.size_bytes,
                "licence": one.licence, "revision": one.revision, "sha256": one.sha256 if digests else None,
            })  # fmt: skip
        except TaskError as error:
            failure = error.failure
            refused.append({"id": one.id, "path": str(one.path), "code": failure.code, "message": failure.message,
                            "hint": failure.hint})  # fmt: skip
    return found, refused
