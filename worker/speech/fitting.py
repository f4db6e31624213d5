"""How fast to speak so that narration fills its time: the next length scale from what was measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence

FASTEST, SLOWEST = 0.8, 1.25
"""How much shorter or longer than at its own tempo a voice still sounds natural."""
TAIL_S = 0.6  # silence wanted after the last word
SHORT_TAIL_RATIO = 0.1  # of durations below 6 s
_ELASTICITY = 0.68  # change of joe's duration per change of length scale: a VITS voice rounds every sound up to a frame
_SCALES = 0.6, 1.6
_TOLERANCE_RATIO = 0.25  # of the wanted tail


def last_word_at_s(natural_s: float, duration_s: float) -> float:
    """Return when the last word should end in a clip of `duration_s`, within a natural tempo.

    Args:
        natural_s: when it ends at the voice's own tempo.
    """
    target_s = duration_s - min(TAIL_S, SHORT_TAIL_RATIO * duration_s)
    return min(SLOWEST * natural_s, max(FASTEST * natural_s, target_s))


def next_length_scale(tried: Sequence[tuple[float, float]], *, duration_s: float) -> float | None:
    """Return the length scale to try next, or None when the last one fits.

    Args:
        tried: (length scale, when the last word ended in seconds), in order; the first at scale 1.0.
    """
    natural_s = tried[0][1]
    wanted_s = last_word_at_s(natural_s, duration_s)
    scale, ended_s = tried[-1]
    if abs(ended_s - wanted_s) <= _TOLERANCE_RATIO * min(TAIL_S, SHORT_TAIL_RATIO * duration_s):
        return None
    slope = _ELASTICITY * natural_s
    if len(tried) > 1 and tried[-1][0] != tried[-2][0]:
        measured = (tried[-1][1] - tried[-2][1]) / (tried[-1][0] - tried[-2][0])
        slope = max(0.3 * natural_s, measured)
    fitted = min(_SCALES[1], max(_SCALES[0], scale + (wanted_s - ended_s) / slope))
    return None if fitted == scale else fitted
