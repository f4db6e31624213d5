"""A file is made again: what it says about itself, or its digest, leads to the plan, which runs once more."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from schemas.provenance.files import record_of, sha256_of_file, stamp
from schemas.provenance.record import Provenance
from tests.faults.live_stack import ROOT, LiveStack, until
from tests.made_files import FORMATS, make_png

NOTE = {
    "workflow_id": "note",
    "nodes": [{"id": "write", "task": "test_write_file", "plane": "python", "params": {"text": "tides"}}],
    "context": {"topic": "tides"},
}
MADE = {"id": "make", "task": "test_make_file", "plane": "python"}


def completed(stack: LiveStack, job_id: str) -> dict[str, Any]:
    def record() -> dict[str, Any] | None:
        found = stack.get(f"/api/jobs/{job_id}")
        return found if found["status"] in {"completed", "failed"} else None

    ended = until(record, within_s=30, what="the job's end")
    assert ended is not None
    assert ended["status"] == "completed", ended["error"]
    return ended


def downloaded(stack: LiveStack, artifact: dict[str, Any], folder: Path) -> Path:
    path = folder / artifact["name"]
    link = f"{stack.api}/api/artifacts/{artifact['id']}/content"
    path.write_bytes(httpx.get(link, follow_redirects=True, timeout=30).content)
    return path


def sent(stack: LiveStack, path: str, file: Path) -> httpx.Response:
    with file.open("rb") as content:
        return httpx.post(stack.api + path, files={"file": (file.name, content)}, timeout=60)


def test_a_job_from_an_artifact_runs_the_plan_that_made_it(stack: LiveStack) -> None:
    first = completed(stack, stack.submit({"plan": NOTE}))
    second = completed(stack, stack.submit({"from_file": first["artifacts"][0]["id"]}))
    assert second["jobId"] != first["jobId"]
    assert second["planDigest"] == first["planDigest"]
    assert second["artifacts"][0]["sha256"] == first["artifacts"][0]["sha256"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_of_every_format_leads_back_to_its_plan(stack: LiveStack, suffix: str, tmp_path: Path) -> None:
    nodes = [{**MADE, "params": {"format": suffix, "seed": 7}}]
    job = completed(stack, stack.submit({"plan": {"workflow_id": suffix, "nodes": nodes}}))
    file = downloaded(stack, job["artifacts"][0], tmp_path)
    record = record_of(file)
    assert record is not None
    assert (record.plan_digest, record.job_id, record.node_id) == (job["planDigest"], job["jobId"], "make")
    assert (record.task, record.seed, record.params) == ("test_make_file", 7, {"format": suffix, "seed": 7})
    told = sent(stack, "/api/uploads/inspect", file).json()
    assert (told["jobId"], told["fromFile"], told["record"]["node_id"]) == (job["jobId"], job["planDigest"], "make")
    again = completed(stack, stack.submit({"from_file": told["fromFile"]}))
    assert again["planDigest"] == job["planDigest"]


def test_a_file_knows_the_files_it_was_made_from(stack: LiveStack, tmp_path: Path) -> None:
    nodes = [{**MADE, "id": "first"}, {**MADE, "inputs": {"file": "first.file"}}]
    plan = {"workflow_id": "two", "nodes": nodes, "edges": [{"from": "first", "to": "make"}]}
    job = completed(stack, stack.submit({"plan": plan}))
    by_node = {one["node"]: one for one in job["artifacts"]}
    record = record_of(downloaded(stack, by_node["make"], tmp_path))
    assert record is not None
    assert [parent.sha256 for parent in record.parents] == [by_node["first"]["sha256"]]


def test_an_upload_remembers_the_plan_that_its_clean_copy_does_not_tell(stack: LiveStack, tmp_path: Path) -> None:
    job = completed(stack, stack.submit({"plan": {"workflow_id": "up", "nodes": [MADE]}}))
    answer = sent(stack, "/api/uploads", downloaded(stack, job["artifacts"][0], tmp_path)).json()
    assert answer["planDigest"] == job["planDigest"]
    again = completed(stack, stack.submit({"from_file": answer["uri"]}))
    assert again["planDigest"] == job["planDigest"]


def test_a_file_without_a_record_is_known_by_its_digest(stack: LiveStack, tmp_path: Path) -> None:
    job = completed(stack, stack.submit({"plan": {**NOTE, "workflow_id": "plain"}}))
    file = downloaded(stack, job["artifacts"][0], tmp_path)
    assert record_of(file) is None
    told = sent(stack, "/api/uploads/inspect", file).json()
    assert told["record"] is None
    assert stack.get(f"/api/jobs/{told['jobId']}")["artifacts"][0]["sha256"] == sha256_of_file(file)
    assert completed(stack, stack.submit({"from_file": told["fromFile"]}))["jobId"] != told["jobId"]


def test_a_strangers_file_leads_nowhere(stack: LiveStack, tmp_path: Path) -> None:
    job = completed(stack, stack.submit({"plan": {"workflow_id": "foreign", "nodes": [MADE]}}))
    file = downloaded(stack, job["artifacts"][0], tmp_path)
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        other = str(uuid.uuid4())
        connection.execute("update job set owner_id = %s where id = %s", (other, job["jobId"]))
        connection.execute("update artifact set owner_id = %s where job_id = %s", (other, job["jobId"]))
    told = sent(stack, "/api/uploads/inspect", file).json()
    assert (told["jobId"], told["fromFile"], told["record"]["job_id"]) == (None, None, job["jobId"])
    for name in (job["planDigest"], f"sha256:{sha256_of_file(file)}", job["artifacts"][0]["id"]):
        answer = httpx.post(f"{stack.api}/api/jobs", json={"from_file": name}, timeout=30)
        assert (answer.status_code, answer.json()["error"]["path"]) == (404, "/from_file")


def test_a_picture_from_elsewhere_is_an_upload_and_no_file_of_ours(stack: LiveStack, tmp_path: Path) -> None:
    make_png(tmp_path / "cat.png")
    answer = sent(stack, "/api/uploads", tmp_path / "cat.png").json()
    assert "planDigest" not in answer
    refused = httpx.post(f"{stack.api}/api/jobs", json={"from_file": answer["uri"]}, timeout=30)
    assert refused.status_code == 404
    assert "inspect" in refused.json()["error"]["hint"]


def test_a_forged_record_is_only_text(stack: LiveStack, tmp_path: Path) -> None:
    make_png(tmp_path / "cat.png")
    assert stamp(tmp_path / "cat.png", Provenance(plan_digest="x: y\r\nEvil: é", job_id="'; drop table job"))
    answer = sent(stack, "/api/uploads", tmp_path / "cat.png")
    assert (answer.status_code, "planDigest" in answer.json()) == (201, False)
    told = sent(stack, "/api/uploads/inspect", tmp_path / "cat.png").json()
    assert (told["jobId"], told["fromFile"], told["record"]["plan_digest"]) == (None, None, "x: y\r\nEvil: é")


def test_the_command_line_inspects_a_file_and_makes_it_again(stack: LiveStack, tmp_path: Path) -> None:
    job = completed(stack, stack.submit({"plan": {"workflow_id": "cli", "nodes": [MADE]}}))
    file = downloaded(stack, job["artifacts"][0], tmp_path)

    def reelgraph(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "compose.cli", *words], capture_output=True, text=True, cwd=ROOT)

    shown = reelgraph("inspect", str(file))
    assert shown.returncode == 0, shown.stderr
    assert job["planDigest"] in shown.stdout
    assert json.loads(reelgraph("inspect", str(file), "--json").stdout)["job_id"] == job["jobId"]
    accepted = reelgraph("submit", "--from-file", str(file), "--data", str(stack.data), "--json")
    assert completed(stack, json.loads(accepted.stdout)["jobId"])["planDigest"] == job["planDigest"]
    nothing = reelgraph("inspect", str(ROOT / "README.md"), "--json")
    assert nothing.returncode == 1
    assert json.loads(nothing.stdout)["error"]["code"] == "no_provenance"


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        ({"from_file": "7b0c2f4e-0000-4000-8000-000000000001"}, 404, "/from_file"),
        ({"from_file": "cat.png"}, 404, "/from_file"),
        ({"from_file": "sha256:" + "0" * 64}, 404, "/from_file"),
        ({"from_file": "s3://artifacts/another/job/file.png"}, 422, "/from_file"),
        ({"from_file": "7b0c2f4e-0000-4000-8000-000000000001", "goal": "a video about tides"}, 422, "/"),
    ],
)
def test_a_file_that_is_not_there_or_not_alone_is_refused(
    stack: LiveStack, body: dict[str, Any], status: int, path: str
) -> None:
    answer = httpx.post(f"{stack.api}/api/jobs", json=body, timeout=30)
    assert answer.status_code == status
    assert answer.json()["error"].get("path", "") == path
