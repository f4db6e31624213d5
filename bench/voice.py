"""Voice matching, measured: every recording is trained on and judged on its held-out part.

python -m bench.voice RECORDING ... [--preset balanced] [--joe] [--out FOLDER]   prints the table
python -m bench.voice --speakers   the same for the installed Kokoro voices as synthetic speakers
python -m bench.voice --bases      writes worker/voice/bases.json
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from worker.context import TaskContext, TaskError
from worker.tasks.train_voice import TrainVoiceParams, train_voice

COLUMNS = (
    ("similarity_base", "sim before"), ("similarity", "sim after"), ("similarity_self", "sim self"),
    ("spectrum_distance_base_db", "spec dB before"), ("spectrum_distance_db", "after"),
    ("pitch_error_base_semitones", "F0 err st before"), ("pitch_error_semitones", "after"),
    ("word_error_rate_base", "WER before"), ("word_error_rate", "after"),
)  # fmt: skip
SPEAKER_TEXT = (
    "The lighthouse stood alone on the cliff. Every night its lamp swept across the sea, and every sailor knew what it "
    "meant: home is close, but the rocks are closer. Coffee keeps you awake because it blocks the signal that tells "
    "your brain it is tired. The first cup of the day works best about ninety minutes after you wake up."
)
"""What packaged voices say when they stand in for speakers; training and test use other texts."""


def main(argv: list[str] | None = None) -> int:
    """Measure and print; exit code 1 when a recording was refused or a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="*", type=Path)
    parser.add_argument("--preset", default="balanced", choices=("quick", "balanced", "quality"))
    parser.add_argument(
        "--joe", action="store_true", help="start from piper:joe only, as an install without Kokoro does"
    )
    parser.add_argument(
        "--speakers", action="store_true", help="also take each installed Kokoro voice as a synthetic speaker"
    )
    parser.add_argument("--bases", action="store_true", help="measure the packaged voices again")
    parser.add_argument("--out", type=Path, help="keep voice.json and sample.wav of each in this folder")
    arguments = parser.parse_args(argv)
    if arguments.bases:
        return write_bases()
    with tempfile.TemporaryDirectory() as folder:
        recordings = list(arguments.recordings)
        if arguments.speakers:
            recordings += synthetic_speakers(Path(folder))
        print(
            "| recording | base | speech s | "
            + " | ".join(title for _, title in COLUMNS)
            + " | steps | s | CPU s | load |"
        )
        print("| --- " * (len(COLUMNS) + 7) + "|")
        good = True
        for recording in recordings:
            exclude = {recording.stem} if recording.is_relative_to(folder) else set()
            good &= row(recording, preset=arguments.preset, joe=arguments.joe, exclude=exclude, out=arguments.out)
    return 0 if good else 1


def row(recording: Path, *, preset: str, joe: bool, exclude: set[str], out: Path | None) -> bool:
    """Train on one recording and print its line; return whether all figures are met."""
    from unittest.mock import patch

    from worker.voice import bases, training

    allowed = tuple(
        base
        for base in bases.installed()
        if (not joe or base.name == "piper:joe") and base.name.replace(":", "_") not in exclude
    )
    with tempfile.TemporaryDirectory() as work, patch.object(training, "installed", lambda: allowed):
        ctx = TaskContext(job_id="bench", node_id="voice", attempt=1, workdir=Path(work), emit=lambda _: None, seed=1)
        began, began_cpu_s = time.monotonic(), cpu_s()
        try:
            reference = {"name": recording.name, "path": str(recording)}
            answer = train_voice(ctx, TrainVoiceParams(preset=preset), {"audio": [reference]})  # type: ignore[arg-type]
        except TaskError as error:
            print(f"| {recording.stem} | refused: {error.failure.code}: {error.failure.got} |")
            return False
        took_s, took_cpu_s = time.monotonic() - began, cpu_s() - began_cpu_s
        facts: dict[str, Any] = answer["voice"]["media"]
        if out is not None:
            kept = out / recording.stem
            kept.mkdir(parents=True, exist_ok=True)
            for saved in ctx.saved:
                (kept / saved.name).write_bytes(Path(str(saved.path)).read_bytes())
    figures = " | ".join(f"{facts[name]:.2f}" for name, _ in COLUMNS)
    cost = f"{facts['steps']} | {took_s:.1f} | {took_cpu_s:.1f} | {os.getloadavg()[0]:.1f}"
    print(f"| {recording.stem} | {facts['base']} | {facts['speech_s']:.1f} | {figures} | {cost} |", flush=True)
    return facts["similarity"] > facts["similarity_base"] and facts["word_error_rate"] <= 0.10 and took_s <= 60


def cpu_s() -> float:
    """Return the processor seconds of this process; Piper's process, about 3 s a training, is not in it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def synthetic_speakers(folder: Path) -> list[Path]:
    """Return recordings of the installed Kokoro voices; each is then no base voice for itself."""
    from worker.av.audio import write_wav
    from worker.speech import kokoro
    from worker.speech.synthesize import synthesize

    recordings: list[Path] = []
    for name in (kokoro.PREFIX + voice for voice in kokoro.VOICES):
        if kokoro.available(name) is None:
            speech = synthesize(SPEAKER_TEXT, voice=name, workdir=folder, check=lambda: None)
            recordings.append(folder / f"{name.replace(':', '_')}.wav")
            write_wav(recordings[-1], speech.samples, speech.rate_hz)
    return recordings


def write_bases() -> int:
    """Let every installed packaged voice say the lesson and keep what is measured."""
    from worker.av.audio import resampled
    from worker.speech import kokoro
    from worker.speech.synthesize import DEFAULT_VOICE, available, synthesize
    from worker.voice.bases import FILE, LESSON
    from worker.voice.encoder import RATE_HZ, encoder
    from worker.voice.pitch import pitch
    from worker.voice.recording import speech_only

    rows: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in (DEFAULT_VOICE, *(kokoro.PREFIX + voice for voice in kokoro.VOICES)):
        if (reason := available(name)) is not None:
            print(f"{name}: kept as it was: {reason}")
            continue
        speech = synthesize(LESSON, voice=name, workdir=Path("."), check=lambda: None)
        spoken = speech_only(resampled(speech.samples, speech.rate_hz, to_hz=RATE_HZ))
        rows[name] = {
            "pitch_hz": round(pitch(speech.samples, speech.rate_hz).median_hz, 1),
            "embedding": [round(float(one), 5) for one in encoder().embed(spoken)],
        }
        print(f"{name}: {rows[name]['pitch_hz']} Hz")
    lines = (f" {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
