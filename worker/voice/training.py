"""Makes a voice profile: gate, speaker, nearest base voice, learned filter, intelligibility guard, measures.

It knows neither tasks nor artifacts: progress, checkpoints and log lines leave through `Reports`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.av.audio import resampled
from worker.speech.synthesize import synthesize
from worker.speech.timing import Speech as Said
from worker.speech.voice import Check
from worker.voice.bands import MAX_GAIN_DB, filtered, spectrum_db
from worker.voice.bases import EXAM, LESSON, installed, nearest
from worker.voice.encoder import RATE_HZ, SpeakerEncoder, encoder, similarity
from worker.voice.filter_training import FilterState, FilterStep, train_filter, untrained
from worker.voice.heard import spelled, transcribe, word_error_rate
from worker.voice.matched import moved_pitch
from worker.voice.measure import measured
from worker.voice.pitch import pitch
from worker.voice.profile import LONGEST_SCALE, SHORTEST_SCALE, Origin, Quality, Speaker, VoiceProfile
from worker.voice.recording import speech_only
from worker.voice.reshape import PitchMap
from worker.voice.study import Speech

STEPS = {"quick": 40, "balanced": 80, "quality": 200}
FORMANT_RATIOS = (1.0, 0.94, 1.06)
FURTHER_RATIOS = {0.94: 0.88, 1.06: 1.12}
_FORMANT_GAIN = 0.015  # of similarity: what another formant ratio than 1 must bring
STRENGTHS = (1.0, 0.75, 0.5, 0.25)
MAX_WORD_ERROR_RATE = 0.10
_SPREAD_RATIOS = 0.7, 1.4


@dataclass(frozen=True)
class Reports:
    """Where a training tells how it goes.

    Attributes:
        stage: called with a stage's name when it begins.
        step: called after every training step with all that a checkpoint needs.
        log: called with an event and its facts.
        check: raises when the job was cancelled.
    """

    stage: Callable[[str], None]
    step: Callable[[FilterStep, str], None]
    log: Callable[..., None]
    check: Check


@dataclass(frozen=True)
class Trained:
    """The profile, and the test sentence spoken through it."""

    profile: VoiceProfile
    sample: Said


@dataclass(frozen=True)
class _Base:
    """The chosen voice with its pitch moved: float32 [T] at its own rate, and what is spoken of it at 16 kHz."""

    name: str
    pitch_map: PitchMap
    formant_ratio: float
    length_scale: float
    samples: NDArray[np.float32]
    rate_hz: int
    speech: NDArray[np.float32]


def train_voice(
    speech: Speech, speaker: Speaker, *, preset: str, seed: int, workdir: Path, reports: Reports,
    checkpoint: Path | None = None, device: str = "cpu",
) -> Trained:  # fmt: skip
    """Train a profile of the speaker and measure it on the held-out part of their speech.

    Args:
        preset: `quick`, `balanced` or `quality`: 40, 80 or 200 steps.
        seed: the same seed and recordings give the same profile.
        checkpoint: what an earlier attempt kept; it is used when it is of the same training, else ignored.
    """
    judge = encoder(device)
    aim = np.array(speaker.embedding, np.float32)
    base = _base(speaker, aim, judge, workdir=workdir, seed=seed, reports=reports)
    key = _key(speech, base, preset=preset, seed=seed)
    start = restored(checkpoint, key=key) or untrained()
    if start.step:
        reports.log("training goes on from a checkpoint", step=start.step)
    reports.stage("training")
    state = train_filter(
        judge,
        base=base.speech,
        target=aim,
        spectrum_db=np.array(speaker.spectrum_db) - spectrum_db(base.speech, RATE_HZ),
        start=start,
        steps=STEPS[preset],
        seed=seed,
        report=lambda step: reports.step(step, key),
    )
    reports.stage("checking words")
    gains_db, strength = _intelligible(base, np.array(state.gains_db), reports)
    origin = Origin(
        recordings=len(speech.recordings), speech_s=speech.speech_s, snr_db=speech.snr_db, preset=preset,
        steps=state.step, seed=seed, strength=strength,
    )  # fmt: skip
    unmeasured = VoiceProfile(
        base=base.name, gains_db=tuple(gains_db.tolist()), pitch_from_hz=base.pitch_map.from_hz,
        pitch_to_hz=base.pitch_map.to_hz, pitch_spread_ratio=base.pitch_map.spread_ratio,
        formant_ratio=base.formant_ratio, length_scale=base.length_scale, speaker=speaker,
        quality=Quality(**dict.fromkeys(Quality.model_fields, 0.0)), origin=origin,
    )  # fmt: skip
    reports.stage("measuring")

    def exam(profile: VoiceProfile | None) -> Said:
        voice = None if profile else base.name
        return synthesize(EXAM, voice=voice, profile=profile, workdir=workdir, check=reports.check, seed=seed)

    before, after = exam(None), exam(unmeasured)
    quality = measured(
        before=before, after=after, text=EXAM, lesson=speech.lesson, held_out=speech.held_out, judge=judge,
        check=reports.check,
    )  # fmt: skip
    return Trained(unmeasured.model_copy(update={"quality": quality}), after)


def _base(
    speaker: Speaker, aim: NDArray[np.float32], judge: SpeakerEncoder, *, workdir: Path, seed: int, reports: Reports
) -> _Base:
    """Return the nearest installed voice saying the lesson at the speaker's pitch, with the best formants."""
    reports.stage("choosing a base voice")
    chosen = nearest(installed(), embedding=aim, pitch_hz=speaker.pitch_hz)
    reports.log("base voice chosen", base=chosen.name, similarity=round(similarity(chosen.embedding, aim), 3))
    said = synthesize(LESSON, voice=chosen.name, workdir=workdir, check=reports.check, seed=seed)
    track = pitch(said.samples, said.rate_hz)
    spread = speaker.pitch_spread_semitones / max(track.spread_semitones, 0.1)
    pitch_map = PitchMap(track.median_hz, speaker.pitch_hz, float(np.clip(spread, *_SPREAD_RATIOS)))
    letters = sum(len(word) for word in spelled(LESSON))
    spoken_s = len(speech_only(resampled(said.samples, said.rate_hz, to_hz=RATE_HZ))) / RATE_HZ
    slower = letters / spoken_s / speaker.letters_per_s if speaker.letters_per_s else 1.0
    scale = float(np.clip(slower, SHORTEST_SCALE, LONGEST_SCALE))

    def tried(ratio: float) -> tuple[float, _Base]:
        reports.check()
        samples = moved_pitch(said.samples, said.rate_hz, pitch_map=pitch_map, formant_ratio=ratio)
        speech = speech_only(resampled(samples, said.rate_hz, to_hz=RATE_HZ))
        alike = similarity(judge.embed(speech), aim) - (_FORMANT_GAIN if ratio != 1.0 else 0.0)
        return alike, _Base(chosen.name, pitch_map, ratio, scale, samples, said.rate_hz, speech)

    found = [tried(ratio) for ratio in FORMANT_RATIOS]
    best = max(found, key=lambda one: one[0])
    if best[1].formant_ratio in FURTHER_RATIOS:
        best = max(best, tried(FURTHER_RATIOS[best[1].formant_ratio]), key=lambda one: one[0])
    return best[1]


