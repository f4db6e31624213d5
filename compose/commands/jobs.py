"""`jobs`, `watch`, `cancel`, `retry`, `approve`: work that was submitted."""

from __future__ import annotations

import json
from typing import Annotated, Any, cast

import typer

from compose.job_view import JobView
from compose.options import DEFAULT_DATA, Api, AsJson, Data, connect
from compose.problems import Problem, problem
from compose.terminal import follow, say, say_json, table

JobId = Annotated[str, typer.Argument(help="Id of the job.")]


def jobs(
    data: Data = DEFAULT_DATA,
    api: Api = None,
    status: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most this many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    page = connect(data, api).get("/api/jobs", limit=limit, status=status)
    if as_json:
        say_json(page)
        return
    rows = (
        (one["jobId"], one["status"], one.get("variant"), one["createdAt"][:19], one["title"]) for one in page["items"]
    )
    table(["job", "status", "variant", "created (UTC)", "title"], rows)


def watch(job_id: JobId, data: Data = DEFAULT_DATA, api: Api = None, as_json: AsJson = False) -> None:
    """Follow a job until it ends; exit code 1 when it fails."""
    client = connect(data, api)
    if as_json:
        view = JobView()
        for event in client.watch(job_id):
            view.apply(event)
            say_json(event)
    else:
        view = follow(client.watch(job_id))
    record = client.get(f"/api/jobs/{job_id}")
    require_success(view, record)
    if not as_json:
        say(f"{job_id} {view.status}{_beside_quote(record.get('quote'))}")


def cancel(job_id: JobId, data: Data = DEFAULT_DATA, api: Api = None, as_json: AsJson = False) -> None:
    """Cancel a job."""
    _tell(connect(data, api).post(f"/api/jobs/{job_id}/cancel"), as_json=as_json)


def retry(job_id: JobId, data: Data = DEFAULT_DATA, api: Api = None, as_json: AsJson = False) -> None:
    """Run the failed nodes of a job again; what succeeded is kept."""
    _tell(connect(data, api).post(f"/api/jobs/{job_id}/retry"), as_json=as_json)


def approve(
    job_id: JobId,
    data: Data = DEFAULT_DATA,
    api: Api = None,
    node: Annotated[str | None, typer.Option(help="The gate; default the only open one.")] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Say no.")] = False,
    value: Annotated[str | None, typer.Option(help="The edited value, as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Answer the question that a job waits for."""
    client = connect(data, api)
    record = client.get(f"/api/jobs/{job_id}")
    gates = [one for one in record["approvals"] if one["status"] == "open" and node in (None, one["node"])]
    if len(gates) != 1:
        names = [one["node"] for one in gates]
        raise problem(
            "illegal_state", f"job {job_id} has {len(gates)} open questions", allowed=names, hint="use --node"
        )
    body: dict[str, Any] = {
        "node": gates[0]["node"],
        "questionHash": gates[0]["questionHash"],
        "decision": "reject" if reject else "approve",
    }
    if value is not None:
        body["value"] = read_json(value, "--value")
    _tell(client.post(f"/api/jobs/{job_id}/approve", body), as_json=as_json)


def _beside_quote(quote: dict[str, Any] | None) -> str:
    """Return what was quoted and what it took, for a line about an ended job."""
    if not quote or quote["actual_s"] is None:
        return ""
    return f" (quoted {quote['p50_s']:.0f} s, took {quote['actual_s']:.0f} s)"


def require_success(view: JobView, record: dict[str, Any]) -> None:
    """Raise the job's own error unless it completed."""
    if view.status == "completed":
        return
    fallback = {"code": view.status, "message": f"the job is {view.status}"}
    raise Problem(record.get("error") or view.error or fallback)


def read_json(text: str, path: str) -> Any:
    """Return the JSON value in `text`."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise problem("validation_error", f"not JSON: {error}", path=path, got=text[:80], exit_code=2) from error


def read_object(text: str, path: str) -> dict[str, Any]:
    """Return the JSON object in `text`."""
    found = read_json(text, path)
    if not isinstance(found, dict):
        raise problem("validation_error", "this is not a JSON object", path=path, got=text[:80], exit_code=2)
    return cast(dict[str, Any], found)


def _tell(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(answer)
    else:
        say(f"{answer.get('jobId', '')} {answer.get('status', 'done')}".strip())
