"""A thin client of the REST and WebSocket API. It decides nothing and prints nothing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from compose.problems import Problem, problem

Json = dict[str, Any]
_TIMEOUT_S = 60.0
_RECONNECT_LIMIT_S = 60.0
_RECONNECT_PAUSE_S = 0.5


class ApiClient:
    """Calls one API. `base_url` is `http://HOST:PORT`; the key comes from `REELGRAPH_API_KEY` when there is one."""

    def __init__(self, base_url: str) -> None:
        import httpx

        self.base_url = base_url.rstrip("/")
        key = os.environ.get("REELGRAPH_API_KEY")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=self.base_url, timeout=_TIMEOUT_S, headers=self._headers)

    def get(self, path: str, **query: Any) -> Json:
        """GET a JSON object; parameters that are None are left out."""
        return self._call("GET", path, params={key: value for key, value in query.items() if value is not None})

    def post(self, path: str, body: Json | None = None) -> Json:
        """POST a JSON object."""
        return self._call("POST", path, json=body or {})

    def upload(self, file: Path) -> str:
        """Store a local file and return its `s3://` uri."""
        if not file.is_file():
            raise problem("not_found", f"no such file: {file}", exit_code=2)
        with file.open("rb") as content:
            return str(self._call("POST", "/api/uploads", files={"file": (file.name, content)})["uri"])

    def download(self, artifact_id: str, to: Path) -> Path:
        """Write an artifact to `to`, in one step."""
        import httpx

        to.parent.mkdir(parents=True, exist_ok=True)
        partial = to.with_name(to.name + ".part")
        try:
            link = f"/api/artifacts/{artifact_id}/content"
            with self._http.stream("GET", link, follow_redirects=True) as response, partial.open("wb") as file:
                if response.status_code != 200:
                    response.read()
                    raise _problem_of(response)
                for chunk in response.iter_bytes():
                    file.write(chunk)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return partial.replace(to)

    def watch(self, job_id: str) -> Iterator[Json]:
        """Yield a snapshot, then every event of a job, until the job ends; reconnects where it was."""
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        ends = {"job.completed", "job.failed", "job.cancelled"}
        seen_seq, lost_at = 0, None
        while True:
            query = urlencode({"jobId": job_id, "after": seen_seq})
            url = f"ws://{urlsplit(self.base_url).netloc}/ws?{query}"
            if self.base_url.startswith("https"):
                url = "wss" + url[2:]
            try:
                with connect(url, additional_headers=self._headers, max_size=None, open_timeout=10) as socket:
                    lost_at = None
                    for text in socket:
                        event = json.loads(text)
                        if event.get("type") == "error":
                            if event["error"].get("code") == "dependency_down":
                                raise ConnectionError(event["error"].get("message"))  # Postgres restarts
                            raise Problem(event["error"])
                        seen_seq = max(seen_seq, event.get("seq") or 0)
                        yield event
                        if event["type"] in ends:
                            return
                        if event["type"] == "snapshot" and f"job.{event['status']}" in ends:
                            return
            except (WebSocketException, OSError, TimeoutError) as error:
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at > _RECONNECT_LIMIT_S:
                    raise self._unreachable(error) from error
            time.sleep(_RECONNECT_PAUSE_S)

    def _call(self, method: str, path: str, **how: Any) -> Json:
        import httpx

        try:
            response = self._http.request(method, path, **how)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if response.status_code >= 400:
            raise _problem_of(response)
        return response.json()

    def _unreachable(self, error: Exception) -> Problem:
        return problem(
            "unreachable",
            f"{self.base_url} does not answer: {error}",
            hint="start the stack with `reelgraph up`, or name another API with --api",
        )


def _problem_of(response: Any) -> Problem:
    try:
        return Problem(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return problem("internal_error", f"the API answered {response.status_code}: {response.text[:200]}")
