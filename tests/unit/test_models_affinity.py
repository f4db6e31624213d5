"""Which slot gets a run: what a child said it holds, what was forgotten with it, and the order of free slots."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from schemas.outcome import Succeeded
from worker.affinity import Warmth, flavour, offered
from worker.free_slots import FreeSlots
from worker.slot import ChildPolicy, Limits, Slot

SD, XL = flavour("text_to_image", {"model": "sd"}), flavour("text_to_image", {"model": "xl"})


def slot(name: str, *warm: str) -> Slot:
    made = Slot(name, Path("/nowhere"), ChildPolicy(packages=()))
    for wanted in warm:
        made.warmth.learn(wanted, used=[wanted], resident=[*made.warmth.resident, wanted])
    return made


def test_a_flavour_is_the_task_and_the_params_that_choose_a_model() -> None:
    assert flavour("t", {"model": "a", "prompt": "x", "seed": 1}) == flavour("t", {"model": "a", "prompt": "y"})
    assert len({flavour("t", {}), flavour("t", {"model": "a"}), flavour("t", {"base": "a"}), flavour("u", {})}) == 4
    assert flavour("t", {"model": None, "variant": 3}) == flavour("t", {})
    assert len(flavour("t", {"model": "x" * 10_000})) <= 300


def test_a_flavour_is_warm_while_all_that_it_used_is_held() -> None:
    warmth = Warmth()
    assert not warmth.has(SD)
    warmth.learn(SD, used=["sd", "policy"], resident=["sd", "policy"])
    assert warmth.has(SD)
    warmth.learn(XL, used=["xl"], resident=["policy", "xl"])  # sd had to go
    assert warmth.flavours() == {XL}
    warmth.learn(SD, used=["sd", "policy"], resident=["sd", "policy", "xl"])
    assert warmth.flavours() == {SD, XL}
    warmth.clear()
    assert (warmth.flavours(), warmth.resident) == (frozenset(), frozenset())


def test_a_run_without_models_is_warm_nowhere() -> None:
    warmth = Warmth()
    warmth.learn("mux_video", used=[], resident=["sd"])
    assert not warmth.has("mux_video")


def test_a_child_cannot_fill_the_memory_of_the_supervisor() -> None:
    warmth = Warmth()
    for number in range(1000):
        warmth.learn(f"t model={number}", used=["m"], resident=["m" * 10_000, 7, *map(str, range(10_000)), "m"])
    assert len(warmth.resident) <= 64
    warmth.learn("t", used=["m"], resident=["m"])
    assert len(warmth.flavours()) <= 64


@pytest.mark.parametrize("data", ["", "[", "7", "[]", '["a"]', '["a", 7]', '{"a": 1}', '["a", "b", "c"]'])
def test_a_malformed_offer_is_ignored(data: str) -> None:
    assert offered(data) is None


def test_an_offer_names_job_and_node() -> None:
    assert offered('["job", "node#1"]') == ("job", "node#1")


def test_the_last_used_slot_comes_first_and_a_warm_one_before_it() -> None:
    async def scenario() -> None:
        free = FreeSlots()
        cold, warm, last = slot("cold"), slot("warm", SD), slot("last", XL)
        for one in (cold, warm, last):
            free.put(one)
        assert free.flavours() == {SD, XL}
        first = await free.get()
        assert first is last
        assert free.exchange(first, wanted=SD) is warm
        assert (len(free), free.flavours()) == (2, {XL})
        free.put(warm)
        assert free.exchange(await free.get(), wanted=flavour("mux_video", {})) is warm
        assert [await free.get(), await free.get()] == [last, cold]  # `last` took the place of `warm`

    asyncio.run(scenario())


def test_who_waits_for_a_slot_gets_the_next_one_and_a_cancelled_one_takes_none() -> None:
    async def scenario() -> None:
        free = FreeSlots()
        leaving, waiting = asyncio.ensure_future(free.get()), asyncio.ensure_future(free.get())
        await asyncio.sleep(0)
        leaving.cancel()
        one = slot("one")
        free.put(one)
        assert await waiting is one
        assert len(free) == 0

    asyncio.run(scenario())


def test_a_child_tells_what_it_used_and_holds_and_a_new_child_holds_nothing(tmp_path: Path) -> None:
    async def run(one: Slot, task: str, **params: Any) -> Any:
        (tmp_path / "work").mkdir(exist_ok=True)
        order = {"task": task, "params": params, "inputs": {}, "job_id": "j", "node_id": "n", "attempt": 1,
                 "workdir": str(tmp_path / "work"), "seed": 1, "provenance": {}}  # fmt: skip
        limits = Limits(run_s=20, idle_s=20)
        outcome = await one.run(order, limits=limits, on_message=lambda message: None, stop=asyncio.Event())
        return outcome.outputs["value"] if isinstance(outcome, Succeeded) else outcome

    async def scenario() -> None:
        policy = ChildPolicy(packages=("tests.tasks_for_tests",), threads=1)
        one = Slot("slot0", tmp_path / "child", policy)
        try:
            assert (await run(one, "test_use_model"))["loaded"] is True
            assert one.warmth.resident == {"m"}
            assert one.warmth.flavours() == {"test_use_model"}
            assert (await run(one, "test_use_model"))["loaded"] is False
            await run(one, "test_noop", ticks=1)
            assert one.warmth.flavours() == {"test_use_model"}
            await run(one, "test_use_model", model="n")
            assert one.warmth.resident == {"m", "n"}
            await run(one, "test_crash")
            assert one.warmth.flavours() == frozenset()
            assert (await run(one, "test_use_model"))["loaded"] is True
        finally:
            await one.drop("end of the test")
        assert one.warmth.resident == frozenset()

    asyncio.run(scenario())
