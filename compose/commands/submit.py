"""`submit`, `plan`: from a goal, a plan, a template or a file to a job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from compose.client import ApiClient
from compose.commands.inspect import record_in
from compose.commands.jobs import read_json, read_object, require_success
from compose.options import DEFAULT_DATA, Api, AsJson, Data, connect
from compose.problems import problem
from compose.terminal import follow, say, say_json, table
from schemas.provenance.files import sha256_of_file

Goal = Annotated[str | None, typer.Argument(help="What you want, in a sentence.")]
Variant = Annotated[str | None, typer.Option(help="Variant of the renderer: svd, sadtalker.")]
Profile = Annotated[str | None, typer.Option(help="Id of a stored profile.")]
Images = Annotated[list[Path] | None, typer.Option("--image", help="A picture to use; may be repeated.")]
Conversation = Annotated[str | None, typer.Option(help="Change the last plan of this conversation.")]
Audio = Annotated[list[Path] | None, typer.Option("--audio", help="A recording to use; may be repeated.")]


def submit(
    goal: Goal = None,
    data: Data = DEFAULT_DATA,
    api: Api = None,
    template: Annotated[str | None, typer.Option(help="Use this template instead of a goal.")] = None,
    params: Annotated[str, typer.Option(help="Params of the template, as JSON.")] = "{}",
    plan_file: Annotated[Path | None, typer.Option("--plan", help="Run the plan in this JSON file.")] = None,
    from_file: Annotated[
        str | None, typer.Option(help="Make a file again: run its plan. A path, an artifact id, or an s3:// uri.")
    ] = None,
    variant: Variant = None,
    profile: Profile = None,
    image: Images = None,
    audio: Audio = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the job until it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Submit a job."""
    if sum(given is not None for given in (goal, template, plan_file, from_file)) != 1:
        raise problem("validation_error", "give one of a goal, --template, --plan and --from-file", exit_code=2)
    client = connect(data, api)
    if plan_file is not None:
        body: dict[str, Any] = {"plan": _plan_in(plan_file)}
    elif from_file is not None:
        body = {"from_file": _origin(from_file)}
    elif template is not None:
        body = {"template": template, "params": _template_params(client, params, variant, profile, image, audio)}
    else:
        body = goal_body(client, str(goal), variant=variant, profile=profile, images=image, audio=audio)
    answer = client.post("/api/jobs", body)
    if as_json:
        say_json(answer)
    else:
        say(f"{answer['jobId']} {answer['status']}")
    if watch:
        view = follow(client.watch(answer["jobId"]))
        require_success(view, client.get(f"/api/jobs/{answer['jobId']}"))


def plan(
    goal: Annotated[str, typer.Argument(help="What you want, in a sentence.")],
    data: Data = DEFAULT_DATA,
    api: Api = None,
    variant: Variant = None,
    profile: Profile = None,
    image: Images = None,
    audio: Audio = None,
    conversation: Conversation = None,
    as_json: AsJson = False,
) -> None:
    """Show the graph that a goal would become, without running it."""
    client = connect(data, api)
    body = goal_body(client, goal, variant=variant, profile=profile, images=image, audio=audio)
    body |= {"conversation": conversation} if conversation else {}
    answer = client.post("/api/plan", body)
    if as_json:
        say_json(answer)
        return
    graph = answer["graph"]
    say(f"{graph['workflow_id']}: {answer.get('rationale', '')}")
    parents: dict[str, list[str]] = {node["id"]: [] for node in graph["nodes"]}
    for edge in graph["edges"]:
        parents[edge["to"]].append(edge["from"])
    table(
        ["node", "task", "plane", "after", "params"],
        (
            (node["id"], node["task"], node["plane"], ", ".join(parents[node["id"]]), _short(node.get("params") or {}))
            for node in graph["nodes"]
        ),
    )
    for one in answer.get("diagnostics") or []:
        say(f"- {one['code']}: {one['message']}")
    if "diff" in answer:
        say(f"changed: {'; '.join(answer['changes'])}")
        say(f"in the plan: {answer['diff']['summary']}")
    if "conversation" in answer:
        say(f"to change it: reelgraph plan --conversation {answer['conversation']} 'make it shorter'")


def goal_body(
    client: ApiClient,
    goal: str,
    *,
    variant: str | None = None,
    profile: str | None = None,
    images: list[Path] | None = None,
    audio: list[Path] | None = None,
) -> dict[str, Any]:
    """Return the planning request for a goal; uploads the files."""
    body: dict[str, Any] = {"goal": goal}
    if variant:
        body["requested_variant"] = variant
    if profile:
        body["user_context"] = {"profile_id": profile}
    inputs = {
        name: [client.upload(file) for file in files] for name, files in (("images", images), ("audio", audio)) if files
    }
    if inputs:
        body["inputs"] = inputs
    return body


def _template_params(
    client: ApiClient,
    text: str,
    variant: str | None,
    profile: str | None,
    images: list[Path] | None,
    audio: list[Path] | None,
) -> dict[str, Any]:
    params = read_object(text, "--params")
    named = {"variant": variant, "profile_id": profile}
    params |= {key: value for key, value in named.items() if value}
    for key, files in (("images", images), ("audio", audio)):
        if files:
            params[key] = [client.upload(file) for file in files]
    return params


def _origin(reference: str) -> str:
    """Return what the API finds a plan by: for a local file the digest of its plan, else that of the file itself."""
    file = Path(reference)
    if not file.is_file():
        return reference
    record = record_in(file)
    return record.plan_digest if record is not None and record.names_plan else f"sha256:{sha256_of_file(file)}"


def _plan_in(file: Path) -> Any:
    try:
        return read_json(file.read_text(), "--plan")
    except (OSError, UnicodeDecodeError) as error:
        raise problem("not_found", f"cannot read {file}: {error}", path="--plan", exit_code=2) from error


def _short(params: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in params.items() if value not in (None, [], {}))
