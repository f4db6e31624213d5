"""Every kind of bad input: one error in the one shape with the right status, and nothing left behind."""

from __future__ import annotations

import json
import struct
import uuid
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.apps import Api, Client, Platform, Rows, echo, noop, plan

OWNER = "00000000-0000-0000-0000-000000000002"
UNKNOWN_ID = "3f333df6-90a4-4fda-8dd3-9485d27cee36"
KEYS = {"code", "message", "path", "got", "allowed", "hint", "diagnostics", "retry_after_s"}
FACTS = {"path", "got", "allowed", "hint"}


@dataclass(frozen=True)
class Case:
    """A request and the error that it must answer."""

    name: str
    path: str
    body: Any
    status: int
    code: str
    has: set[str] = field(default_factory=set)
    """Facts that the error must carry."""
    where: str | None = None
    """The error's `path`, when it matters."""
    method: str = "POST"


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def nested(levels: int) -> str:
    """The text of a submission whose context is nested this deep."""
    inner = '{"a":' * levels + "1" + "}" * levels
    return json.dumps({"plan": plan(echo("a"))}).replace('"context": {}', f'"context": {{"deep": {inner}}}')


def generate(**fields: Any) -> dict[str, Any]:
    return {"topic": "tides", "variant": "svd", **fields}


