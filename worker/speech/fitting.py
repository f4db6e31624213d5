"""How fast to speak so that narration fills its time. Pure."""

from __future__ import annotations

from collections.abc import Callable

FASTEST, SLOWEST = 0.8, 1.25
"""How much shorter or longer than at its own tempo a voice still sounds natural."""
TAIL_S = 0.6  # silence wanted after the last word
SHORT_TAIL_RATIO = 0.1  # of durations below 6 s
_SCALES = 0.5, 2.0
_STEPS = 20


def last_word_at_s(natural_s: float, duration_s: float) -> float:
    """Return when the last word should end in a clip of `duration_s`, within a natural tempo.

    Args:
        natural_s: when it ends at the voice's own tempo.
    """
    target_s = duration_s - min(TAIL_S, SHORT_TAIL_RATIO * duration_s)
    return min(SLOWEST * natural_s, max(FASTEST * natural_s, target_s))


def length_scale(end_s: Callable[[float], float], *, duration_s: float) -> float:
    """Return the largest length scale with which the narration ends in time.

    A length scale is not the tempo: a VITS voice rounds every sound up to whole frames, so that joe at 1.25 takes
    only 1.17 times as long. It is therefore sought by bisection.

    Args:
        end_s: when the last word ends at a length scale; never decreasing.
        duration_s: length of the clip.
    """
    wanted_s = last_word_at_s(end_s(1.0), duration_s)
    low, high = _SCALES
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if end_s(middle) <= wanted_s else (low, middle)
    return low
