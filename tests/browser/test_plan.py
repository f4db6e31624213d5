"""The plan before it runs, in a real browser against the real API: a person plans, looks, edits, runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.apps import Api, Client, noop, plan
from tests.browser.devtools import CHROMIUM, Page
from tests.browser.test_page import CONTRAST, SHOTS

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="Chromium is not installed: apt install chromium"
)
GOAL = "Generate a 20-second humorous explainer about black holes."
STEPS = "document.querySelectorAll('#planned .step')"
HEADLINE = "document.querySelector('#planned:not([hidden]) h2')?.textContent"
RUN = "document.querySelector('#planned .run')"
BOX = "document.querySelector('#planned textarea')"


async def plan_by_hand(page: Page, goal: str) -> None:
    await page.run(f"document.querySelector('#goal').value = {goal!r}")
    await page.run("document.querySelector('#plan').click()")
    await page.until(HEADLINE)


async def press(page: Page, key: str) -> None:
    """Press a key as a keyboard does."""
    text = {"Enter": "\r", "Tab": ""}[key]
    code = {"Enter": 13, "Tab": 9}[key]
    for kind in ("keyDown", "keyUp"):
        more = {"text": text} if text and kind == "keyDown" else {}
        await page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)


async def rewrite(page: Page, change: str) -> None:
    """Type another plan into the editor: `change` is a statement on `plan`."""
    await page.run(
        f"(() => {{ const box = {BOX}, plan = JSON.parse(box.value); {change};"
        " box.value = JSON.stringify(plan, null, 2); box.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


async def test_a_goal_is_shown_as_a_graph_with_its_quote_and_runs_exactly_so(page: Page, client: Client) -> None:
    answer = (await client.http.post("/api/plan", json={"goal": GOAL})).json()
    graph, critical = answer["graph"], answer["estimate"]["critical_path"]
    await plan_by_hand(page, GOAL)
    assert (await page.run(HEADLINE)).startswith("About ")
    assert await page.run(f"[...{STEPS}].map((step) => step.dataset.node)") == [node["id"] for node in graph["nodes"]]
    assert await page.run("document.querySelectorAll('#planned .edge').length") == len(graph["edges"])
    assert await page.run("document.querySelectorAll('#planned .edge.hot').length") == len(critical) - 1
    assert await page.run("document.querySelectorAll('#planned .step.python').length") == 1
    label = await page.run("document.querySelector('#planned [data-node=render]').getAttribute('aria-label')")
    assert "on a worker" in label
    assert "on the longest chain" in label
    assert answer["rationale"] in await page.run("document.querySelector('#planned').textContent")

    await page.run(f"{RUN}.click()")
    mine = f"[...document.querySelectorAll('.card')].find((c) => c.querySelector('h3').textContent === {GOAL!r})"
    job_id = (await page.until(f"{mine}?.id")).removeprefix("job-")
    record = await client.get(f"/api/jobs/{job_id}")
    assert (record["plan"]["nodes"], record["plan"]["context"]) == (graph["nodes"], graph["context"])
    assert record["title"] == GOAL
    assert await page.run("document.querySelector('#planned').hidden")
    await client.http.post(f"/api/jobs/{job_id}/cancel")
    await client.reaches(job_id, "cancelled", "completed", "failed")


async def test_a_refusal_says_what_is_missing_and_offers_nothing_to_run(page: Page) -> None:
    await plan_by_hand(page, "Train a LoRA on my photos")
    assert (await page.run(HEADLINE)).startswith("This cannot run")
    text = await page.run("document.querySelector('#planned').innerText")
    assert "no diffusion base model is configured" in text or "images" in text, text
    assert await page.run(f"{RUN}.hidden")
    assert await page.run("document.querySelector('#plan').disabled") is False
    page.troubles.clear()  # the browser logs the 422 itself


async def test_what_is_wrong_with_a_field_is_said_at_the_field_and_goes_with_the_panel(page: Page) -> None:
    await plan_by_hand(page, "Delete all my files")
    assert await page.run("document.querySelector('#goal').hasAttribute('aria-invalid')")
    assert len(await page.run("document.querySelector('#goal + .field-note').textContent")) > 10
    await page.run("[...document.querySelectorAll('#planned button')].at(-1).click()")
    assert await page.run("document.querySelectorAll('.field-note, [aria-invalid]').length") == 0
    page.troubles.clear()  # the browser logs the 422 itself


async def test_an_edited_plan_is_checked_while_typing_and_runs_as_edited(page: Page, client: Client) -> None:
    await plan_by_hand(page, GOAL)
    await page.run("document.querySelector('#planned .edit').click()")
    state = "document.querySelector('.editor-state').textContent"
    await rewrite(page, "plan.nodes[2].task = 'render_vide'; plan.nodes[0].params.duration_seconds = 'long'")
    await page.until("document.querySelectorAll('#planned .step.error').length === 2")
    assert await page.run(f"{RUN}.disabled")
    assert "problems" in await page.run(state)
    assert "render_vide" in await page.run("document.querySelector('[data-node=render] .trouble-line').textContent")
    await page.run("document.querySelector('#planned .diagnostics button').click()")
    assert await page.run(f"document.activeElement === {BOX} && {BOX}.selectionEnd > {BOX}.selectionStart")
    await page.run(f"{BOX}.value = '{{'; {BOX}.dispatchEvent(new Event('input', {{bubbles: true}}))")
    await page.until(f"{state}.startsWith('This is not JSON')")
    await page.run("document.querySelector('#planned [data-node=pipeline]').dispatchEvent(new MouseEvent('click'))")
    assert await page.run(f"{RUN}.disabled"), "what is in the editor is not what is shown"

    own = {**plan(noop("first"), noop("second"), goal="My own plan")}
    await page.run(
        f"{BOX}.value = JSON.stringify({json.dumps(own)}); {BOX}.dispatchEvent(new Event('input', {{bubbles: true}}))"
    )
    await page.until(f"{state} === 'Valid.' && !{RUN}.disabled && {STEPS}.length === 2")
    await page.run(f"{RUN}.click()")
    mine = "[...document.querySelectorAll('.card')].find((c) => c.querySelector('h3').textContent === 'My own plan')"
    job_id = (await page.until(f"{mine}?.id")).removeprefix("job-")
    await client.reaches(job_id, "completed")
    await page.until(f"document.querySelector('#job-{job_id} .facts').textContent.includes('took')")
    page.troubles.clear()  # the browser logs the 422s itself


async def test_steps_are_reached_and_opened_by_keyboard(page: Page) -> None:
    await plan_by_hand(page, GOAL)
    await page.run("document.querySelector('#planned .buttons button:last-child').focus()")
    await press(page, "Tab")
    assert await page.run("document.activeElement.dataset.node") == "script"
    await press(page, "Enter")
    await page.until("document.querySelector('.step-facts h3')?.textContent === 'script'")
    assert await page.run("document.activeElement.getAttribute('aria-pressed')") == "true"
    await press(page, "Tab")
    assert await page.run("document.activeElement.dataset.node") == "pipeline"


async def test_names_in_a_plan_are_text_and_never_markup(page: Page) -> None:
    await plan_by_hand(page, GOAL)
    await page.run("document.querySelector('#planned .edit').click()")
    bad = "<img src=x onerror=document.title='owned'>"
    await rewrite(page, f"plan.nodes[0].task = {bad!r}; plan.nodes[1].params = {{[{bad!r}]: {bad!r}}}")
    await page.until("document.querySelectorAll('#planned .step.error').length === 2")
    await page.run("document.querySelector('#planned .edit').click()")
    await page.run("document.querySelector('#planned [data-node=pipeline]').dispatchEvent(new MouseEvent('click'))")
    assert bad in await page.run("document.querySelector('.step-facts').textContent")
    assert await page.run("document.querySelectorAll('#planned img').length") == 0
    assert await page.run("document.title") == "Reelgraph"
    page.troubles.clear()  # the browser logs the 422 itself


async def test_the_page_runs_no_inline_script(page: Page) -> None:
    await page.run(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.owned = 1'}))"
    )
    assert await page.run("window.owned === undefined")
    page.troubles.clear()  # the browser says that it refused


LOOKS: dict[str, dict[str, Any]] = {"light": {}, "dark": {"dark": True}, "phone": {"width": 390, "height": 844}}


@pytest.mark.parametrize("name", LOOKS)
async def test_a_plan_is_readable_in_both_themes_and_on_a_phone(page: Page, api: Api, name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    await page.look(**LOOKS[name])
    await page.go(api.url)
    await plan_by_hand(page, "Let me approve the script of a 4 minute video in 4K about how bridges carry their load")
    await page.run("document.querySelector('[data-node=render]').dispatchEvent(new MouseEvent('click'))")
    await looks_good(page, SHOTS / f"plan-{name}.png")
    await page.run("document.querySelector('#planned .edit').click()")
    await rewrite(page, "plan.nodes[0].task = 'script.generateScripts'; plan.context = {}")
    await page.until("document.querySelectorAll('#planned .step.error').length > 0")
    await looks_good(page, SHOTS / f"plan-edit-{name}.png")
    await plan_by_hand(page, "Train a LoRA on my photos")
    await page.until(f"({HEADLINE}).startsWith('This cannot')")
    await looks_good(page, SHOTS / f"plan-refused-{name}.png")
    page.troubles.clear()  # the browser logs the 422s itself


async def looks_good(page: Page, shot: Path) -> None:
    """Enough contrast, no sideways scrolling, every control named; the screenshot is for people."""
    await page.shot(shot)
    assert await page.run(CONTRAST) == [], shot.name
    assert await page.run("document.documentElement.scrollWidth <= innerWidth"), f"{shot.name} scrolls sideways"
    tree: list[dict[str, Any]] = (await page.call("Accessibility.getFullAXTree"))["nodes"]
    named = {"button", "textbox", "combobox", "checkbox", "link"}
    unnamed = [
        node for node in tree
        if not node.get("ignored") and node.get("role", {}).get("value") in named
        and not node.get("name", {}).get("value")
    ]  # fmt: skip
    assert unnamed == []
