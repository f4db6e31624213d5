"""A browser a module, a tab a test: on the real page of the real API, and without an error in its console."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.apps import Api
from tests.browser.devtools import Page, running_browser, tab


@pytest.fixture(scope="module")
def browser() -> Iterator[str]:
    with running_browser() as address:
        yield address


@pytest.fixture
async def page(api: Api, browser: str) -> AsyncIterator[Page]:
    async with tab(browser) as opened:
        await opened.look()
        await opened.go(api.url)
        await opened.until("document.querySelector('#connection').textContent === 'live'")
        yield opened
        assert opened.troubles == []
