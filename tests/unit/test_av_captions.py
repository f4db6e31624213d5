"""Captions: how words become cues, subtitle files and pixels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from worker.av.caption_bitmap import drawn, layout
from worker.av.captions import CaptionPainter, Cue, cues, srt, vtt
from worker.speech.timing import Word

NARRATION = (
    "Black holes are not vacuum cleaners, whatever your cat believes. Wow! They are what is left when a giant star "
    "collapses under its own gravity; nothing, not even light, gets out again."
)


def spoken(text: str, *, word_s: float = 0.3, start_s: float = 0.0) -> list[Word]:
    return [
        Word(word, start_s + index * word_s, start_s + (index + 0.9) * word_s)
        for index, word in enumerate(text.split())
    ]


def test_cues_hold_every_word_once_and_in_order() -> None:
    words = spoken(NARRATION)
    assert [word for cue in cues(words) for word in cue.words] == words


def test_cues_keep_the_limits_of_length_and_time_and_never_overlap() -> None:
    found = cues(spoken(NARRATION * 5), max_chars=30, max_s=2.5)
    assert all(len(cue.text) <= 30 for cue in found)
    assert all(cue.words[-1].end_s - cue.words[0].start_s <= 2.5 for cue in found)
    assert all(first.end_s <= second.start_s for first, second in pairwise(found))


def test_no_word_stands_alone_where_it_fits_elsewhere() -> None:
    assert all(len(cue.words) > 1 for cue in cues(spoken(NARRATION)))


def test_cues_break_at_the_comma_rather_than_after_the_article() -> None:
    assert [cue.text for cue in cues(spoken("Stars burn very hot inside, and the biggest ones burn out"))] == [
        "Stars burn very hot inside,",
        "and the biggest ones burn out",
    ]


def test_a_word_longer_than_a_cue_becomes_one_of_its_own() -> None:
    assert [cue.text for cue in cues(spoken("see " + "x" * 50 + " there"))] == ["see", "x" * 50, "there"]


def test_no_words_give_no_cues() -> None:
    assert cues([]) == []


def test_srt_numbers_cues_and_uses_comma_milliseconds() -> None:
    shown = [Cue(0.0, 1.5, (Word("Hi", 0.0, 1.0),)), Cue(3661.0625, 3662.0, (Word("a-->b", 3661.0, 3662.0),))]
    assert srt(shown) == ("1\n00:00:00,000 --> 00:00:01,500\nHi\n\n2\n01:01:01,062 --> 01:01:02,000\na->b\n\n")


def test_vtt_escapes_what_would_be_markup() -> None:
    assert vtt([Cue(0.0, 1.0, (Word("a<b&c>", 0.0, 1.0),))]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na&lt;b&amp;c&gt;\n\n"
    )


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 720), (854, 480), (720, 1280), (480, 480)])
def test_a_caption_stays_within_two_lines_and_the_safe_area(width: int, height: int) -> None:
    for cue in cues(spoken(NARRATION)):
        texts = [word.text for word in cue.words]
        assert len(layout(texts, width=width, height=height).lines) <= 2
        bitmap = drawn(texts, 0, width=width, height=height)
        tall, wide = bitmap.light.shape[:2]
        assert bitmap.left >= 0.05 * width
        assert bitmap.left + wide <= 0.95 * width
        assert 0.7 * height <= bitmap.top
        assert bitmap.top + tall <= 0.95 * height


def test_the_painter_touches_only_the_lower_part_and_only_while_a_cue_is_shown() -> None:
    shown = cues(spoken("hello big world", start_s=1.0))
    painter = CaptionPainter(640, 360, shown)
    frame = np.full((360, 640, 3), 120, np.uint8)
    for silent_s in (0.5, shown[-1].end_s + 0.01):
        painter.paint(frame, silent_s)
        assert (frame == 120).all()
    painter.paint(frame, 1.1)
    assert (frame[:240] == 120).all()
    assert (frame[240:] != 120).any()


def test_the_highlight_moves_with_the_spoken_word() -> None:
    painter = CaptionPainter(640, 360, cues(spoken("hello big world")))

    def blue_centre(t_s: float) -> float:
        frame = np.zeros((360, 640, 3), np.uint8)
        painter.paint(frame, t_s)
        return float(np.nonzero((frame[..., 2] > 200) & (frame[..., 0] < 80))[1].mean())

    first, second, third = blue_centre(0.1), blue_centre(0.4), blue_centre(0.7)
    assert first < second < third
