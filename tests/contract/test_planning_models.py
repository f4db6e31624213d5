"""Every planning model keeps the same promises; providers are played by a server on loopback that speaks their formats."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from graphs.children import ProcessChildren
from graphs.planning.chat import CONTEXT_TOKENS, VARIABLE, EmbeddedModel, PlanningModel, choose_model, unavailable
from graphs.registry import NodeError
from graphs.writing.providers import ScriptSettings
from planner.agent.edits import OPERATIONS, answer_schema
from schemas.capability import Capability, Port
from schemas.contracts.table import Advertised
from schemas.states import FailureKind
from tests.fake_models import USED, FakeModels, Told

ANSWER = {"edits": [{"op": "add_node", "id": "a", "task": "brew"}, {"op": "finish"}]}
SCHEMA = answer_schema([Advertised("brew", "python", Capability(outputs={"tea": Port()}))])
MESSAGES = [("system", "You plan."), ("user", '{"goal": "tea"}'), ("assistant", "{}"), ("user", '{"ok": false}')]
PROVIDERS = ("ollama", "openai", "anthropic")


class Inline:
    """Children that run the call here."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    async def call(self, target: str, argument: dict[str, Any], *, timeout_s: float) -> Any:
        self.asked.append(json.loads(json.dumps(argument)))
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
        if isinstance(self.answer, NodeError):
            raise self.answer
        return self.answer


@pytest.fixture
def fake() -> Iterator[FakeModels]:
    with FakeModels(lambda _: json.dumps(ANSWER)).serving() as server:
        yield server


def model(provider: str, url: str, *, timeout_s: float = 10) -> PlanningModel:
    if provider == "embedded":
        told = {"text": json.dumps(ANSWER), "tokens": sum(USED), "model": "embedded: small"}
        return EmbeddedModel(Inline(told), timeout_s=timeout_s)
    base_url = f"{url}/v1" if provider == "openai" else url
    named = ScriptSettings(model=f"{provider}:m", base_url=base_url, api_key=SecretStr("k"), timeout_s=timeout_s)
    return choose_model(named, Inline())


@pytest.mark.parametrize("provider", [*PROVIDERS, "embedded"])
async def test_a_model_answers_with_json_its_tokens_and_its_name(provider: str, fake: FakeModels) -> None:
    answer = await model(provider, fake.url).answer(list(MESSAGES), schema=SCHEMA)

    assert json.loads(answer.text) == ANSWER
    assert answer.tokens == sum(USED)
    assert answer.model.startswith(provider)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_provider_gets_the_conversation_and_the_schema(provider: str, fake: FakeModels) -> None:
    heard: list[Told] = []

    def script(told: Told) -> str:
        heard.append(told)
        return json.dumps(ANSWER)

    fake.script = script
    await model(provider, fake.url).answer(list(MESSAGES), schema=SCHEMA)

    assert [message["role"] for message in heard[0]] == ["system", "user", "assistant", "user"]
    assert "tea" in str(heard[0][1]["content"])
    assert '"brew"' in json.dumps(fake.asked[0])


async def test_ollama_is_told_to_hold_the_whole_list_of_tasks(fake: FakeModels) -> None:
    await model("ollama", fake.url).answer(list(MESSAGES), schema=SCHEMA)

    assert fake.asked[0]["options"]["num_ctx"] == CONTEXT_TOKENS
    assert fake.asked[0]["format"]["required"] == ["edits"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_server_that_refuses_is_a_dependency_and_no_secret_is_told(provider: str, fake: FakeModels) -> None:
    fake.script = lambda _: 401

    with pytest.raises(NodeError) as caught:
        await model(provider, fake.url).answer(list(MESSAGES), schema=SCHEMA)

    assert (caught.value.failure.code, caught.value.failure.kind) == ("llm_failed", FailureKind.DEPENDENCY)
    assert fake.url not in caught.value.failure.message


async def test_a_server_that_is_not_there_is_a_dependency() -> None:
    with pytest.raises(NodeError) as caught:
        await model("ollama", "http://127.0.0.1:9").answer(list(MESSAGES), schema=SCHEMA)

    assert caught.value.failure.kind is FailureKind.DEPENDENCY


async def test_a_model_that_never_answers_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(NodeError, match="TimeoutError"):
            await model("ollama", url, timeout_s=0.2).answer(list(MESSAGES), schema=SCHEMA)


@pytest.mark.slow
async def test_the_packaged_model_keeps_to_the_schema() -> None:
    children = ProcessChildren()
    try:
        answer = await EmbeddedModel(children, timeout_s=240).answer(list(MESSAGES[:2]), schema=SCHEMA)
    finally:
        await children.stop()

    assert re.match(r'\s*{\s*"edits":\s*\[\s*{\s*"op":\s*"(\w+)"', answer.text)[1] in OPERATIONS  # type: ignore[index]
    assert answer.tokens > 20
    assert "SmolLM2" in answer.model


async def test_the_embedded_model_runs_in_a_child_and_its_trouble_is_told() -> None:
    died = NodeError("crash", "the child process died", kind=FailureKind.CRASH)

    with pytest.raises(NodeError, match="child process died"):
        await EmbeddedModel(Inline(died), timeout_s=1).answer(list(MESSAGES), schema=SCHEMA)


@pytest.mark.parametrize("name", ["nonsense", "ollama:", "gpt:5"])
def test_a_setting_that_names_no_model_says_what_is_allowed(name: str) -> None:
    reason = str(unavailable(ScriptSettings(model=name)))

    assert VARIABLE in reason
    assert "allowed" in reason
