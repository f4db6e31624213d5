"""The node cache: the key that names a result, and a result taken over from an earlier run. Pure.

A task that says `cacheable` gives the same outputs for the same key: its name and version, what does the work and
with which models, its params with their defaults, and what its inputs contain. The seed of a cached run follows from
the key, so that a hit and a run are one. Results are shared between the jobs of one owner only.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from graphs.board import Work
from schemas.artifact import UPLOADS, parse_s3
from schemas.capability import Capability
from schemas.plan import sha256_of

_ROW_IDS = frozenset({"id", "loraId", "voiceId"})  # which row holds a thing says nothing of what it is
_NAMESPACE = UUID("3f1f4ad5-5d0e-4f6b-8c83-0f6a2ce7f0b4")


def key_of(work: Work, capability: Capability) -> str | None:
    """Return the hex key of a run's result, or None when it is not to be cached."""
    if not capability.cacheable or work.node.cache == "off":
        return None
    params = defaults(capability) | work.node.params
    variant = params.get("variant") or "default"
    return sha256_of(
        {
            "task": work.node.task,
            "version": capability.version,
            "backend": (capability.backends or {}).get(variant),
            "models": capability.models,
            "params": params,
            "inputs": {
                name: _profile(value) if _is_profile(name, capability) else content(value)
                for name, value in work.inputs.items()
            },
        }
    )


def defaults(capability: Capability) -> dict[str, Any]:
    """Return the params that a run has when its plan says nothing."""
    properties: dict[str, Any] = (capability.params or {}).get("properties", {})
    return {name: schema["default"] for name, schema in properties.items() if "default" in schema}


def content(value: Any) -> Any:
    """Return a value with every file replaced by its digest, or by the uri where that is as good as one."""
    if isinstance(value, dict):
        if "uri" in value:
            return {"sha256": value.get("sha256") or _digest_in(value["uri"])}
        return {name: content(item) for name, item in value.items() if name not in _ROW_IDS}
    return [content(item) for item in value] if isinstance(value, list) else value


def restored(hit: dict[str, Any], work: Work, *, job_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the outputs of a hit as this job's own, and the artifact rows that point at the same objects.

    Args:
        hit: a row of the query `cached_runs`.
    """
    ids = {row["id"]: str(uuid5(_NAMESPACE, f"{job_id}/{work.path}/{row['name']}")) for row in hit["artifacts"]}
    outputs = _with_ids(hit["result"], ids)
    if "profile" in outputs and "profile" in work.inputs:  # handed through: it is this job's profile
        outputs["profile"] = work.inputs["profile"]
    rows = [{**row, "id": ids[row["id"]], "node_path": work.path} for row in hit["artifacts"]]
    return outputs, rows


def _is_profile(name: str, capability: Capability) -> bool:
    port = (capability.inputs or {}).get(name)
    return port is not None and port.kind_of(name) == "profile"


def _profile(value: Any) -> Any:
    """Return what of a profile changes a result: its trained models, not its name."""
    known = value if isinstance(value, dict) else {}
    return {name: content(known.get(name)) for name in ("lora", "voice")}


def _digest_in(uri: str) -> str:
    """Return the digest that an upload's key carries; any other object is written once, so its uri will do."""
    bucket, key = parse_s3(uri) or ("", "")
    parts = key.split("/")
    return parts[1] if bucket == UPLOADS and len(parts) > 1 else uri


def _with_ids(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        renamed = {name: _with_ids(item, ids) for name, item in value.items()}
        return {**renamed, "id": ids[renamed["id"]]} if renamed.get("id") in ids else renamed
    return [_with_ids(item, ids) for item in value] if isinstance(value, list) else value