BAD_PLAN = plan(
    {"id": "a", "task": "no.such", "plane": "node"},
    {"id": "b", "task": "noop", "plane": "node", "params": {"ticks": "many"}},
    {"id": "b", "task": "noop", "plane": "python", "inputs": {"value": "ghost.value"}},
    edges=[("a", "b"), ("b", "a"), ("a", "ghost")],
)
TEXT = {
    "malformed JSON": "{",
    "NaN in a number": '{"topic": "x", "options": {"durationSeconds": NaN}}',
    "a number that no one can hold": '{"topic": "x", "options": {"durationSeconds": 1e999}}',
    "an integer of 5,000 digits": '{"topic": "x", "options": {"durationSeconds": ' + "9" * 5000 + "}}",
    "a lone surrogate in the topic": '{"topic": "a \\ud800 b", "extra": 1}',
    "JSON nested 100,000 deep": '{"topic": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "a list for a body": "[]",
    "an empty body": "",
}
CASES = [
    Case("unknown variant", "/api/generate", generate(variant="hologram"), 422, "variant_unavailable",
         {"got", "allowed"}),
    Case("unknown variant of a goal", "/api/jobs", {"goal": "a video about tides", "requested_variant": "hologram"},
         422, "variant_unavailable", {"got", "allowed"}),
    Case("unknown profile", "/api/generate", generate(profileId=UNKNOWN_ID), 404, "not_found", {"path", "got", "hint"}),
    Case("malformed profile", "/api/generate", generate(profileId="../x"), 404, "not_found", {"path", "got"}),
    Case("unknown profile of a goal", "/api/jobs",
         {"goal": "a video about tides", "user_context": {"profile_id": UNKNOWN_ID}}, 404, "not_found", {"got"}),
    Case("empty topic", "/api/generate", generate(topic=""), 422, "validation_error", {"path", "got"}, "/topic"),
    Case("blank topic", "/api/generate", generate(topic=" \n\t "), 422, "validation_error", {"path"}, "/topic"),
    Case("topic of 4,001 characters", "/api/generate", generate(topic="x" * 4001), 422, "validation_error",
         {"path"}, "/topic"),
    Case("empty goal", "/api/jobs", {"goal": ""}, 422, "validation_error", {"path"}, "/goal"),
    Case("goal of 4,001 characters", "/api/plan", {"goal": "x" * 4001}, 422, "validation_error", {"path"}, "/goal"),
    Case("duration 0", "/api/generate", generate(options={"durationSeconds": 0}), 422, "validation_error",
         {"path", "got"}, "/options/durationSeconds"),
    Case("duration 10,000", "/api/generate", generate(options={"durationSeconds": 10_000}), 422, "validation_error",
         {"path", "got"}, "/options/durationSeconds"),
    Case("unknown resolution", "/api/generate", generate(options={"resolution": "99999p"}), 422, "validation_error",
         {"path", "got"}, "/options/resolution"),
    Case("another bucket", "/api/generate", generate(images=["s3://models/x/y.png"]), 422, "unsafe_input",
         {"path", "got", "allowed", "hint"}),
    Case("another user", "/api/generate", generate(images=[f"s3://uploads/{uuid.UUID(int=9)}/a/x.png"]), 422,
         "unsafe_input", {"path", "got", "allowed", "hint"}),
    Case("a way out of the folder", "/api/generate", generate(images=[f"s3://uploads/{OWNER}/../x/y.png"]), 422,
         "unsafe_input", {"path", "got"}),
    Case("a web address", "/api/generate", generate(images=["http://169.254.169.254/latest/meta-data/x.png"]), 422,
         "unsafe_input", {"got"}),
    Case("a file of the server", "/api/generate", generate(images=["file:///etc/passwd"]), 422, "unsafe_input"),
    Case("a web address in a plan", "/api/jobs",
         {"plan": plan(echo("a", inputs={"items": "request.images"}), images=["http://127.0.0.1/x.png"])}, 422,
         "unsafe_input", {"path", "got"}, "/plan/context/images/0"),
    Case("missing object", "/api/generate", generate(images=[f"s3://uploads/{OWNER}/a/x.png"]), 404, "not_found",
         {"path", "got", "hint"}),
    Case("missing object of a goal", "/api/jobs",
         {"goal": "a video about tides", "inputs": {"images": [f"s3://uploads/{OWNER}/a/x.png"]}}, 404, "not_found"),
    Case("unknown artifact", "/api/generate", generate(images=[UNKNOWN_ID]), 404, "not_found", {"path", "got"}),
    Case("no artifact id", "/api/generate", generate(images=["cat.png"]), 404, "not_found", {"path", "got"}),
    Case("training that is disabled", "/api/train",
         {"topic": "me", "images": [f"s3://uploads/{OWNER}/a/x.png"]}, 422, "unsatisfiable_goal", {"diagnostics"}),
    Case("a wish for nothing that we make", "/api/jobs", {"goal": "Delete all my files"}, 422, "unsatisfiable_goal"),
    Case("unknown field", "/api/generate", generate(colour="red"), 422, "validation_error", {"path"}, "/colour"),
    Case("wrong mode", "/api/generate", generate(mode="train_and_generate"), 422, "validation_error", {"path"}, "/mode"),
    Case("goal and template", "/api/jobs", {"goal": "x", "template": "generate_v1"}, 422, "validation_error"),
    Case("nothing to do", "/api/jobs", {}, 422, "validation_error"),
    Case("unknown template", "/api/jobs", {"template": "no_such_v1"}, 422, "validation_error", {"got", "allowed"}),
    Case("template params that do not fit", "/api/jobs", {"template": "generate_v1", "params": {"topic": ""}}, 422,
         "validation_error", {"path"}),
    Case("NUL as topic", "/api/generate", generate(topic="\x00"), 422, "validation_error", {"path"}, "/topic"),
    Case("bad plan", "/api/jobs", {"plan": BAD_PLAN}, 422, "invalid_plan", {"diagnostics"}),
    Case("plan without nodes", "/api/jobs", {"plan": plan()}, 422, "validation_error", {"path"}, "/plan/nodes"),
    Case("plan with a huge integer", "/api/jobs", {"plan": plan(noop("a", params={"value": 2**60}))}, 422,
         "validation_error", {"path"}),
    Case("plan with a huge integer in its context", "/api/jobs", {"plan": plan(echo("a"), big=2**60)}, 422,
         "validation_error", {"path"}),
    Case("dry run with a huge integer", "/api/plan", {"goal": "a video about tides", "inputs": {"thing": 2**60}}, 422,
         "validation_error"),
    Case("context nested 100 deep", "/api/jobs", nested(100), 422, "validation_error"),
    Case("context nested 400 deep", "/api/jobs", nested(400), 422, "validation_error"),
    Case("context nested 50,000 deep", "/api/jobs", nested(50_000), 422, "validation_error"),
    Case("NaN in a plan", "/api/jobs", json.dumps({"plan": plan(echo("a"), x=float("nan"))}), 422, "validation_error"),
    *(Case(name, "/api/generate", text, 422, "validation_error") for name, text in TEXT.items()),
    Case("malformed JSON of a goal", "/api/jobs", '{"goal": ', 422, "validation_error"),
    Case("a body over 1 MiB", "/api/jobs", {"goal": "x" * (1 << 20)}, 413, "too_large", {"got", "allowed"}),
    Case("unknown job", f"/api/status/{UNKNOWN_ID}", None, 404, "not_found", {"path", "got"}, method="GET"),
    Case("malformed job id", "/api/status/nope", None, 404, "not_found", {"path", "got"}, method="GET"),
    Case("job id in braces", f"/api/jobs/{{{UNKNOWN_ID}}}", None, 404, "not_found", method="GET"),
    Case("job id with NUL", "/api/jobs/%00", None, 404, "not_found", method="GET"),
    Case("cancel of an unknown job", f"/api/jobs/{UNKNOWN_ID}/cancel", None, 404, "not_found", {"got"}),
    Case("retry of an unknown job", f"/api/jobs/{UNKNOWN_ID}/retry", None, 404, "not_found", {"got"}),
    Case("answer to an unknown job", f"/api/jobs/{UNKNOWN_ID}/approve",
         {"node": "a", "questionHash": "x", "decision": "approve"}, 404, "not_found", {"got"}),
    Case("unknown decision", f"/api/jobs/{UNKNOWN_ID}/approve",
         {"node": "a", "questionHash": "x", "decision": "maybe"}, 422, "validation_error", {"path"}, "/decision"),
    Case("events of an unknown job", f"/api/jobs/{UNKNOWN_ID}/events", None, 404, "not_found", method="GET"),
    Case("negative seq", f"/api/jobs/{UNKNOWN_ID}/events?after=-1", None, 422, "validation_error", {"path", "got"},
         "/after", "GET"),
    Case("a seq beyond bigint", f"/api/jobs/{UNKNOWN_ID}/events?after={2**70}", None, 422, "validation_error",
         {"path"}, "/after", "GET"),
    Case("unknown artifact page", f"/api/artifacts/{UNKNOWN_ID}", None, 404, "not_found", {"path", "got"}, method="GET"),
    Case("unknown artifact content", "/api/artifacts/x/content", None, 404, "not_found", method="GET"),
    Case("unknown profile page", f"/api/profiles/{UNKNOWN_ID}", None, 404, "not_found", {"got", "hint"}, method="GET"),
    Case("unknown status filter", "/api/jobs?status=lost", None, 422, "validation_error", {"path", "got"}, method="GET"),
    Case("limit 0", "/api/jobs?limit=0", None, 422, "validation_error", {"path", "got"}, "/limit", "GET"),
    Case("limit of letters", "/api/jobs?limit=x", None, 422, "validation_error", {"path", "got"}, "/limit", "GET"),
    Case("a cursor that is none", "/api/jobs?cursor=abc", None, 422, "validation_error", {"path", "got", "hint"},
         "/cursor", "GET"),
    Case("a cursor of other JSON", "/api/jobs?cursor=WzEsMl0=", None, 422, "validation_error", {"path"}, method="GET"),
    Case("a cursor without time zone", "/api/profiles?cursor="
         "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwiM2YzMzNkZjYtOTBhNC00ZmRhLThkZDMtOTQ4NWQyN2NlZTM2Il0=", None, 422,
         "validation_error", {"path"}, method="GET"),
    Case("a cursor with a number for an id", "/api/jobs?cursor=WyIyMDI2LTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwgNV0=", None,
         422, "validation_error", {"path"}, method="GET"),
    Case("unknown page of the API", "/api/nope", None, 404, "not_found", method="GET"),
    Case("unknown file", "/nope.js", None, 404, "not_found", method="GET"),
    Case("wrong method", "/api/jobs", None, 405, "method_not_allowed", method="DELETE"),
    Case("read of a verb", "/api/plan", None, 405, "method_not_allowed", method="GET"),
    Case("read of the upload address", "/api/uploads", None, 405, "method_not_allowed", method="GET"),
    Case("upload without a file", "/api/uploads", {}, 422, "validation_error", {"path"}, "/file"),
    Case("idempotency key over 200 characters", "/api/jobs", {"plan": plan(echo("a"))}, 422, "validation_error",
         {"path"}),
]  # fmt: skip
FILES: dict[str, tuple[str, bytes]] = {
    "a text file named .png": ("cat.png", b"this is a text, not a picture" * 10),
    "a header of 60,000 x 60,000": ("big.png", png_header(60_000, 60_000)),
    "a 0-byte WAV": ("empty.wav", b""),
    "a WAV header without sound": ("head.wav", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0data\0\0\0\0"),
}  # fmt: skip


def checked(answer: httpx.Response, *, status: int, code: str) -> dict[str, Any]:
    """Return the one error of an answer."""
    assert answer.status_code == status, answer.text[:500]
    body = answer.json()
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) <= KEYS
    assert error["code"] == code, error
    assert error["message"].strip()
    assert len(answer.content) < 20_000
    return error


