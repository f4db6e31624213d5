"""What stays loaded: once a key, within the budget of a device that is only a name here, the oldest idle one goes."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from schemas.states import FailureKind
from worker.context import TaskError
from worker.models import resident as store
from worker.models.resident import budget_gib, release, resident, residents, take_used

GPU = "cuda:0"


class Weights:
    """Stands for a loaded model; it can be seen to go."""


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("REELGRAPH_VRAM_GIB", "10")
    release()
    take_used()
    yield
    release()
    assert residents() == []


def use(key: str, *, size_gib: float = 1.0, device: str = GPU) -> Weights:
    with resident(key, Weights, size_gib=size_gib, device=device) as weights:
        return weights


def test_a_model_is_loaded_once_and_its_id_is_told() -> None:
    assert use("sd:half") is use("sd:half")
    assert use("sd:full") is not use("sd:half")
    assert residents() == ["sd"]
    assert take_used() == ["sd"]
    assert take_used() == []


def test_a_model_is_loaded_once_for_each_device() -> None:
    assert use("sd", device="cuda:0") is not use("sd", device="cuda:1")
    release("cuda:0")
    assert residents() == ["sd"]


def test_the_least_recently_used_goes_and_its_memory_with_it() -> None:
    first = weakref.ref(use("a", size_gib=4))
    use("b", size_gib=4)
    use("a", size_gib=4)  # the older one is used again, so the other one goes
    use("c", size_gib=4)
    assert residents() == ["a", "c"]
    use("d", size_gib=9)
    assert residents() == ["d"]
    gc.collect()
    assert first() is None


def test_what_is_in_use_never_goes() -> None:
    with resident("base", Weights, size_gib=6, device=GPU) as base:
        use("other", size_gib=3)
        use("third", size_gib=4)
        assert residents() == ["base", "third"]
        with pytest.raises(TaskError) as caught:
            use("big", size_gib=5)
        release()
        assert residents() == ["base"]
        assert use("base") is base
    failure = caught.value.failure
    assert (failure.kind, failure.code, failure.got, failure.allowed) == (FailureKind.CAPACITY, "model_too_big", 5, 4)


def test_a_model_that_is_used_twice_at_once_stays_until_both_are_done() -> None:
    with resident("a", Weights, size_gib=6, device=GPU):
        use("a")
        with pytest.raises(TaskError):
            use("b", size_gib=6)
    use("b", size_gib=6)
    assert residents() == ["b"]


def test_a_model_larger_than_the_device_is_refused_before_it_is_loaded() -> None:
    def load() -> Weights:
        raise AssertionError("it was loaded")

    with pytest.raises(TaskError, match=r"12\.0 GiB on cuda:0"), resident("a", load, size_gib=12, device=GPU):
        pass


def test_a_load_that_fails_leaves_nothing_behind() -> None:
    def load() -> Weights:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"), resident("a", load, size_gib=1, device=GPU):
        pass
    assert residents() == []
    use("a")
    assert residents() == ["a"]


def test_an_error_in_the_task_gives_the_model_back() -> None:
    with pytest.raises(ValueError), resident("a", Weights, size_gib=6, device=GPU):
        raise ValueError
    use("b", size_gib=6)
    assert residents() == ["b"]


def test_the_host_lends_any_size_but_keeps_only_what_leaves_room_for_others() -> None:
    use("small", size_gib=1.5, device="cpu")
    assert residents() == ["small"]
    use("big", size_gib=store.CPU_BUDGET_GIB + 3, device="cpu")
    assert residents() == []


def test_two_threads_load_a_model_once() -> None:
    loads: list[int] = []
    inside = threading.Barrier(2)

    def load() -> Weights:
        loads.append(1)
        return Weights()

    def work() -> None:
        with resident("a", load, size_gib=1, device=GPU):
            inside.wait(5)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert loads == [1]


@pytest.mark.gpu
def test_the_budget_of_a_gpu_is_what_it_has_free_and_eviction_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    monkeypatch.delenv("REELGRAPH_VRAM_GIB")
    before = torch.cuda.memory_allocated()
    limit_gib = budget_gib(GPU)
    assert 0 < limit_gib < torch.cuda.get_device_properties(0).total_memory / 2**30
    with resident("a", lambda: torch.zeros(2**28, device=GPU), size_gib=1.0, device=GPU):
        assert torch.cuda.memory_allocated() - before == 2**30
        assert budget_gib(GPU) == pytest.approx(limit_gib, abs=0.2)
    with resident("b", Weights, size_gib=limit_gib - 0.3, device=GPU):
        assert torch.cuda.memory_allocated() == before
