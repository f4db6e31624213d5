"""Rules about references: only the caller's uploads and artifact ids, in a clean form and of the right kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from planner.rules.view import View, pointer, problem
from schemas.artifact import ARTIFACTS, UPLOADS, parse_s3
from schemas.diagnostics import Code, Diagnostic

ALLOWED = "s3://uploads/USER/KEY as POST /api/uploads returned it, or an artifact id"
TEXT_KEYS = frozenset({"goal", "topic", "style", "tone", "language", "title", "question", "text", "prompt"})
"""Free text of the user: shown, spoken or drawn, never fetched."""
_SCHEME = re.compile(
    r"^\s*(?:[a-z][a-z0-9+.\-]*://|//|(?:file|data|javascript|vbscript|concat|concatf|subfile|pipe|jar|phar|php|"
    r"gopher|ftp|dict|ldap|smb|fd|cache|crypto|hls|unix)\s*:)",
    re.IGNORECASE,
)
_PATH = re.compile(r"^(?:/[^/\s]+/\S*|~\S*/\S*|[A-Za-z]:\\\S*|\\\\\S+|(?:\S*[/\\])?\.\.(?:[/\\]\S*)?)$")
_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_\-]{5,63}$")
_EXTENSIONS = {
    "image": {"png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"},
    "audio": {"wav", "flac", "mp3", "ogg", "oga", "opus", "m4a", "aac"},
    "video": {"mp4", "mov", "webm", "mkv", "avi", "m4v"},
    "svg": {"svg"},
    "model3d": {"glb", "gltf", "obj", "stl", "ply", "usdz"},
}
_KIND_OF = {extension: kind for kind, extensions in _EXTENSIONS.items() for extension in extensions}
_KINDS_OF_INPUTS = {"images": "image", "audio": "audio", "svg": "svg", "video": "video", "model3d": "model3d"}
_MAX_DEPTH = 32
_UPLOAD = "upload the file with POST /api/uploads and use the uri it returns"
_FLAT = "put the values into a flatter list or object"


def references_are_allowed(view: View) -> Iterator[Diagnostic]:
    """Nothing in a plan names another bucket, scheme, host or path."""
    yield from check_inputs(view.plan.context, path="/context")
    for place, node in enumerate(view.plan.nodes):
        yield from _walk(node.params, f"/nodes/{place}/params", kind=None, is_text=False)


def check_inputs(inputs: Mapping[str, Any], *, path: str = "/inputs") -> Iterator[Diagnostic]:
    """Yield what is wrong with the form and kind of inputs at hand. Opens and looks up nothing."""
    for key, value in inputs.items():
        kind = _KINDS_OF_INPUTS.get(key)
        yield from _walk(value, f"{path}/{pointer(key)}", kind=kind, is_text=key in TEXT_KEYS)


def _walk(value: Any, path: str, *, kind: str | None, is_text: bool, depth: int = 0) -> Iterator[Diagnostic]:
    if depth > _MAX_DEPTH:
        yield problem(
            Code.INVALID_PARAM, path, f"nested deeper than {_MAX_DEPTH} levels", allowed=_MAX_DEPTH, hint=_FLAT
        )
    elif isinstance(value, str) and not is_text:
        yield from _judged(value, path, kind)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            inner = f"{path}/{pointer(str(key))}"
            yield from _walk(item, inner, kind=kind, is_text=is_text or key in TEXT_KEYS, depth=depth + 1)
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            yield from _walk(item, f"{path}/{place}", kind=kind, is_text=is_text, depth=depth + 1)
    elif kind is not None and value is not None and not is_text:
        yield problem(Code.TYPE_MISMATCH, path, "this is not a reference", got=value, allowed=ALLOWED, hint=_UPLOAD)


def _judged(text: str, path: str, kind: str | None) -> Iterator[Diagnostic]:
    if kind == "svg" and text.lstrip().startswith("<"):
        yield _unsafe(path, text, "SVG text is not taken here: upload the file")
        return
    if text.startswith("s3://"):
        parsed = parse_s3(text)
        if parsed is None:
            yield _unsafe(path, text, "this is not a clean object address")
        elif parsed[0] not in {UPLOADS, ARTIFACTS}:  # whose they are is checked where the request is accepted
            yield _unsafe(path, text, f"the bucket {parsed[0]!r} is not open to requests")
        elif "/" not in parsed[1]:
            yield _unsafe(path, text, "the address names no user folder")
        elif kind is not None:
            yield from _of_kind(parsed[1], path, text, kind)
    elif _SCHEME.match(text):
        yield _unsafe(path, text, "no other scheme or host is ever fetched")
    elif _PATH.match(text):
        yield _unsafe(path, text, "a file path is not a reference")
    elif kind is not None and not _ID.match(text):
        yield _unsafe(path, text, "this is neither an upload nor an artifact id")


def _of_kind(key: str, path: str, text: str, kind: str) -> Iterator[Diagnostic]:
    name = key.rpartition("/")[2]
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    if extension and _KIND_OF.get(extension) != kind:
        yield problem(
            Code.TYPE_MISMATCH,
            path,
            f"a file that ends with .{extension} is not of kind {kind}",
            got=text[:300],
            allowed=sorted(f".{item}" for item in _EXTENSIONS[kind]),
            hint=f"upload it as a file of kind {kind}",
        )


def _unsafe(path: str, text: str, why: str) -> Diagnostic:
    return problem(
        Code.UNSAFE_INPUT,
        path,
        f"this reference is not allowed: {why}",
        got=text[:300],
        allowed=ALLOWED,
        hint=_UPLOAD,
    )
