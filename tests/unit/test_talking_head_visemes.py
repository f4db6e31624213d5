"""Mouth curves: what phonemes and loudness ask of the lips."""

import numpy as np
import pytest

from worker.speech.timing import Phoneme, Speech
from worker.talking_head.visemes import LIFT, OPEN, ROUND, VISEMES, WIDE, mouth_curves, phoneme_curves

FPS = 25.0


def spoken(symbols: str, *, each_s: float = 0.1, start_s: float = 0.3) -> tuple[Phoneme, ...]:
    """Return one phoneme after another, `each_s` long."""
    return tuple(
        Phoneme(symbol, start_s + index * each_s, start_s + (index + 1) * each_s)
        for index, symbol in enumerate(symbols)
    )


def tone(envelope: np.ndarray, *, rate_hz: int = 16_000) -> np.ndarray:
    """Return a 500 Hz tone whose loudness follows an envelope of 100 values a second."""
    time_s = np.arange(len(envelope) * rate_hz // 100) / rate_hz
    gain = np.interp(time_s, np.arange(len(envelope)) / 100, envelope)
    return (0.3 * gain * np.sin(2 * np.pi * 500 * time_s)).astype(np.float32)


@pytest.mark.parametrize("symbol", ["m", "b", "p"])
@pytest.mark.parametrize("each_s", [0.03, 0.06, 0.1])
@pytest.mark.parametrize("start_s", [0.30, 0.313, 0.329])
def test_lips_touch_in_every_m_b_and_p(symbol: str, each_s: float, start_s: float) -> None:
    phonemes = spoken("ɑ" + symbol + "ɑ", each_s=each_s, start_s=start_s)
    curves = phoneme_curves(phonemes, frames=50, fps=FPS)
    at_s = np.arange(50) / FPS
    near = np.abs(at_s - (phonemes[1].start_s + phonemes[1].end_s) / 2 + 0.02) <= 0.021
    assert curves[near, OPEN].min() < 0.01


def test_open_rounded_and_wide_vowels_differ() -> None:
    shapes = {vowel: phoneme_curves(spoken(vowel, each_s=0.3), frames=30, fps=FPS)[11] for vowel in "ɑiu"}
    assert shapes["ɑ"][OPEN] > 0.7 > 0.45 > shapes["i"][OPEN]
    assert shapes["i"][WIDE] > 0.6
    assert shapes["u"][WIDE] < 0.1
    assert shapes["u"][ROUND] > 0.7
    assert shapes["i"][ROUND] < 0.1


def test_f_lifts_the_upper_lip() -> None:
    assert phoneme_curves(spoken("ɑfɑ"), frames=30, fps=FPS)[:, LIFT].max() > 0.4


def test_curves_are_bounded_and_smooth() -> None:
    symbols = "".join(VISEMES) * 2
    curves = phoneme_curves(spoken(symbols, each_s=0.07), frames=200, fps=FPS)
    assert curves.dtype == np.float32
    assert curves.shape == (200, 4)
    assert curves.min() >= 0
    assert curves.max() <= 1
    assert np.abs(np.diff(curves[:, WIDE])).max() < 0.5
    assert np.abs(np.diff(curves[:, ROUND])).max() < 0.6


def test_the_mouth_rests_before_and_after_the_words() -> None:
    curves = phoneme_curves(spoken("ɑiɑ", start_s=1.0), frames=75, fps=FPS)
    assert curves[:15, OPEN].max() < 0.06
    assert curves[-20:, OPEN].max() < 0.06


def test_stress_and_length_marks_belong_to_their_letter() -> None:
    marked = (Phoneme("ˈ", 0.3, 0.35), Phoneme("ɑ", 0.35, 0.4), Phoneme("ː", 0.4, 0.5))
    plain = (Phoneme("ɑ", 0.3, 0.5),)
    assert np.allclose(phoneme_curves(marked, frames=25, fps=FPS), phoneme_curves(plain, frames=25, fps=FPS))


def test_without_phonemes_loudness_opens_the_mouth() -> None:
    envelope = np.repeat([0.001, 1.0, 0.001, 1.0, 0.001], 40)
    speech = Speech(tone(envelope), 16_000, (), (), "user")
    opening = mouth_curves(speech, frames=50, fps=FPS)[:, OPEN]
    loud = np.zeros(50, bool)
    loud[12:19] = loud[32:39] = True
    assert opening[loud].min() > 0.5
    assert opening[np.r_[0:8, 22:28, 42:50]].max() < 0.1


def test_silence_keeps_the_mouth_shut_and_the_length_is_the_video_s() -> None:
    speech = Speech(np.zeros(16_000, np.float32), 16_000, (), (), "user")
    curves = mouth_curves(speech, frames=80, fps=FPS)
    assert curves.shape == (80, 4)
    assert curves.max() == 0
