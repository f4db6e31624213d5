"""What the agent needs of a language model. It knows no provider and opens no connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

CHARS_PER_TOKEN = 4
"""For models that do not count their tokens. Source: the usual rule of thumb for English and JSON."""


class ModelFailed(Exception):
    """Raised when a model cannot be asked: unreachable, refused by its provider, too slow, or not installed.

    Its message is shown to users, so it holds no key, address or text of the provider.
    """


@dataclass(frozen=True)
class Message:
    """One message of a conversation with a model."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True)
class Completion:
    """What a model answered.

    Attributes:
        text: meant to be one JSON object that fits the schema; the agent checks it.
        tokens: of the messages and the answer together; 0 when the provider does not say.
        model: the name to record, for example `ollama:llama3.1`.
    """

    text: str
    tokens: int
    model: str


class ChatModel(Protocol):
    """A structured completion. Called from a thread that may block."""

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any]) -> Completion:
        """Return the model's answer to the messages.

        Args:
            schema: JSON Schema of the answer; a provider that can constrain its output to it does.

        Raises:
            ModelFailed: there is no answer.
        """
        ...


def estimated_tokens(*texts: str) -> int:
    """Return about how many tokens the texts have."""
    return sum(len(text) for text in texts) // CHARS_PER_TOKEN + 1
