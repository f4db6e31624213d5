"""`demo`: the main job from an empty folder to a video, in one command."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from compose import detached
from compose.client import ApiClient
from compose.commands.jobs import require_success
from compose.commands.submit import goal_body
from compose.options import DEFAULT_DATA, AsJson, Data, own_command
from compose.problems import problem
from compose.terminal import follow, say, say_json

GOAL = "Generate a 20-second humorous explainer about black holes."


def demo(
    goal: Annotated[str, typer.Argument(help="Another goal.")] = GOAL,
    data: Data = DEFAULT_DATA,
    variant: Annotated[str | None, typer.Option(help="svd or sadtalker.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a video from a goal and show every step. Ctrl-C stops what this command started."""
    began = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # also where a shell made us ignore them
        signal.signal(number, signal.default_int_handler)
    state = detached.running(data)
    started_here = state is None
    try:
        if state is None:
            _tell("starting the stack (Postgres, Valkey, S3, API, worker) ...", as_json=as_json)
            state = detached.start(data)
        _tell(f"the stack is ready after {time.monotonic() - began:.1f} s: {state.ui}", as_json=as_json)
        record, file = _make(ApiClient(state.api), goal, variant=variant, data=data, as_json=as_json)
    except KeyboardInterrupt:
        if started_here:
            _tell("stopping the stack; the job resumes at the next start", as_json=as_json)
            detached.stop(data)
        raise
    stop = f"{own_command()} down --data {data}"
    if as_json:
        say_json({"jobId": record["jobId"], "video": str(file), "ui": state.ui, "stop": stop})
        return
    say()
    for line in provenance(record):
        say(line)
    say(f"made in {time.monotonic() - began:.0f} s; the video is")
    say(str(file))
    say(f"web page: {state.ui}")
    say(f"the stack is still running; stop it with: {stop}")


def provenance(record: dict[str, Any]) -> list[str]:
    """Return which model wrote the script and which backends did the rest, as lines."""
    backends: dict[str, str] = record.get("backends") or {}
    script = record.get("script") or {}
    author = next((str(script[key]) for key in ("model", "author", "written_by") if script.get(key)), None)
    found = [f"script written by: {author or backends.get('script', 'unknown')}"]
    found += [f"{node}: {name}" for node, name in backends.items() if node != "script"]
    return found


def _make(
    client: ApiClient, goal: str, *, variant: str | None, data: Path, as_json: bool
) -> tuple[dict[str, Any], Path]:
    job_id = client.post("/api/jobs", goal_body(client, goal, variant=variant))["jobId"]
    _tell(f"job {job_id}: {goal}", as_json=as_json)
    if as_json:
        for _event in client.watch(job_id):
            pass
        view_of = client.get(f"/api/jobs/{job_id}")
        if view_of["status"] != "completed":
            raise problem("job_failed", f"the job is {view_of['status']}", error=view_of.get("error"))
        record = view_of
    else:
        view = follow(client.watch(job_id))
        record = client.get(f"/api/jobs/{job_id}")
        require_success(view, record)
    video = final_video(record)
    if video is None:
        raise problem("no_video", f"job {job_id} completed without a video", hint=f"see {client.base_url}")
    return record, client.download(video["id"], data.resolve() / "demo" / f"{job_id}.mp4")


def final_video(record: dict[str, Any]) -> dict[str, Any] | None:
    """Return the deliverable among a job's artifacts: its last registered video, else its last video."""
    videos = [one for one in record.get("artifacts", []) if one["kind"] == "video"]
    registered = [one for one in videos if one.get("registered")]
    return (registered or videos or [None])[-1]


def _tell(text: str, *, as_json: bool) -> None:
    if not as_json:
        say(text)
