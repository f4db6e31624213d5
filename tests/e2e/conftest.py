"""The one real stack of this folder; the test-only tasks serve beside the real ones, so that a job can fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.live_stack import LiveStack, live_stack

TIME_SCALE = 0.2  # a lease of 3 s


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """A running stack on a fresh data folder."""
    with live_stack(
        tmp_path_factory.mktemp("stack"),
        REELGRAPH_WORKER_TASK_PACKAGES="worker.tasks,tests.tasks_for_tests",
        REELGRAPH_API_TIME_SCALE=str(TIME_SCALE),
        REELGRAPH_WORKER_TIME_SCALE=str(TIME_SCALE),
    ) as running:
        yield running
