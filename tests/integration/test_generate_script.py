"""The node writes scripts with the real packaged model and facts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from graphs.children import ProcessChildren
from graphs.nodes.generate_script import GenerateScript, generate_script
from graphs.registry import REGISTRY, NodeContext, NodeError
from graphs.writing.sentences import count_words, split_sentences
from schemas.capability import Manifest
from schemas.script import Script


@pytest.fixture
async def children() -> AsyncIterator[ProcessChildren]:
    """The warm child process in which the product runs the model."""
    running = ProcessChildren()
    yield running
    await running.stop()


def context(children: Any = None, **request: Any) -> NodeContext:
    unused: Any = None
    return NodeContext(
        job_id="j", node_id="n", owner_id="o", attempt=1, request=request, manifest=Manifest(), profiles=unused,
        outputs=unused, children=children, progress=lambda *_, **__: None, log=lambda _: None,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODEL", "BASE_URL", "API_KEY", "TIMEOUT_S"):
        monkeypatch.delenv(f"REELGRAPH_SCRIPT_{name}", raising=False)


@pytest.mark.slow
@pytest.mark.parametrize("topic", ["black holes", "how volcanoes erupt", "the Eiffel Tower"])
async def test_the_embedded_model_writes_a_sourced_script_of_twenty_seconds(
    topic: str, children: ProcessChildren
) -> None:
    ctx = context(children, goal=f"Generate a 20-second humorous explainer about {topic}.")

    outputs = await generate_script(ctx, GenerateScript(style="humorous"), {"topic": topic})

    script = Script.model_validate(outputs["script"])
    sentences = split_sentences(script.narrative)
    assert 42 <= count_words(script.narrative) <= 57
    assert len(sentences) == len(set(sentences)) >= 4
    assert len(script.sources) >= 2
    assert script.model.startswith("embedded: ")
    assert "REELGRAPH_SCRIPT_MODEL" in script.note


async def test_a_topic_without_a_word_is_refused() -> None:
    with pytest.raises(NodeError) as caught:
        await generate_script(context(), GenerateScript(), {"topic": " ... "})

    assert caught.value.failure.code == "missing_topic"


async def test_a_provider_that_is_down_fails_the_node_and_nothing_else_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REELGRAPH_SCRIPT_MODEL", "ollama:none")
    monkeypatch.setenv("REELGRAPH_SCRIPT_BASE_URL", "http://127.0.0.1:9")

    with pytest.raises(NodeError) as caught:
        await generate_script(context(), GenerateScript(), {"topic": "tea"})

    assert caught.value.failure.code == "llm_failed"


def test_the_node_is_advertised_with_its_reason_when_the_setting_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    node = REGISTRY.get("script.generateScript")
    assert node.slow
    assert node.capability().enabled

    monkeypatch.setenv("REELGRAPH_SCRIPT_MODEL", "gpt:5")

    assert "allowed" in str(node.capability().reason)
