"""The node `script.generateScript`: a topic becomes a spoken script that fits the video's length."""

from __future__ import annotations

from pydantic import Field, ValidationError

from graphs.registry import Inputs, NodeContext, NodeError, Outputs, Params, node
from graphs.writing.brief import Brief, read_style
from graphs.writing.providers import ScriptSettings, choose_writer, unavailable
from schemas.script import Script
from schemas.text import clean_json, clean_text


class GenerateScript(Params):
    """What the plan may set."""

    duration_seconds: float = Field(default=20.0, ge=1, le=600)
    style: str = Field(default="", max_length=4000)
    tone: str = Field(default="", max_length=4000)
    language: str = Field(default="", max_length=16)


@node("script.generateScript", slow=True, available=lambda: unavailable(ScriptSettings()))
async def generate_script(ctx: NodeContext, params: GenerateScript, inputs: Inputs) -> Outputs:
    """Write the script with the writer that REELGRAPH_SCRIPT_MODEL names."""
    brief = read_brief(ctx, params, inputs)
    writer = choose_writer(ScriptSettings(), ctx.children)
    ctx.progress(0.1, "writing")
    draft = await writer.write(brief)
    try:
        script = Script.model_validate(clean_json(draft.model_dump(mode="json"), strict=False))
    except ValidationError as wrong:
        raise NodeError(
            "llm_failed", f"the script of {draft.model} is not valid: {wrong.errors()[0]['msg']}"
        ) from wrong
    ctx.log(f"script written by {script.model}")
    ctx.progress(1.0, "written")
    return {"script": script.model_dump(mode="json")}


def read_brief(ctx: NodeContext, params: GenerateScript, inputs: Inputs) -> Brief:
    """Return the wish as the writers take it.

    Raises:
        NodeError: `missing_topic` when the topic holds no word.
    """
    request = ctx.request
    topic = clean_text(str(inputs.get("topic") or "")).strip()[:4000]
    goal = clean_text(str(request.get("goal") or "")).strip()[:4000]
    if not any(character.isalnum() for character in topic):
        raise NodeError("missing_topic", "the topic holds no word", hint="say what the video is about")
    notes = " ".join(clean_text(str(request[key])) for key in ("text", "notes") if request.get(key))
    style = str(inputs.get("style") or "")
    language = str(inputs.get("language") or params.language or request.get("language") or "en")
    manner = ", ".join(part for part in (style, params.style, params.tone) if part)
    return Brief(
        topic=topic,
        goal=goal,
        notes=notes[:20_000],
        style=read_style(params.style, params.tone, style, str(request.get("style") or ""), topic, goal),
        manner=manner[:4000],
        language=language[:16],
        duration_s=params.duration_seconds,
    )
