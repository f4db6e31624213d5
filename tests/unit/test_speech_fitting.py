"""How narration is fitted into a duration."""

from __future__ import annotations

import pytest

from worker.speech.fitting import FASTEST, SLOWEST, last_word_at_s, length_scale


def test_the_last_word_ends_a_little_before_the_end() -> None:
    assert last_word_at_s(natural_s=20.0, duration_s=20.0) == pytest.approx(19.4)


def test_a_short_clip_gets_a_short_tail() -> None:
    assert last_word_at_s(natural_s=2.0, duration_s=2.0) == pytest.approx(1.8)


@pytest.mark.parametrize(("duration_s", "ratio"), [(5.0, FASTEST), (100.0, SLOWEST)])
def test_the_tempo_stays_natural(duration_s: float, ratio: float) -> None:
    assert last_word_at_s(natural_s=20.0, duration_s=duration_s) == pytest.approx(20.0 * ratio)


@pytest.mark.parametrize("duration_s", [17.0, 20.0, 23.0])
def test_the_scale_makes_up_for_a_voice_that_stretches_less_than_told(duration_s: float) -> None:
    def end_s(scale: float) -> float:
        return 6.0 + 14.0 * scale

    scale = length_scale(end_s, duration_s=duration_s)

    assert end_s(scale) == pytest.approx(duration_s - 0.6, abs=0.01)
    assert end_s(scale) <= duration_s - 0.6
