"""The planning strategies of this process: templates and solver always, a language model where the settings name one.

A strategy blocks while its model answers, so plans of mode `llm` are made in threads of their own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from control_api.requests import MODEL_MODE as MODE
from control_api.settings import ApiSettings
from graphs.planning.chat import VARIABLE, PlanningModel, choose_model
from graphs.registry import Children, NodeError
from graphs.writing.providers import ScriptSettings
from planner.agent.model import Completion, Message, ModelFailed
from planner.agent.strategy import from_model
from planner.plan import STRATEGIES
from planner.strategy import Strategy
from schemas.errors import ValidationFailed

log = structlog.get_logger()
THREADS = 4
Made = TypeVar("Made")


@dataclass(frozen=True)
class Strategies:
    """Mode -> strategy, and why there is no language model among them, if so."""

    by_mode: Mapping[str, Strategy]
    without_model: str | None
    threads: ThreadPoolExecutor

    @property
    def has_model(self) -> bool:
        return MODE in self.by_mode

    def for_mode(self, mode: str) -> Mapping[str, Strategy]:
        """Return the strategies for a request of this mode.

        Raises:
            ValidationFailed: the mode needs a language model and there is none.
        """
        if mode == MODE and not self.has_model:
            raise ValidationFailed(
                f"there is no planning mode {MODE!r} here: {self.without_model}",
                path="/mode",
                got=mode,
                allowed=["auto", *self.by_mode],
                hint=f"set {VARIABLE} to embedded, ollama:MODEL, openai:MODEL or anthropic:MODEL and start again",
            )
        return self.by_mode

    async def run(self, mode: str, make: Callable[[], Made]) -> Made:
        """Return what `make` returns, off the event loop where a model may be asked."""
        if mode != MODE:
            return make()
        return await asyncio.get_running_loop().run_in_executor(self.threads, make)


@contextmanager
def open_strategies(settings: ApiSettings, children: Children) -> Iterator[Strategies]:
    """Yield the strategies that the settings give; what waits for a model at the end is told that it has none."""
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="planner")
    model, reason = _model(settings, children)
    if reason is not None and settings.planner_llm:
        log.warning("planner.model_unavailable", reason=reason)
    by_mode = dict(STRATEGIES) if model is None else {**STRATEGIES, MODE: from_model(model)}
    try:
        yield Strategies(by_mode, reason, threads)
    finally:
        if model is not None:
            model.close()
        threads.shutdown(wait=False, cancel_futures=True)


def _model(settings: ApiSettings, children: Children) -> tuple[ThreadedModel | None, str | None]:
    if not settings.planner_llm:
        return None, f"{VARIABLE} names no language model"
    named = ScriptSettings(
        model=settings.planner_llm,
        base_url=settings.planner_llm_base_url,
        api_key=settings.planner_llm_api_key,
        timeout_s=settings.planner_llm_timeout_s,
    )
    try:
        return ThreadedModel(choose_model(named, children), asyncio.get_running_loop()), None
    except NodeError as failure:
        return None, str(failure)


class ThreadedModel:
    """The planner's `ChatModel` for a model that answers on the event loop: the calling thread waits."""

    def __init__(self, model: PlanningModel, loop: asyncio.AbstractEventLoop) -> None:
        self._model = model
        self._loop = loop
        self._waiting: set[concurrent.futures.Future[Any]] = set()
        self._is_closed = False

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any]) -> Completion:
        """Return the answer.

        Raises:
            ModelFailed: there is none, or the process stops.
        """
        if self._is_closed:
            raise ModelFailed("the API is stopping")
        told = [(message.role, message.text) for message in messages]
        future = asyncio.run_coroutine_threadsafe(self._model.answer(list(told), schema=dict(schema)), self._loop)
        self._waiting.add(future)
        try:
            answer = future.result()
        except NodeError as failure:
            raise ModelFailed(str(failure)) from failure
        except concurrent.futures.CancelledError as stopped:
            raise ModelFailed("the API is stopping") from stopped
        finally:
            self._waiting.discard(future)
        return Completion(answer.text, answer.tokens, answer.model)

    def close(self) -> None:
        """End every wait."""
        self._is_closed = True
        for future in list(self._waiting):
            future.cancel()