def _intelligible(base: _Base, gains_db: NDArray[np.float64], reports: Reports) -> tuple[NDArray[np.float64], float]:
    """Return as much of the gains as leaves the lesson's words intelligible, and which share that is."""
    rates: dict[float, float] = {}
    for strength in STRENGTHS:
        sound = filtered(base.samples, base.rate_hz, gains_db * strength)
        heard = transcribe(resampled(sound, base.rate_hz, to_hz=RATE_HZ), check=reports.check)
        rates[strength] = word_error_rate(LESSON, heard.words)
        if rates[strength] <= MAX_WORD_ERROR_RATE:
            break
    strength = min(rates, key=lambda one: (rates[one] > MAX_WORD_ERROR_RATE, rates[one]))
    if strength < 1.0:
        reports.log("filter weakened so that words stay clear", strength=strength, word_error_rate=rates[strength])
    return np.clip(gains_db * strength, -MAX_GAIN_DB, MAX_GAIN_DB), strength


def _key(speech: Speech, base: _Base, *, preset: str, seed: int) -> str:
    """Return what a checkpoint belongs to: the same lesson, base, preset and seed."""
    digest = sha256(speech.lesson.tobytes())
    digest.update(base.speech.tobytes())
    digest.update(f"{base.name} {base.formant_ratio} {preset} {seed}".encode())
    return digest.hexdigest()


def checkpointed(path: Path, state: FilterState, *, key: str) -> None:
    """Write what is needed to go on."""
    path.write_text(json.dumps({"key": key, **asdict(state)}), encoding="utf-8")


def restored(path: Path | None, *, key: str) -> FilterState | None:
    """Return the state in a checkpoint, or None where there is none of this training."""
    if path is None:
        return None
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if kept.pop("key") != key:
            return None
        return FilterState(step=int(kept.pop("step")), **{name: tuple(map(float, row)) for name, row in kept.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
