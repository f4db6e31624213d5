"""The static page in a real browser, against the real API: a person submits, watches, approves, retries."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tests.apps import Api, Client, echo, noop, plan
from tests.browser.devtools import CHROMIUM, Page
from tests.fake_worker import FakeWorker

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="Chromium is not installed: apt install chromium"
)
SHOTS = Path(os.environ.get("REELGRAPH_TEST_SHOTS", "/tmp/reelgraph-shots"))
SCRIPT = {"stage": "Deep space, stars drifting.", "narrative": "A black hole bends light. Nothing leaves it.",
          "model": "embedded composer", "title": "Black holes"}  # fmt: skip
GATE = {"id": "approve", "task": "gate.approve", "plane": "node", "inputs": {"value": "request.script"},
        "params": {"question": "Is this script good to render?"}}  # fmt: skip
CONTRAST = Path(__file__).with_name("contrast.js").read_text()


def card(job_id: str, inner: str = "") -> str:
    return f"document.querySelector('#job-{job_id} {inner}')"


def text_of(job_id: str, inner: str) -> str:
    return f"{card(job_id, inner)}?.textContent"


async def submit_by_hand(page: Page, goal: str) -> None:
    await page.run(f"document.querySelector('#goal').value = {goal!r}")
    await page.run("document.querySelector('#go').click()")


async def test_a_goal_becomes_a_card_that_moves(page: Page, client: Client) -> None:
    goal = "Generate a 20-second humorous explainer about tides."
    await submit_by_hand(page, goal)
    mine = f"[...document.querySelectorAll('.card')].find((c) => c.querySelector('h3').textContent === {goal!r})"
    job_id = (await page.until(f"{mine}?.id")).removeprefix("job-")
    await page.until(f"document.querySelectorAll('#job-{job_id} .nodes li').length >= 3")
    assert (await client.get(f"/api/status/{job_id}"))["mode"] == "goal"
    await page.until(f"[...document.querySelectorAll('#job-{job_id} button')].some((b) => b.textContent === 'Cancel')")
    await page.run(
        f"[...document.querySelectorAll('#job-{job_id} button')].find((b) => b.textContent === 'Cancel').click()"
    )
    await page.until(f"{text_of(job_id, '.pill')} === 'cancelled'")


async def test_progress_moves_and_a_reload_in_mid_run_keeps_the_card(
    page: Page, client: Client, fake_worker: FakeWorker, api: Api
) -> None:
    nodes = [echo("script"), noop("render", params={"hold": "reload", "ticks": 2}), noop("mux", params={"hold": "mux"})]
    job_id = await client.submit({"plan": plan(*nodes, goal="A film about rain")})
    while not fake_worker.claims_of(job_id):
        await asyncio.sleep(0.01)
    await page.go(api.url)
    await page.until(f"{text_of(job_id, '.pill')} === 'running'")
    now = f"+{card(job_id, '[role=progressbar]')}.getAttribute('aria-valuenow')"
    assert await page.until(now) >= 33
    fake_worker.let_go("reload")
    assert await page.until(f"{now} >= 66 && {now}") < 100
    await page.go(api.url)
    await page.until(f"{text_of(job_id, '.pill')} === 'running' && {now} >= 66")
    fake_worker.let_go("mux")
    await page.until(f"{text_of(job_id, '.pill')} === 'completed' && {now} === 100")
    await page.until(
        f"![...document.querySelectorAll('#job-{job_id} .nodes .what')].some((e) => e.textContent === 'running')"
    )


async def test_ended_jobs_are_listed_with_their_title_and_steps(page: Page, client: Client, api: Api) -> None:
    job_id = await client.submit({"plan": plan(echo("a"), echo("b"), topic="An old job")})
    await client.reaches(job_id, "completed")
    await page.go(api.url)
    await page.until(f"document.querySelectorAll('#job-{job_id} .nodes li').length === 2")
    assert await page.run(text_of(job_id, "h3")) == "An old job"


async def test_a_refusal_is_shown_and_says_what_to_do(page: Page) -> None:
    await submit_by_hand(page, "Delete all my files")
    shown = "!document.querySelector('#form-error').hidden && document.querySelector('#form-error').innerText"
    assert len(await page.until(shown)) > 20
    assert await page.run("document.querySelector('#go').disabled") is False
    page.troubles.clear()  # the browser logs the 422 itself


async def test_a_script_is_edited_and_approved_on_the_card(page: Page, client: Client) -> None:
    use = {"id": "render", "task": "read_script", "plane": "python", "inputs": {"script": "approve.script"}}
    job_id = await client.submit({"plan": plan(GATE, use, script=SCRIPT, goal="Approve me")})
    await client.reaches(job_id, "awaiting_approval")
    await page.call("Page.reload")
    await page.until(card(job_id, ".gate textarea") + " !== null")
    await page.run(f"{card(job_id, '.gate textarea')}.value = 'My own words.'")
    await page.run(f"{card(job_id, '.gate button')}.click()")
    await page.until(f"{text_of(job_id, '.pill')} === 'completed'")
    result = (await client.get(f"/api/jobs/{job_id}"))["result"]
    assert result["render"]["value"]["got"] == {**SCRIPT, "narrative": "My own words."}


async def test_a_draft_survives_events_and_a_rejected_script_is_asked_again_after_a_retry(
    page: Page, client: Client, fake_worker: FakeWorker
) -> None:
    use = {"id": "render", "task": "read_script", "plane": "python", "inputs": {"script": "approve.script"}}
    nodes = [GATE, use, noop("beside", params={"hold": "draft"})]
    job_id = await client.submit({"plan": plan(*nodes, edges=[("approve", "render")], script=SCRIPT, goal="Draft")})
    while not fake_worker.claims_of(job_id):
        await asyncio.sleep(0.01)
    await page.call("Page.reload")
    box = card(job_id, ".gate textarea")
    await page.until(box + " !== null")
    await page.run(f"{box}.focus(); {box}.value = 'half a thou'; {box}.blur()")
    fake_worker.let_go("draft")
    await page.until(f"{text_of(job_id, '.pill')} === 'awaiting approval'")
    assert await page.run(f"{box}.value") == "half a thou"
    await page.run(f"{card(job_id, '.gate button.quiet')}.click()")
    await page.until(f"{text_of(job_id, '.pill')} === 'failed'")
    await page.run(
        f"[...document.querySelectorAll('#job-{job_id} button')].find((b) => b.textContent === 'Retry').click()"
    )
    await page.until(box + " !== null")
    await page.run(f"{card(job_id, '.gate button')}.click()")
    await page.until(f"{text_of(job_id, '.pill')} === 'completed'")


async def test_a_retry_that_overtakes_the_reading_of_the_failed_job_is_followed(page: Page, client: Client) -> None:
    use = {"id": "render", "task": "read_script", "plane": "python", "inputs": {"script": "approve.script"}}
    job_id = await client.submit({"plan": plan(GATE, use, script=SCRIPT, goal="Overtaken")})
    await client.reaches(job_id, "awaiting_approval")
    await page.call("Page.reload")
    await page.until(f"{card(job_id, '.gate button.quiet')} !== null")
    await page.run(
        "window.real = window.fetch; window.pause = (ms) => new Promise((done) => setTimeout(done, ms));"
        " window.fetch = async (url, how) => { if (url.endsWith('/retry')) await pause(600);"
        " const answer = await real(url, how); if (how?.method === 'GET') await pause(300); return answer; }"
    )
    await page.run(f"{card(job_id, '.gate button.quiet')}.click()")
    await page.until(f"{text_of(job_id, '.pill')} === 'failed'")
    await page.run(
        f"[...document.querySelectorAll('#job-{job_id} button')].find((b) => b.textContent === 'Retry').click()"
    )
    await page.until(f"{text_of(job_id, '.pill')} === 'awaiting approval'")


async def test_a_title_is_text_and_never_markup(page: Page, client: Client, api: Api) -> None:
    bad = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    job_id = await client.submit({"plan": plan(echo("a"), goal=bad)})
    await client.reaches(job_id, "completed")
    await page.go(api.url)
    assert await page.until(text_of(job_id, "h3")) == bad
    assert await page.run("document.title") == "Reelgraph"


async def gallery(client: Client, worker: FakeWorker) -> dict[str, str]:
    """A card in every state; return the ids by state."""
    use = {"id": "render", "task": "read_script", "plane": "python", "inputs": {"script": "approve.script"}}
    long_ = "A very long wish that goes on and on about the history of the universe, " * 3
    bodies = {
        "completed": plan(echo("script"), noop("render"), noop("mux"), goal="A film about the sea"),
        "failed": plan(echo("script"), echo("profile", task="test.fails"), noop("render"), goal="A film that fails"),
        "awaiting_approval": plan(GATE, use, script=SCRIPT, goal="A film to approve"),
        "running": plan(
            echo("script"), noop("render", params={"hold": "gallery", "ticks": 3}), noop("mux"), goal=long_
        ),
    }
    ids = {status: await client.submit({"plan": body}) for status, body in bodies.items()}
    for status, job_id in ids.items():
        await client.reaches(job_id, status)
    return ids


async def test_the_page_is_readable_in_both_themes_and_on_a_phone(
    page: Page, client: Client, fake_worker: FakeWorker, api: Api
) -> None:
    ids = await gallery(client, fake_worker)
    SHOTS.mkdir(exist_ok=True)
    for name, options in {"light": {}, "dark": {"dark": True}, "phone": {"width": 390, "height": 844}}.items():
        await page.look(**options)  # type: ignore[arg-type]
        await page.go(api.url)
        for status, job_id in ids.items():
            await page.until(f"{text_of(job_id, '.pill')} === {status.replace('_', ' ')!r}")
        await page.until(
            f"{card(ids['completed'], '.nodes')} !== null && {card(ids['awaiting_approval'], '.gate')} !== null"
        )
        await submit_by_hand(page, "Delete all my files")
        await page.until("!document.querySelector('#form-error').hidden")
        await page.shot(SHOTS / f"{name}.png")
        assert await page.run(CONTRAST) == [], name
        assert await page.run("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"
    fake_worker.let_go("gallery")
    page.troubles.clear()


async def test_every_control_has_a_name(page: Page) -> None:
    tree: list[dict[str, Any]] = (await page.call("Accessibility.getFullAXTree"))["nodes"]
    roles = {"button", "textbox", "combobox", "checkbox", "link", "progressbar", "image", "img"}
    unnamed = [
        node["role"]["value"]
        for node in tree
        if not node.get("ignored")
        and node.get("role", {}).get("value") in roles
        and not node.get("name", {}).get("value")
    ]
    assert unnamed == []
    assert await page.run("document.documentElement.lang") == "en"
    assert await page.run("[...document.querySelectorAll('h1')].length") == 1
