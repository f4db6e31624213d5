"""How fast to speak so that narration fills its time: tempo and pauses from one measured pass. Pure."""

from __future__ import annotations

from dataclasses import dataclass

FASTEST, SLOWEST = 0.8, 1.25
"""Bounds of the length scale within which the voice still sounds natural."""
TAIL_S = 0.6  # silence wanted after the last word, in 0.3..1.0
SHORT_TAIL_RATIO = 0.1  # of durations below 6 s


@dataclass(frozen=True)
class Tempo:
    """A length scale (1.25 is a quarter slower) for sounds and pauses."""

    length_scale: float

    def pause_s(self, natural_s: float) -> float:
        return natural_s * self.length_scale


NATURAL = Tempo(1.0)


def target_s(duration_s: float) -> float:
    """Return when the last word should end in a clip of `duration_s`."""
    return duration_s - min(TAIL_S, SHORT_TAIL_RATIO * duration_s)


def next_tempo(tempo: Tempo, *, spoken_s: float, duration_s: float) -> Tempo | None:
    """Return the tempo to speak again with, or None when this one is right or nothing better is natural.

    Args:
        tempo: what was used.
        spoken_s: when the last word ended with it.
        duration_s: length of the clip that the speech has to fit into.
    """
    tail_s = duration_s - spoken_s
    wanted_tail_s = duration_s - target_s(duration_s)
    if 0.5 * wanted_tail_s <= tail_s <= 1.5 * wanted_tail_s:
        return None
    scale = min(SLOWEST, max(FASTEST, tempo.length_scale * target_s(duration_s) / spoken_s))
    return None if abs(scale - tempo.length_scale) < 0.004 else Tempo(scale)
