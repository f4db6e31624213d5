"""Head and eye movement that goes with a voice: slow sway, nods on stress, breathing, blinks. Pure; knows no face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

YAW, PITCH, ROLL, BREATH, BROW, BLINK = range(6)  # the columns of motion curves
MOTIONS = 6

SWAY_RAD = {YAW: 0.050, PITCH: 0.022, ROLL: 0.016}  # standard deviation; a calm speaker, set by eye
NOD_RAD = 0.030  # extra pitch at the loudest syllables
BREATH_HZ = 0.27  # about 16 breaths a minute, an adult at rest
BLINK_GAP_S = (2.2, 5.0)  # adults in conversation blink 10-25 times a minute
BLINK_S = (0.09, 0.05, 0.16)  # closing, closed, opening: eyes open more slowly than they close


def motion_curves(loudness: NDArray[np.float32], *, fps: float, seed: int) -> NDArray[np.float32]:
    """Return how the head moves at each frame; the same seed and voice give the same movement.

    Args:
        loudness: float32 [frames] in 0..1.

    Returns:
        float32 [frames, 6]: yaw, pitch and roll in radians; breath in -1..1; brow lift and blink in 0..1.
    """
    frames = len(loudness)
    random = np.random.default_rng(seed)
    time_s = np.arange(frames) / fps
    curves = np.zeros((frames, MOTIONS), np.float32)
    for column, spread in SWAY_RAD.items():
        curves[:, column] = spread * _sway(time_s, random)
    phrase = _lowpass(loudness, fps, 1.2)
    stress = np.clip(_lowpass(loudness, fps, 0.16) - phrase, 0, None)
    curves[:, PITCH] += NOD_RAD * 2.0 * stress
    curves[:, BREATH] = np.sin(2 * np.pi * (BREATH_HZ * time_s + random.random()))
    curves[:, BROW] = np.clip(2.2 * (_lowpass(loudness, fps, 0.35) - phrase), 0, 1)
    curves[:, BLINK] = _blinks(loudness, time_s, fps, random)
    fade_in = np.clip(time_s / 0.4, 0, 1)[:, None].astype(np.float32)  # the first frame is the portrait as given
    curves[:, :BLINK] *= fade_in * fade_in * (3 - 2 * fade_in)
    return curves


def _sway(time_s: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Return smooth noise of about unit deviation: six sines between 0.07 and 0.55 Hz, slow ones stronger."""
    hz = random.uniform(0.07, 0.55, 6)
    strength = 1 / (0.15 + hz)
    waves = np.sin(2 * np.pi * (hz * time_s[:, None] + random.random(6)))
    return (waves * strength).sum(axis=1) / np.sqrt((strength**2).sum() / 2)


def _blinks(
    loudness: NDArray[np.float32], time_s: NDArray[np.float64], fps: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Return lid closure 0..1; each blink is drawn to the quietest moment near its time, where speakers blink."""
    closed = np.zeros(len(time_s))
    closing_s, shut_s, opening_s = BLINK_S
    quiet = _lowpass(loudness, fps, 0.2)
    at_s = random.uniform(0.8, 2.5)
    while len(time_s) and at_s < time_s[-1] - 0.3:
        near = np.flatnonzero(np.abs(time_s - at_s) < 0.5)
        begin_s = time_s[near[np.argmin(quiet[near])]]
        since_s = time_s - begin_s
        closing = since_s / closing_s
        opening = 1 - (since_s - closing_s - shut_s) / opening_s
        amount = np.clip(np.minimum(closing, opening), 0, 1)
        closed = np.maximum(closed, amount * amount * (3 - 2 * amount))
        at_s = max(at_s, begin_s) + random.uniform(*BLINK_GAP_S)
    return closed


def _lowpass(curve: NDArray[np.float32], fps: float, width_s: float) -> NDArray[np.float32]:
    """Blur with a Gaussian of standard deviation `width_s`."""
    reach = max(1, round(3 * width_s * fps))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (width_s * fps)) ** 2)
    padded = np.pad(curve, reach, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid").astype(np.float32)
