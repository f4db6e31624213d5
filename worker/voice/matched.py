"""A packaged voice that speaks through a profile: tempo, pitch, formants and filter. All times stay right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from worker.speech.normalise import Sentence
from worker.speech.voice import Check, Utterance, Voice
from worker.voice.bands import filtered
from worker.voice.profile import VoiceProfile
from worker.voice.reshape import PitchMap, reshaped

PREFIX = "matched:"
_SAME_SEMITONES, _SAME_RATIO = 0.2, 0.03  # smaller changes are not worth cutting speech into grains


class MatchedVoice:
    """A voice made of a base voice and a profile. As safe for several threads as its base."""

    def __init__(self, base: Voice, profile: VoiceProfile) -> None:
        if base.name != profile.base:
            raise ValueError(f"the profile is for {profile.base}, not for {base.name}")
        self.name = PREFIX + base.name
        self._base = base
        self._profile = profile

    def speak(self, sentence: Sentence, *, length_scale: float, seed: int, check: Check) -> Utterance:
        """Speak the sentence; a length scale of 1.0 is the speaker's tempo."""
        scale = self._profile.length_scale
        said = self._base.speak(sentence, length_scale=length_scale * scale, seed=seed, check=check)
        check()
        return replace(said, samples=matched(said.samples, said.rate_hz, self._profile), widths_s=said.widths_s * scale)


def matched(samples: NDArray[np.float32], rate_hz: int, profile: VoiceProfile) -> NDArray[np.float32]:
    """Return the base voice's float32 [T] through the profile, every sound at its time."""
    moved = moved_pitch(
        samples,
        rate_hz,
        pitch_map=PitchMap(profile.pitch_from_hz, profile.pitch_to_hz, profile.pitch_spread_ratio),
        formant_ratio=profile.formant_ratio,
    )
    return filtered(moved, rate_hz, np.array(profile.gains_db))


def moved_pitch(
    samples: NDArray[np.float32], rate_hz: int, *, pitch_map: PitchMap, formant_ratio: float
) -> NDArray[np.float32]:
    """Return the sound with pitch and formants moved; untouched where that would be too little to hear."""
    semitones = abs(12.0 * np.log2(pitch_map.to_hz / pitch_map.from_hz))
    changes = max(abs(pitch_map.spread_ratio - 1.0), abs(formant_ratio - 1.0))
    if semitones < _SAME_SEMITONES and changes < _SAME_RATIO:
        return samples
    return reshaped(samples, rate_hz, pitch_map=pitch_map, formant_ratio=formant_ratio)
