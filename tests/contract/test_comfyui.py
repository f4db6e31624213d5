"""The image backend `comfyui` against a server that speaks ComfyUI's protocol, faults included."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from schemas.states import FailureKind
from tests.comfy_server import ComfyServer
from worker.context import TaskCancelled, TaskContext, TaskError
from worker.images import comfy_watch, comfyui
from worker.tasks.text_to_image import TextToImageParams, text_to_image


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    running: list[ComfyServer] = []

    def start(**how: Any) -> ComfyServer:
        server = ComfyServer(**how)
        server.__enter__()
        running.append(server)
        monkeypatch.setenv("REELGRAPH_COMFYUI", server.url)
        monkeypatch.setenv("REELGRAPH_IMAGE_BACKEND", "comfyui")
        return server

    monkeypatch.setattr(comfy_watch, "SILENCE_S", 0.3)
    yield start
    for server in running:
        server.__exit__()


@pytest.fixture
def ctx(tmp_path: Path) -> TaskContext:
    told: list[dict[str, Any]] = []
    made = TaskContext("job", "node", 1, tmp_path, told.append, seed=11, provenance={"plan_digest": "d"})
    made.told = told  # type: ignore[attr-defined]
    return made


def told(ctx: TaskContext, kind: str) -> list[dict[str, Any]]:
    return [message for message in ctx.told if message["type"] == kind]  # type: ignore[attr-defined]


def draw(ctx: TaskContext, prompt: str = "a cat", lora: Any = None, **params: Any) -> list[np.ndarray]:
    given = {"steps": 4, "width": 64, "height": 72, **params}
    for saved in list(ctx.saved):
        ctx.saved.remove(saved)
    inputs = {"prompt": prompt} | ({"lora": lora} if lora else {})
    text_to_image(ctx, TextToImageParams(**given), inputs)
    return [pixels(saved.path) for saved in ctx.saved if saved.path]


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened)


def failure(ctx: TaskContext, **how: Any) -> Any:
    with pytest.raises(TaskError) as raised:
        draw(ctx, **how)
    return raised.value.failure


def a_lora(folder: Path, name: str = "pytorch_lora_weights.safetensors") -> dict[str, Any]:
    path = folder / "given" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"the weights")
    return {"kind": "lora", "name": name, "path": str(path), "media": {"trigger": "ohwx"}}


def test_a_picture_is_queued_watched_and_fetched(ctx: TaskContext, serve: Any) -> None:
    server = serve()
    pictures = draw(ctx, seed=5, negative_prompt="blurry", scheduler="dpmpp_2m_karras", guidance_scale=3.5)
    assert pictures[0].shape == (72, 64, 3)
    assert pictures[0].std() > 10
    (graph,) = server.prompts.values()
    sampler = graph["3"]["inputs"]
    assert (sampler["seed"], sampler["steps"], sampler["cfg"]) == (5, 4, 3.5)
    assert (sampler["sampler_name"], sampler["scheduler"]) == ("dpmpp_2m", "karras")
    assert (graph["6"]["inputs"]["text"], graph["7"]["inputs"]["text"]) == ("a cat", "blurry")
    assert ctx.saved[0].media["model"] == "sd15/dreamy.safetensors"
    assert ctx.saved[0].media["backend"] == "comfyui"


def test_steps_and_previews_reach_the_card(ctx: TaskContext, serve: Any) -> None:
    serve()
    draw(ctx, steps=6)
    done = [tick["progress"] for tick in told(ctx, "progress")]
    assert done == sorted(done)
    assert any(tick.get("stage") == "step 3 of 6" for tick in told(ctx, "progress"))
    previews = told(ctx, "preview")
    assert previews
    assert all(preview["preview"].startswith("data:image/jpeg;base64,") for preview in previews)


def test_the_picture_follows_the_prompt_the_seed_and_the_size(ctx: TaskContext, serve: Any) -> None:
    serve()
    first = draw(ctx, seed=1)[0]
    assert np.array_equal(first, draw(ctx, seed=1)[0])
    assert not np.array_equal(first, draw(ctx, seed=2)[0])
    assert not np.array_equal(first, draw(ctx, prompt="a dog", seed=1)[0])
    assert draw(ctx, seed=1, width=96)[0].shape == (72, 96, 3)


def test_a_batch_has_following_seeds_so_that_each_can_be_drawn_alone(ctx: TaskContext, serve: Any) -> None:
    serve()
    batch = draw(ctx, seed=7, count=3)
    assert [saved.media["seed"] for saved in ctx.saved] == [7, 8, 9]
    assert [saved.role for saved in ctx.saved] == ["output", "part", "part"]
    assert np.array_equal(batch[2], draw(ctx, seed=9)[0])


@pytest.mark.parametrize("new_style_lists", [False, True])
def test_a_lora_is_found_under_the_name_of_its_digest(ctx: TaskContext, serve: Any, new_style_lists: bool) -> None:
    digest = hashlib.sha256(b"the weights").hexdigest()
    server = serve(loras=[f"mine/reelgraph-{digest[:12]}.safetensors"], new_style_lists=new_style_lists)
    lora = a_lora(ctx.workdir)
    plain, full, half = (
        draw(ctx, prompt="ohwx cat", seed=3)[0],
        draw(ctx, prompt="ohwx cat", lora=lora, seed=3)[0],
        None,
    )
    half = draw(ctx, prompt="ohwx cat", lora=lora, lora_scale=0.5, seed=3)[0]
    assert len({picture.tobytes() for picture in (plain, full, half)}) == 3
    graph = list(server.prompts.values())[-1]
    loader = next(id for id, node in graph.items() if node["class_type"] == "LoraLoader")
    assert graph[loader]["inputs"]["lora_name"].startswith("mine/reelgraph-")
    assert graph["3"]["inputs"]["model"] == [loader, 0]
    assert graph["6"]["inputs"]["clip"] == graph["7"]["inputs"]["clip"] == [loader, 1]
    assert graph["8"]["inputs"]["vae"] == ["4", 2]


def test_the_trigger_of_a_lora_is_added_to_a_prompt_that_lacks_it(ctx: TaskContext, serve: Any) -> None:
    server = serve(loras=["person.safetensors"])
    draw(ctx, lora=a_lora(ctx.workdir, "person.safetensors"))
    assert list(server.prompts.values())[-1]["6"]["inputs"]["text"] == "ohwx, a cat"
    assert any("by its name" in line["message"] for line in told(ctx, "log"))


def test_a_lora_that_is_not_on_the_server_says_where_to_put_it(ctx: TaskContext, serve: Any) -> None:
    server = serve(loras=["other.safetensors"])
    found = failure(ctx, lora=a_lora(ctx.workdir))
    assert found.code == "lora_not_on_server"
    assert "models/loras/reelgraph-" in found.hint
    assert server.prompts == {}


def test_a_checkpoint_is_chosen_by_name_with_or_without_folder_and_suffix(ctx: TaskContext, serve: Any) -> None:
    server = serve()
    draw(ctx, model="sdxl_base")
    assert list(server.prompts.values())[-1]["4"]["inputs"]["ckpt_name"] == "sdxl_base.safetensors"
    found = failure(ctx, model="nothing")
    assert (found.code, found.allowed) == ("model_unknown", ["sd15/dreamy.safetensors", "sdxl_base.safetensors"])


def test_a_socket_that_breaks_costs_no_picture(ctx: TaskContext, serve: Any) -> None:
    serve(faults={"drop_socket"})
    assert draw(ctx, steps=5)[0].std() > 10


def test_a_server_without_a_socket_is_watched_through_its_history(ctx: TaskContext, serve: Any) -> None:
    serve(faults={"no_socket"})
    assert draw(ctx)[0].std() > 10


def test_nonsense_on_the_socket_changes_nothing(ctx: TaskContext, serve: Any) -> None:
    serve(faults={"nonsense"})
    assert draw(ctx)[0].std() > 10
    assert any(tick.get("stage") == "step 3 of 4" for tick in told(ctx, "progress"))


@pytest.mark.parametrize(
    ("fault", "code", "kind"),
    [
        ("fail", "comfyui_failed", FailureKind.BUG),
        ("oom", "comfyui_out_of_memory", FailureKind.CAPACITY),
        ("forget", "comfyui_lost", FailureKind.DEPENDENCY),
        ("no_output", "comfyui_no_image", FailureKind.DEPENDENCY),
        ("broken_file", "comfyui_bad_image", FailureKind.DEPENDENCY),
        ("huge_file", "comfyui_bad_image", FailureKind.DEPENDENCY),
        ("wrong_size", "comfyui_bad_image", FailureKind.DEPENDENCY),
        ("one_colour", "image_empty", FailureKind.DEPENDENCY),
        ("login_page", "comfyui_protocol", FailureKind.DEPENDENCY),
        ("down", "comfyui_unreachable", FailureKind.DEPENDENCY),
    ],
)
def test_what_goes_wrong_on_the_server_has_a_code(
    ctx: TaskContext, serve: Any, fault: str, code: str, kind: FailureKind
) -> None:
    serve(faults={fault})
    found = failure(ctx)
    assert (found.code, found.kind) == (code, kind)


def test_a_server_that_goes_down_while_it_draws_is_waited_for_and_then_given_up(
    ctx: TaskContext, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comfy_watch, "UNREACHABLE_S", 0.5)
    server = serve(gated=True)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(failure(ctx)))
    thread.start()
    assert server.running.wait(10)
    server.fall()
    thread.join(10)
    assert found[0].code == "comfyui_unreachable"


def test_a_failing_node_is_named_with_its_message(ctx: TaskContext, serve: Any) -> None:
    serve(faults={"fail"})
    assert "KSampler (node 3)" in (message := failure(ctx).message)
    assert "mat1 and mat2" in message


def test_a_refused_graph_tells_the_servers_reasons(ctx: TaskContext, serve: Any) -> None:
    serve(lacking={"VAEDecode"})
    found = failure(ctx)
    assert found.code == "comfyui_refused"
    assert "Node not found (VAEDecode)" in found.message


def test_a_cancel_interrupts_the_running_prompt(ctx: TaskContext, serve: Any) -> None:
    server = serve(gated=True)
    ended = cancelled_while(ctx, server.running)
    assert ended == [TaskCancelled]
    assert "POST /interrupt" in server.calls


def test_a_cancel_takes_a_waiting_prompt_out_and_leaves_the_running_one_alone(ctx: TaskContext, serve: Any) -> None:
    server = serve()
    server.occupy()
    waiting = threading.Event()
    hear = ctx.emit
    ctx.emit = lambda message: (hear(message), waiting.set() if "queue" in message.get("stage", "") else None)  # type: ignore[assignment,func-returns-value]
    assert cancelled_while(ctx, waiting) == [TaskCancelled]
    assert "POST /queue" in server.calls
    assert "POST /interrupt" not in server.calls


def cancelled_while(ctx: TaskContext, moment: threading.Event) -> list[type[BaseException]]:
    """Draw in a thread, cancel at the moment, and return how it ended."""
    ended: list[type[BaseException]] = []

    def work() -> None:
        try:
            draw(ctx, steps=8)
        except BaseException as error:
            ended.append(type(error))

    thread = threading.Thread(target=work)
    thread.start()
    assert moment.wait(10)
    ctx.cancelled.set()
    thread.join(10)
    return ended


def test_someone_elses_interrupt_is_a_failure_and_no_cancel(ctx: TaskContext, serve: Any) -> None:
    import httpx

    server = serve(gated=True)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(failure(ctx)))
    thread.start()
    assert server.running.wait(10)
    httpx.post(f"{server.url}/interrupt", timeout=5)
    thread.join(10)
    assert found[0].code == "comfyui_interrupted"


def test_it_is_available_only_with_a_server_that_answers_and_can_draw(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REELGRAPH_COMFYUI", raising=False)
    assert "REELGRAPH_COMFYUI" in str(comfyui.available())
    monkeypatch.setenv("REELGRAPH_COMFYUI", "http://127.0.0.1:9")
    assert "does not answer" in str(comfyui.available())
    for how, said in (({}, "None"), ({"lacking": {"KSampler"}}, "KSampler"), ({"checkpoints": []}, "no checkpoint"),
                      ({"faults": {"login_page"}}, "protocol")):  # fmt: skip
        serve(**how)
        assert said in str(comfyui.available())
