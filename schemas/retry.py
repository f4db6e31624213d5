"""Retry budgets by failure kind. Pure: the caller passes the random number.

Source: budgets of RELIABILITY.md 4.7 (dependency = transient, capacity = resource).
"""

from __future__ import annotations

from schemas.states import FailureKind

MAX_ATTEMPTS: dict[FailureKind, int] = {
    FailureKind.DEPENDENCY: 5,
    FailureKind.CAPACITY: 2,
    FailureKind.CRASH: 3,
    FailureKind.TIMEOUT: 1,
    FailureKind.INPUT: 1,
    FailureKind.BUG: 1,
    FailureKind.CANCELLED: 1,
}
MAX_JOB_ATTEMPTS = 12
BASE_DELAY_S = 2.0
MAX_DELAY_S = 120.0


def retry_delay_s(
    kind: FailureKind,
    *,
    attempt: int,
    max_attempts: int | None,
    job_attempts: int,
    jitter: float,
    unknown: bool = False,
) -> float | None:
    """Return the seconds to wait before the next attempt, or None when the budget is spent.

    Args:
        kind: why the attempt failed.
        attempt: how many attempts have been made, this one included (1 or more).
        max_attempts: the node's own lower limit, if any.
        job_attempts: failed attempts of the whole job so far.
        jitter: a number in [0, 1), full jitter.
        unknown: the exception was not one we know; such a `bug` gets one more try.
    """
    budget = MAX_ATTEMPTS[kind] + (1 if unknown else 0)
    if max_attempts is not None:
        budget = min(budget, max_attempts)
    if attempt >= budget or job_attempts >= MAX_JOB_ATTEMPTS:
        return None
    return min(MAX_DELAY_S, BASE_DELAY_S * 2 ** (attempt - 1)) * jitter
