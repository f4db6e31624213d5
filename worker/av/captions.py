"""Captions from word times: words grouped into cues, SRT and VTT texts, and painting them into frames."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.av.caption_bitmap import Bitmap, drawn
from worker.speech.timing import Word

MAX_HOLD_S = 0.6
"""A cue stays this long after its last word, unless the next one comes sooner; shorter gaps would only flicker."""
PAUSE_S = 0.7
_SENTENCE_ENDS, _CLAUSE_ENDS = (".", "!", "?", "…"), (",", ";", ":", "-", "–", "—")
_CLOSING = "\"'”’)]"
_LEADING_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "to",
        "in",
        "on",
        "at",
        "by",
        "for",
        "from",
        "with",
        "and",
        "or",
        "but",
        "as",
        "if",
        "is",
        "are",
        "was",
        "were",
        "that",
        "which",
        "who",
        "this",
        "these",
        "its",
        "it",
        "your",
        "my",
        "our",
        "their",
        "his",
        "her",
        "not",
        "no",
        "than",
        "so",
        "into",
    ]
)
"""English words that belong to the next one: a line should not end with them (BBC Subtitle Guidelines, line breaks)."""


@dataclass(frozen=True)
class Cue:
    """A caption: what is shown from `start_s` to `end_s`."""

    start_s: float
    end_s: float
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


def cues(words: Sequence[Word], *, max_chars: int = 38, max_s: float = 4.0) -> list[Cue]:
    """Group words into captions of at most `max_chars` characters and `max_s` seconds.

    Of all ways to cut, the cheapest is taken: cuts fall on sentence ends, clause ends and pauses, cues are evenly
    filled, and a word stands alone only where nothing else fits. A single word longer than a limit is its own cue.
    """
    words = [word for word in words if word.text.strip()]
    if not words:
        return []
    costs = [0.0] + [float("inf")] * len(words)
    begins = [0] * (len(words) + 1)
    for start in range(len(words)):
        for end, cost in _spans(words, start, max_chars=max_chars, max_s=max_s):
            if costs[start] + cost < costs[end]:
                costs[end], begins[end] = costs[start] + cost, start
    groups: list[Sequence[Word]] = []
    end = len(words)
    while end > 0:
        groups.append(words[begins[end] : end])
        end = begins[end]
    groups.reverse()
    nexts = [group[0].start_s for group in groups[1:]] + [float("inf")]
    return [
        Cue(group[0].start_s, max(group[-1].end_s, min(group[-1].end_s + MAX_HOLD_S, next_s)), tuple(group))
        for group, next_s in zip(groups, nexts, strict=True)
    ]


def srt(shown: Sequence[Cue]) -> str:
    """Return the cues as SubRip text."""
    return "".join(
        f"{number}\n{_stamp(cue.start_s, ',')} --> {_stamp(cue.end_s, ',')}\n{cue.text.replace('-->', '->')}\n\n"
        for number, cue in enumerate(shown, 1)
    )


def vtt(shown: Sequence[Cue]) -> str:
    """Return the cues as WebVTT text.

    Source: W3C WebVTT; `&`, `<` and `>` are escaped as its cue text demands.
    """
    blocks = ["WEBVTT\n\n"]
    for cue in shown:
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_stamp(cue.start_s, '.')} --> {_stamp(cue.end_s, '.')}\n{text}\n\n")
    return "".join(blocks)


def _spans(words: Sequence[Word], start: int, *, max_chars: int, max_s: float) -> Iterator[tuple[int, float]]:
    """Yield `(end, cost)` of every cue that may begin at this word."""
    chars, crossed = -1, 0.0
    for end in range(start + 1, len(words) + 1):
        last = words[end - 1]
        chars += 1 + len(last.text)
        if end > start + 1 and (chars > max_chars or last.end_s - words[start].start_s > max_s):
            return
        orphan = 60.0 if end == start + 1 and len(words) > 1 else 0.0
        empty = 1 - min(1.0, chars / max_chars)
        cut = 0.0 if end == len(words) else _cut_cost(last, words[end])
        yield end, orphan + 20.0 * empty**2 + cut + crossed + 1.0
        if end < len(words):
            crossed += max(0.0, 40.0 - 3 * _cut_cost(last, words[end])) if _is_border(last, words[end]) else 0.0


def _is_border(word: Word, following: Word) -> bool:
    return word.text.rstrip(_CLOSING).endswith(_SENTENCE_ENDS) or following.start_s - word.end_s > PAUSE_S


def _cut_cost(word: Word, following: Word) -> float:
    """Return how bad it is to end a cue after this word, 0 (a sentence ends) to 24."""
    if _is_border(word, following):
        return 0.0
    if word.text.rstrip(_CLOSING).endswith(_CLAUSE_ENDS):
        return 4.0
    return 24.0 if word.text.lower().strip(_CLOSING) in _LEADING_WORDS else 14.0


def _stamp(time_s: float, point: str) -> str:
    """Return `HH:MM:SS,mmm`."""
    ms = max(0, round(time_s * 1000))
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}{point}{ms % 1000:03d}"


class CaptionPainter:
    """Paints captions into frames of one size: the pill of the current cue, its current word highlighted.

    Bitmaps are drawn once per cue and word; laying one over a 720p frame takes well under a millisecond.
    """

    def __init__(self, width: int, height: int, shown: Sequence[Cue]) -> None:
        self._width, self._height = width, height
        self._cues = sorted(shown, key=lambda cue: cue.start_s)
        self._starts = [cue.start_s for cue in self._cues]
        self._drawn: tuple[tuple[int, int], Bitmap] | None = None

    def paint(self, frame: NDArray[np.uint8], t_s: float) -> None:
        """Lay the caption of this moment over the frame, in place.

        Args:
            frame: uint8 [H, W, 3] RGB of the painter's size, writable.
            t_s: seconds from the start of the video.
        """
        import cv2

        at = bisect_right(self._starts, t_s) - 1
        if at < 0 or t_s >= self._cues[at].end_s:
            return
        cue = self._cues[at]
        word = bisect_right([word.start_s for word in cue.words], t_s) - 1
        bitmap = self._bitmap(at, max(0, word))
        tall, wide = bitmap.light.shape[:2]
        below = frame[bitmap.top : bitmap.top + tall, bitmap.left : bitmap.left + wide]
        cv2.multiply(below, bitmap.keep, dst=below, scale=1 / 255)
        cv2.add(below, bitmap.light, dst=below)

    def _bitmap(self, at: int, word: int) -> Bitmap:
        """Return the bitmap; only the latest is kept, since time moves forward."""
        if self._drawn is None or self._drawn[0] != (at, word):
            texts = [word.text for word in self._cues[at].words]
            self._drawn = ((at, word), drawn(texts, word, width=self._width, height=self._height))
        return self._drawn[1]
