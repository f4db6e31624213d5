"""The command line against a small stand-in for the API: errors, exit codes, what is printed."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compose.cli import main
from compose.commands.demo import final_video, provenance

_REFUSAL = {
    "code": "unsatisfiable_goal",
    "message": "no task makes a hologram",
    "path": "/goal",
    "got": "a hologram",
    "allowed": ["video", "image"],
    "hint": "ask for a video",
    "diagnostics": [{"code": "task_disabled", "path": "/nodes/0", "message": "train_lora is off", "hint": "add a GPU"}],
}
_JOBS = {"items": [{"jobId": "j1", "status": "completed", "createdAt": "2026-01-02T03:04:05", "title": "Holes"}]}


class _StandIn(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = {"/api/jobs": (200, _JOBS), "/api/jobs/broken": (500, None)}
        missing = {"error": {"code": "not_found", "message": "no such job"}}
        self._answer(*known.get(self.path.partition("?")[0], (404, missing)))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(422, {"error": _REFUSAL})

    def _answer(self, status: int, body: Any) -> None:
        content = b"<html>oops</html>" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    """The address of the stand-in."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _StandIn) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_jobs_are_listed_for_people_and_for_programs(api: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "--api", api]) == 0
    assert "j1" in capsys.readouterr().out
    assert main(["jobs", "--api", api, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == _JOBS


def test_a_refusal_is_printed_with_all_it_says_and_exits_1(api: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "a hologram", "--api", api]) == 1
    printed = capsys.readouterr().err
    for part in (
        "no task makes a hologram",
        "unsatisfiable_goal",
        "/goal",
        "video, image",
        "ask for a video",
        "add a GPU",
    ):
        assert part in printed
    assert "Traceback" not in printed


def test_a_refusal_as_json_keeps_the_shape_of_the_api(api: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "a hologram", "--api", api, "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"error": _REFUSAL}


def test_an_unknown_job_and_an_answer_that_is_not_json_are_told_plainly(
    api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["approve", "nobody", "--api", api]) == 1
    assert "no such job (not_found)" in capsys.readouterr().err
    assert main(["approve", "broken", "--api", api]) == 1
    assert "answered 500" in capsys.readouterr().err


def test_an_api_that_does_not_answer_is_named_with_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "--api", "http://127.0.0.1:9"]) == 1
    assert "reelgraph up" in capsys.readouterr().err


def test_without_a_stack_the_hint_says_how_to_start_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "--data", str(tmp_path)]) == 1
    assert "stack_not_running" in capsys.readouterr().err
    assert main(["down", "--data", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    "words",
    [
        ["jobs", "--limit", "x"],
        ["jobs", "--limit", "0"],
        ["nonsense"],
        ["watch"],
        ["submit"],
        ["submit", "a goal", "--template", "generate_v1"],
        ["logs", "nobody"],
        ["submit", "--plan", "/no/such/file", "--api", "http://127.0.0.1:9"],
        ["submit", "--template", "t", "--params", "{", "--api", "http://127.0.0.1:9"],
        ["submit", "a goal", "--image", "/no/such.png", "--api", "http://127.0.0.1:9"],
    ],
)
def test_a_wrong_call_exits_2_with_one_message(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_an_interrupt_exits_130(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("compose.detached.start", interrupted)
    assert main(["demo", "--data", str(tmp_path)]) == 130


def test_doctor_answers_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json", "--data", str(tmp_path)])
    report = json.loads(capsys.readouterr().out)
    assert code == (0 if report["ok"] else 1)
    assert {"python", "packages", "disk", "script writer"} <= {one["name"] for one in report["checks"]}


def test_the_demo_shows_the_registered_video_and_who_made_it() -> None:
    raw = {"id": "1", "kind": "video", "registered": False}
    final = {"id": "2", "kind": "video", "registered": True}
    assert final_video({"artifacts": [final, raw, {"id": "3", "kind": "image", "registered": True}]}) == final
    assert final_video({"artifacts": []}) is None
    told = provenance({"backends": {"script": "embedded:SmolLM2", "render": "storyboard"}, "script": {}})
    assert told == ["script written by: embedded:SmolLM2", "render: storyboard"]
