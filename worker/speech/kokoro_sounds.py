"""Kokoro's phonemes: cutting them to what the model takes, IPA with times, pauses found in the audio. Pure.

Kokoro writes English in misaki's alphabet, where a capital letter is a diphthong; the model works in frames of 25 ms.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

FRAME_SAMPLES = 600  # 25 ms at 24 000 Hz
MAX_PHONEMES = 510
PAUSE_FRAMES = 5  # the closure of a plosive is silent for up to 4
QUIET_RATIO = 0.02  # of the loudest frame, -34 dB
LEAD_FRAMES = 2
"""How many frames the sound comes before its predicted time.

Source: measured on the 10 sentences of `tests/integration/test_speech.py` in three voices: the level of vowels differs
most from that of consonants when times are moved by 50 to 56 ms. Kokoro's own `join_timestamps` moves them by 3 frames.
"""
IPA = {
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "W": "aʊ", "Y": "ɔɪ", "Q": "əʊ", "ʤ": "dʒ", "ʧ": "tʃ", "T": "ɾ", "ᵊ": "ə",
}  # fmt: skip
"""Source: misaki 0.9.4, `EN_PHONES.md`."""
_PADS = "^$"
_PAUSES = frozenset(_PADS + " ;:,.!?—…")
_STRESS = "ˈˌ"
_CUTS = (re.compile(r"[;:,.!?—…] "), re.compile(" "))
_BLOCK = re.compile(r"\[\[(?:ɪz|z|s)(\W?)\]\]")

Symbols = list[tuple[str, int]]
"""Phonemes in order, each with its number of frames; `^` and `$` are the silence around them."""


def plain_reading(spoken: str) -> str:
    """Return a reading without Piper's raw phoneme block, which only ever is the ending of `GPUs`."""
    return _BLOCK.sub(r"s\1", spoken)


def known(phonemes: str, vocabulary: Collection[str]) -> str:
    """Return the phonemes that the model knows."""
    return "".join(symbol for symbol in phonemes if symbol in vocabulary).strip()


def pieces(phonemes: str) -> list[str]:
    """Cut phonemes into pieces of at most `MAX_PHONEMES`, after punctuation or else between words where possible."""
    found: list[str] = []
    while len(phonemes) > MAX_PHONEMES:
        window = phonemes[:MAX_PHONEMES]
        ends = (max((hit.end() for hit in cut.finditer(window)), default=0) for cut in _CUTS)
        at = next((end for end in ends if end > MAX_PHONEMES // 2), MAX_PHONEMES)
        found.append(phonemes[:at].rstrip())
        phonemes = phonemes[at:].lstrip()
    return [*found, phonemes] if phonemes else found


def ipa(symbols: Symbols) -> Symbols:
    """Return the symbols in IPA, with samples; the halves of a diphthong or affricate share its time evenly."""
    spelled: Symbols = []
    for symbol, frames in symbols:
        letters = IPA.get(symbol, symbol)
        spelled += [(letter, frames * FRAME_SAMPLES // len(letters)) for letter in letters]
    return spelled


def ipa_text(phonemes: str) -> str:
    """Return phonemes in IPA."""
    return "".join(IPA.get(symbol, symbol) for symbol in phonemes)


def heard(phonemes: str, durations: Sequence[int]) -> Symbols:
    """Return when the symbols are heard, which is `LEAD_FRAMES` before the model's durations say.

    Args:
        durations: frames of each symbol, with one for the silence before and after.
    """
    symbols = list(zip(f"^{phonemes}$", durations, strict=True))
    lead = max(0, min(LEAD_FRAMES, symbols[0][1] - 1))
    symbols[0] = ("^", symbols[0][1] - lead)
    symbols[-1] = ("$", symbols[-1][1] + lead)
    return symbols


def quiet_frames(samples: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return bool [T / FRAME_SAMPLES]: which frames belong to a silence of at least `PAUSE_FRAMES`.

    Args:
        samples: float32 [T], T a multiple of `FRAME_SAMPLES`.
    """
    level = np.sqrt(np.mean(np.square(samples.reshape(-1, FRAME_SAMPLES)), axis=1))
    low = level <= QUIET_RATIO * level.max(initial=0.0)
    runs = [(bool(key), len(list(run))) for key, run in groupby(low)]
    return np.array([key and size >= PAUSE_FRAMES for key, size in runs for _ in range(size)], np.bool_)


def with_pauses(symbols: Symbols, quiet: NDArray[np.bool_]) -> Symbols:
    """Take the silence out of the sounds, as pauses of their own; every sound that had a frame keeps one.

    The model gives the silence before a comma to the sound before it: the t of `argument,` then lasts 0.3 s.
    """
    found: Symbols = []
    at = 0
    for symbol, frames in symbols:
        silent = quiet[at : at + frames]
        at += frames
        if symbol in _PAUSES:
            found.append((" " if symbol in _PADS else symbol, frames))
            continue
        pause = min(int(silent.sum()), max(0, frames - 1))
        if not pause:
            found.append((symbol, frames))
        elif silent[0] and (symbol in _STRESS or not silent.all()):
            found += [(" ", pause), (symbol, frames - pause)]
        else:
            found += [(symbol, frames - pause), (" ", pause)]
    return found


def trimmed(symbols: Symbols, *, head: int, tail: int) -> Symbols:
    """Return the symbols without `head` frames at the start and `tail` frames at the end."""
    return _without(_without(symbols, head)[::-1], tail)[::-1]


def trimmed_widths(widths: NDArray[np.float64], *, head: int, tail: int) -> NDArray[np.float64]:
    """Return the lengths in frames, `head` less at the start and `tail` less at the end, none below zero."""
    ends = np.cumsum(widths)
    kept_from = np.clip(np.concatenate(([0.0], ends)), head, max(float(head), float(ends[-1]) - tail))
    return np.diff(kept_from)


def outer_silence(symbols: Symbols, quiet: NDArray[np.bool_]) -> tuple[int, int]:
    """Return how many frames are silent before the first sound and after the last one."""
    sounds = [index for index, (symbol, _) in enumerate(symbols) if symbol not in _PAUSES]
    loud = np.flatnonzero(~quiet)
    if not sounds or not len(loud):
        return 0, 0
    before = sum(frames for _, frames in symbols[: sounds[0]])
    after = sum(frames for _, frames in symbols[sounds[-1] + 1 :])
    return min(before, int(loud[0])), min(after, len(quiet) - 1 - int(loud[-1]))


def _without(symbols: Symbols, frames: int) -> Symbols:
    kept: Symbols = []
    for symbol, size in symbols:
        cut = min(frames, size)
        frames -= cut
        if size > cut:
            kept.append((symbol, size - cut))
    return kept
