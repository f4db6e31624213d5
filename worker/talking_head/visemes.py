"""Turn speech into mouth curves: how open, wide, rounded and lifted the lips are at each frame. Pure; knows no face.

Coarticulation is a normalised convolution: every sound pulls the lips with its dominance, which fades around its
interval, so neighbours blend and weak sounds (h, k, t) take the shape of strong ones.
Source: the dominance functions of Cohen and Massaro, "Modeling coarticulation in synthetic visual speech" (1993);
targets and dominances are our own, set by eye on rendered frames.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.speech.timing import Phoneme, Speech
from worker.talking_head.loudness import FLOOR_DB, band_level_db, loudness_ratio

OPEN, WIDE, ROUND, LIFT = range(4)  # the columns of mouth curves
CURVES = 4

RATE_HZ = 200  # of the curves before they are sampled at frames
SPREAD_S = 0.045  # how far a sound's pull reaches, as the decay of exp(-|t| / spread)
LEAD_S = 0.02  # lips move a little before the sound is heard
SEAL_RAMP_S = 0.05  # time to close for m, b, p, and to open again


@dataclass(frozen=True)
class Viseme:
    """Lip targets of a sound, each 0..1, and how strongly it insists on them."""

    open: float
    wide: float = 0.0
    round: float = 0.0
    lift: float = 0.0
    dominance: float = 1.0


REST = Viseme(0.02, dominance=1.2)
NEUTRAL = Viseme(0.3, dominance=0.2)
SEALED = frozenset("mbpɱ")
SEAL = Viseme(0.0, dominance=0.8)

_GROUPS: tuple[tuple[str, Viseme], ...] = (
    ("ɑa", Viseme(0.92, 0.10)),
    ("æ", Viseme(0.80, 0.50)),
    ("ʌɐ", Viseme(0.62, 0.12)),
    ("ə", Viseme(0.40, 0.10, dominance=0.6)),
    ("ɜɚɝ", Viseme(0.42, 0.0, 0.35)),
    ("ɛeɘ", Viseme(0.55, 0.50)),
    ("ɪᵻɨ", Viseme(0.38, 0.55)),
    ("i", Viseme(0.32, 0.85)),
    ("ɔɒ", Viseme(0.72, 0.0, 0.55)),
    ("oɵ", Viseme(0.52, 0.0, 0.80)),
    ("ʊɯ", Viseme(0.36, 0.0, 0.70)),
    ("uyʏ", Viseme(0.28, 0.0, 1.00)),
    ("øœ", Viseme(0.45, 0.0, 0.80)),
    ("wʍɥ", Viseme(0.18, 0.0, 1.00, dominance=1.3)),
    ("fv", Viseme(0.10, 0.15, 0.0, 1.0, dominance=2.2)),
    ("ɹrɻʁ", Viseme(0.26, 0.0, 0.50, dominance=0.8)),
    ("ʃʒɕʑ", Viseme(0.22, 0.0, 0.60, 0.3, dominance=1.2)),
    ("szc", Viseme(0.16, 0.45, dominance=0.9)),
    ("θð", Viseme(0.24, 0.20, 0.0, 0.2, dominance=0.8)),
    ("tdn", Viseme(0.22, 0.25, dominance=0.5)),
    ("lɫɾ", Viseme(0.32, 0.20, dominance=0.5)),
    ("kgɡŋxqɣ", Viseme(0.28, 0.15, dominance=0.35)),
    ("jʎɲ", Viseme(0.26, 0.65, dominance=0.8)),
    ("hɦʔ", Viseme(0.35, dominance=0.15)),
    ("mbpɱβ", SEAL),
)
VISEMES: dict[str, Viseme] = {symbol: viseme for symbols, viseme in _GROUPS for symbol in symbols}


def mouth_curves(speech: Speech, *, frames: int, fps: float) -> NDArray[np.float32]:
    """Return float32 [frames, 4] in [0, 1]: OPEN, WIDE, ROUND, LIFT at each frame; after the speech the mouth rests.

    Phoneme times drive the shapes and the loudness their size; without phonemes the audio's bands drive both.
    """
    level_db = band_level_db(speech.samples, speech.rate_hz, frames=frames, fps=fps)
    loudness = loudness_ratio(level_db)
    if speech.phonemes:
        curves = phoneme_curves(speech.phonemes, frames=frames, fps=fps)
        curves[:, OPEN] *= 0.5 + 0.6 * _smooth(loudness)
    else:
        curves = band_curves(speech, loudness, frames=frames, fps=fps)
    return np.clip(curves, 0, 1)


def phoneme_curves(phonemes: tuple[Phoneme, ...], *, frames: int, fps: float) -> NDArray[np.float32]:
    """Return float32 [frames, 4] in [0, 1] from phoneme times; the lips touch in at least one frame of each m, b, p."""
    steps = round(frames / fps * RATE_HZ) + RATE_HZ
    pull = np.zeros((steps, CURVES + 1))  # the last column is the dominance
    pull[:] = (REST.open, 0, 0, 0, 1.0)
    pull *= 0.02  # where nothing is said, rest
    for symbol, start_s, end_s in _sounds(phonemes):
        viseme = REST if symbol is None else VISEMES.get(symbol, NEUTRAL)
        first = max(0, round((start_s - LEAD_S) * RATE_HZ))
        last = max(first + 1, round((end_s - LEAD_S) * RATE_HZ))
        target = np.array((viseme.open, viseme.wide, viseme.round, viseme.lift, 1.0))
        pull[first:last] = target * viseme.dominance
    reach = round(4 * SPREAD_S * RATE_HZ)
    kernel = np.exp(-np.abs(np.arange(-reach, reach + 1)) / (SPREAD_S * RATE_HZ))
    spread = np.stack([np.convolve(column, kernel, mode="same") for column in pull.T], axis=1)
    fine = spread[:, :CURVES] / spread[:, CURVES:]
    at_s = np.arange(frames) / fps
    sampled = np.stack([np.interp(at_s, np.arange(steps) / RATE_HZ, column) for column in fine.T], axis=1)
    sampled[:, OPEN] *= 1 - _seals(phonemes, at_s, fps)
    return sampled.astype(np.float32)


def band_curves(speech: Speech, loudness: NDArray[np.float32], *, frames: int, fps: float) -> NDArray[np.float32]:
    """Return float32 [frames, 4] in [0, 1] from audio alone: loudness opens, bright sounds widen, dark ones round."""
    low, high = (
        band_level_db(speech.samples, speech.rate_hz, frames=frames, fps=fps, band_hz=band)
        for band in ((200.0, 900.0), (1500.0, 3500.0))
    )
    brightness = np.where(low > FLOOR_DB + 5, high - low, 0.0)
    middle = float(np.median(brightness[loudness > 0.5])) if (loudness > 0.5).any() else 0.0
    tilt = _smooth(np.clip((brightness - middle) / 20, -1, 1) * loudness)
    curves = np.zeros((frames, CURVES), np.float32)
    curves[:, OPEN] = 0.85 * np.clip(1.15 * loudness - 0.15, 0, 1) ** 1.3
    curves[:, WIDE] = np.clip(tilt, 0, 1)
    curves[:, ROUND] = np.clip(-tilt, 0, 1)
    return curves


def _sounds(phonemes: tuple[Phoneme, ...]) -> list[tuple[str | None, float, float]]:
    """Join stress and length marks to their letters; a pause or punctuation becomes a None sound.

    A short space between words is no pause: it takes its neighbours' shapes.
    """
    sounds: list[tuple[str | None, float, float]] = []
    waiting_s: float | None = None  # start of a mark that belongs to the next letter
    for phoneme in phonemes:
        letter = next((c for c in phoneme.symbol if unicodedata.category(c) in ("Ll", "Lu", "Lo")), None)
        start_s = phoneme.start_s if waiting_s is None else waiting_s
        waiting_s = None
        if letter is not None:
            sounds.append((letter.lower(), start_s, phoneme.end_s))
        elif phoneme.symbol in ("ˈ", "ˌ"):
            waiting_s = start_s
        elif any(unicodedata.category(c) in ("Lm", "Mn", "Sk") for c in phoneme.symbol):
            if sounds:
                sounds[-1] = (sounds[-1][0], sounds[-1][1], phoneme.end_s)
        elif phoneme.symbol.strip() or phoneme.end_s - phoneme.start_s > 0.12:
            sounds.append((None, start_s, phoneme.end_s))
    return sounds


def _seals(phonemes: tuple[Phoneme, ...], at_s: NDArray[np.float64], fps: float) -> NDArray[np.float64]:
    """Return how far m, b and p seal the lips at each frame, 0..1; each seals at least one frame fully."""
    sealed = np.zeros(len(at_s))
    for phoneme in phonemes:
        if not SEALED & set(phoneme.symbol):
            continue
        middle_s = (phoneme.start_s + phoneme.end_s) / 2 - LEAD_S
        half_s = max((phoneme.end_s - phoneme.start_s) / 2, 0.52 / fps)  # longer than a frame, so one falls inside
        first, last = np.searchsorted(at_s, (middle_s - half_s - SEAL_RAMP_S, middle_s + half_s + SEAL_RAMP_S))
        beyond_s = np.abs(at_s[first:last] - middle_s) - half_s
        sealed[first:last] = np.maximum(sealed[first:last], 1 - np.clip(beyond_s / SEAL_RAMP_S, 0, 1))
    return sealed


def _smooth(curve: NDArray[np.floating]) -> NDArray[np.float32]:
    """Average each value with its neighbours, weights 1 2 1."""
    padded = np.pad(curve, 1, mode="edge")
    return ((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4).astype(np.float32)
