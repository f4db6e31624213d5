"""Prints a script and its sources for developers: `python -m graphs.writing "TOPIC" [--seconds 20] [--style STYLE]`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import time
from typing import Any

from graphs.writing.brief import Brief, read_style
from graphs.writing.providers import ScriptSettings, choose_writer
from graphs.writing.sentences import count_words


class InThisProcess:
    """The `Children` of a developer's command: no child, the call runs here."""

    async def call(self, target: str, argument: dict[str, Any], *, timeout_s: float) -> Any:
        module, _, function = target.partition(":")
        return getattr(importlib.import_module(module), function)(argument)


def main() -> None:
    """Write one script with the configured writer and print it."""
    parser = argparse.ArgumentParser(prog="python -m graphs.writing", description=__doc__)
    parser.add_argument("topic")
    parser.add_argument("--goal", default="", help="the whole goal; statements in it are told first")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--style", default="")
    parser.add_argument("--language", default="en")
    options = parser.parse_args()
    brief = Brief(
        topic=options.topic,
        goal=options.goal,
        style=read_style(options.style, options.topic, options.goal),
        manner=options.style,
        language=options.language,
        duration_s=options.seconds,
    )
    started_s = time.monotonic()
    draft = asyncio.run(choose_writer(ScriptSettings(), InThisProcess()).write(brief))
    print(f"# {draft.title}\n\n{draft.narrative}\n\nStage: {draft.stage}\nModel: {draft.model}")
    print(f"Words: {count_words(draft.narrative)} of {brief.target_words}; {time.monotonic() - started_s:.1f} s")
    for source in draft.sources:
        print(f"- {source.sentence}  [{source.source}]")
    print(f"Note: {draft.note}")


if __name__ == "__main__":
    main()
