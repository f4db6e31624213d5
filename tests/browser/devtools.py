"""A browser tab driven through the DevTools protocol: Chromium, one WebSocket, no driver package."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--hide-scrollbars", "--remote-debugging-port=0", "--window-size=1280,900",
]  # fmt: skip


class Page:
    """One tab: `go`, `run` JavaScript, `until` it is true, `shot`; `troubles` holds exceptions and console errors."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._loaded = asyncio.Event()
        self.troubles: list[str] = []

    async def listen(self) -> None:
        """Take messages until the browser goes."""
        async for text in self._socket:
            message = json.loads(text)
            match message.get("method"):
                case None:
                    self._answers.pop(message["id"]).set_result(message)
                case "Page.loadEventFired":
                    self._loaded.set()
                case "Runtime.exceptionThrown":
                    self.troubles.append(json.dumps(message["params"]["exceptionDetails"])[:500])
                case "Log.entryAdded" if message["params"]["entry"]["level"] == "error":
                    self.troubles.append(json.dumps(message["params"]["entry"])[:500])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        async with asyncio.timeout(30):
            message = await self._answers[number]
        assert "error" not in message, message
        return message["result"]

    async def go(self, url: str) -> None:
        """Load a page and wait for its load event."""
        self._loaded.clear()
        await self.call("Page.navigate", url=url)
        async with asyncio.timeout(30):
            await self._loaded.wait()

    async def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression; promises are awaited."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, script: str, *, within_s: float = 15.0) -> Any:
        """Return the first true value of an expression."""
        ends_at = time.monotonic() + within_s
        while not (value := await self.run(script)):
            assert time.monotonic() < ends_at, f"never true: {script}\n{await self.run('document.body.innerText')}"
            await asyncio.sleep(0.02)
        return value

    async def look(self, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Set the size of the window in CSS pixels, and the theme."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[theme])

    async def shot(self, path: Path) -> None:
        """Save a PNG of the whole page."""
        answer = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))


@contextmanager
def running_browser() -> Iterator[str]:
    """Start a browser with an empty profile; yield its DevTools address. Both are gone afterwards."""
    assert CHROMIUM is not None, "Chromium is not installed: apt install chromium"
    profile = Path(tempfile.mkdtemp(prefix="reelgraph-chromium-"))
    process = subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "HOME": str(profile)},
    )  # fmt: skip
    try:
        yield _address(process, profile / "DevToolsActivePort")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(profile, ignore_errors=True)


@asynccontextmanager
async def tab(browser: str) -> AsyncIterator[Page]:
    """Open a tab of a running browser; it is closed afterwards."""
    async with httpx.AsyncClient(base_url=browser, timeout=20) as http:
        opened = (await http.put("/json/new?about:blank")).json()
        async with connect(opened["webSocketDebuggerUrl"], max_size=None) as socket:
            page = Page(socket)
            listening = asyncio.create_task(page.listen())
            for domain in ("Page", "Runtime", "Log"):
                await page.call(f"{domain}.enable")
            yield page
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
        await http.get(f"/json/close/{opened['id']}")


def _address(process: subprocess.Popen[bytes], port_file: Path) -> str:
    ends_at = time.monotonic() + 30
    while True:
        assert process.poll() is None, "the browser ended at start"
        assert time.monotonic() < ends_at, "the browser did not open its DevTools port"
        with suppress(FileNotFoundError, IndexError):
            return f"http://127.0.0.1:{int(port_file.read_text().splitlines()[0])}"
        time.sleep(0.05)