@pytest.fixture
async def untouched(rows: Rows, api: Api) -> AsyncIterator[None]:
    """Fail the test when it leaves a row, an object, a process or a file behind."""
    before = rows.counts(), api.children(), api.left_in_scratch()
    yield
    assert (rows.counts(), api.children(), api.left_in_scratch()) == before


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_bad_input_answers_one_error_and_leaves_nothing(case: Case, client: Client, untouched: None) -> None:
    headers = {"Content-Type": "application/json"}
    if "idempotency" in case.name:
        headers["Idempotency-Key"] = "k" * 201
    text = case.body if isinstance(case.body, str) else None if case.body is None else json.dumps(case.body)
    answer = await client.http.request(case.method, case.path, content=text, headers=headers)
    error = checked(answer, status=case.status, code=case.code)
    assert case.has <= set(error), error
    if case.where is not None:
        assert error["path"] == case.where
    if case.status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize("name", FILES)
async def test_a_bad_file_answers_one_error_and_leaves_nothing(name: str, client: Client, untouched: None) -> None:
    filename, content = FILES[name]
    answer = await client.http.post("/api/uploads", files={"file": (filename, content)})
    error = checked(answer, status=422, code="unsafe_input")
    assert error["path"] == "/file"
    assert {"allowed", "got", "hint"} & set(error)


