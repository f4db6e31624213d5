"""Lets the packaged small model plan; call it only in a child process (`graphs/writing/model.py` says which model)."""

from __future__ import annotations

from typing import Any

from graphs.registry import NodeError
from graphs.writing import model
from schemas.states import FailureKind

CONTEXT_TOKENS = 8192
"""All that the model was trained for. Source: its card, `max_position_embeddings`."""
MOST_TOKENS = 320
AGAIN_TEMPERATURE = 0.7
"""Asked again without chance, so small a model repeats the answer that was refused."""


def answer(argument: dict[str, Any]) -> dict[str, Any]:
    """Return `{"text", "tokens", "model"}` for `{"messages": [[role, text]], "schema"}`; the text fits the schema.

    Raises:
        NodeError: `llm_failed` when the messages are too long for it or the schema is none that it can follow.
    """
    messages = [{"role": role, "content": text} for role, text in argument["messages"]]
    said = model.ask(
        {
            "messages": messages,
            "temperature": 0.0 if len(messages) <= 2 else AGAIN_TEMPERATURE,
            "seed": len(str(messages)),
            "max_tokens": MOST_TOKENS,
            "cache_prompt": True,
            "response_format": {"type": "json_schema", "json_schema": {"name": "edits", "schema": argument["schema"]}},
        },
        context_tokens=CONTEXT_TOKENS,
    )
    try:
        text, tokens = said["choices"][0]["message"]["content"], said["usage"]["total_tokens"]
    except (KeyError, IndexError, TypeError) as wrong:
        reason = str(said.get("error") or said.get("message") or "no answer")[:200]
        raise NodeError("llm_failed", f"{model.NAME} refused: {reason}", kind=FailureKind.INPUT) from wrong
    return {"text": str(text), "tokens": int(tokens), "model": f"embedded: {model.NAME}"}