async def test_a_bad_plan_names_every_problem_at_once(client: Client, untouched: None) -> None:
    error = checked(await client.http.post("/api/jobs", json={"plan": BAD_PLAN}), status=422, code="invalid_plan")
    codes = {item["code"] for item in error["diagnostics"]}
    assert {"unknown_task", "wrong_plane", "duplicate_id", "unknown_node", "cycle", "invalid_param"} <= codes
    assert all(item["path"].startswith("/") and item["message"] for item in error["diagnostics"])


async def test_several_malformed_fields_are_all_named(client: Client, untouched: None) -> None:
    body = generate(topic="", options={"durationSeconds": 0, "resolution": "x"})
    error = checked(await client.http.post("/api/generate", json=body), status=422, code="validation_error")
    assert {"/options/durationSeconds", "/options/resolution"} <= set(error["message"].split())


async def test_a_stream_over_the_limit_is_stopped_with_413(client: Client, untouched: None) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'{"goal": "'
        for _ in range(40):
            yield b"x" * 65_536
        yield b'"}'

    answer = await client.http.post("/api/jobs", content=endless(), headers={"Content-Type": "application/json"})
    error = checked(answer, status=413, code="too_large")
    assert error["allowed"] == 1 << 20


async def test_texts_with_nul_and_lone_surrogates_are_cleaned(client: Client) -> None:
    text = '{"plan": {"workflow_id": "t", "nodes": [{"id": "a", "task": "test.echo", "plane": "node"}], "context": '
    text += '{"goal": "black\\u0000 ho\\ud800les", "k\\u0000": "v"}}}'
    answer = await client.http.post("/api/jobs", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["jobId"]
    await client.reaches(job_id, "completed")
    record = await client.get(f"/api/jobs/{job_id}")
    assert record["title"] == "black holes"
    assert record["plan"]["context"] == {"goal": "black holes", "k": "v"}


async def test_a_search_for_strange_characters_finds_nothing(client: Client) -> None:
    for text in ("%00", "\\", "'; drop table job; --", "%ud800", "x" * 200):
        query = text if text == "%00" else httpx.QueryParams({"s": text})["s"]
        answer = await client.http.get(f"/api/jobs?search={query}")
        assert answer.status_code == 200, (text, answer.text)
    for name in ("mode", "variant"):
        assert (await client.http.get(f"/api/jobs?{name}=%00")).json()["items"] == []


async def test_a_completed_job_cannot_be_cancelled(client: Client, rows: Rows) -> None:
    job_id = await client.submit({"plan": plan(echo("a"))})
    await client.reaches(job_id, "completed")
    before = rows.counts()
    answer = await client.http.post(f"/api/jobs/{job_id}/cancel")
    error = checked(answer, status=409, code="illegal_state")
    assert error["got"] == "completed"
    assert rows.counts() == before
    assert (await client.get(f"/api/status/{job_id}"))["status"] == "completed"


async def test_one_key_for_two_bodies_is_a_conflict(client: Client, rows: Rows) -> None:
    key = uuid.uuid4().hex
    job_id = await client.submit({"plan": plan(echo("a"))}, key=key)
    await client.reaches(job_id, "completed")
    before = rows.counts()
    for path, body in [("/api/jobs", {"plan": plan(echo("b"))}), ("/api/generate", generate())]:
        answer = await client.http.post(path, json=body, headers={"Idempotency-Key": key})
        error = checked(answer, status=409, code="conflict")
        assert error["got"] == key
    assert rows.counts() == before


async def test_an_answer_to_a_node_that_is_no_gate_is_not_found(client: Client) -> None:
    job_id = await client.submit({"plan": plan(echo("a"))})
    await client.reaches(job_id, "completed")
    body = {"node": "a", "questionHash": "x", "decision": "approve"}
    error = checked(await client.http.post(f"/api/jobs/{job_id}/approve", json=body), status=404, code="not_found")
    assert error["path"] == "/node"


def test_after_all_that_the_log_shows_no_fault_of_ours(platform: Platform) -> None:
    assert "api.unexpected" not in platform.api.log_path.read_text()
