"""A stand-in for SadTalker's `inference.py` (v0.0.2): its command line, progress bars and result file, no network.

The tests copy it into a checkout as `inference.py`. `mode.txt` beside it makes it misbehave: `crash`, `memory`, `hang`,
`nothing` or `short`. The mouth of its portrait opens with the loudness of the sound.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np

FPS = 25
HERE = Path(__file__).parent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--driven_audio", default="./examples/driven_audio/bus_chinese.wav")
    parser.add_argument("--source_image", default="./examples/source_image/full_body_1.png")
    parser.add_argument("--ref_eyeblink", default=None)
    parser.add_argument("--ref_pose", default=None)
    parser.add_argument("--checkpoint_dir", default="./checkpoints")
    parser.add_argument("--result_dir", default="./results")
    parser.add_argument("--pose_style", type=int, default=0)
    parser.add_argument("--batch_size", type=int, default=2)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--expression_scale", type=float, default=1.0)
    parser.add_argument("--enhancer", default=None)
    parser.add_argument("--background_enhancer", default=None)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--still", action="store_true")
    parser.add_argument("--preprocess", default="crop", choices=["crop", "extcrop", "resize", "full", "extfull"])
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def bar(title: str, *, until: int = 100) -> None:
    for percent in range(0, until + 1, 25):
        sys.stderr.write(f"\r{title}: {percent:3d}%|{'#' * (percent // 10):<10}| {percent}/100 [00:01<00:01, 5.00it/s]")
        sys.stderr.flush()
    sys.stderr.write("\n")


def main() -> None:
    given = arguments()
    mode = (HERE / "mode.txt").read_text() if (HERE / "mode.txt").is_file() else ""
    folder = Path(given.result_dir) / time.strftime("%Y_%m_%d_%H.%M.%S")
    folder.mkdir(parents=True)
    print("3DMM Extraction for source image", flush=True)
    bar("landmark Det:")
    bar("3DMM Extraction In Video:")
    bar("mel:")
    bar("audio2exp:")
    bar("Face Renderer:", until=50)
    match mode:
        case "crash":
            raise RuntimeError("can not detect the landmark from source image")
        case "memory":
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        case "hang":
            tool = subprocess.Popen(["sleep", "600"])
            (HERE / "tool.pid").write_text(str(tool.pid))
            time.sleep(600)
        case "nothing":
            return
    bar("Face Renderer:")
    speak(Path(given.source_image), Path(given.driven_audio), folder / "full.mp4", share=0.3 if mode == "short" else 1)
    bar("seamlessClone:")
    shutil.move(folder / "full.mp4", f"{folder}.mp4")
    print("The generated video is named:", f"{folder}.mp4")
    shutil.rmtree(folder)


def speak(portrait: Path, sound: Path, out: Path, *, share: float) -> None:
    import av
    import cv2

    with wave.open(str(sound)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        length_s = share * file.getnframes() / file.getframerate()
    picture = cv2.cvtColor(cv2.imread(str(portrait)), cv2.COLOR_BGR2RGB)
    high, wide = picture.shape[:2]
    parts = np.array_split(samples, round(length_s / share * FPS))
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = wide, high, "yuv420p"
        for part in parts[: round(length_s * FPS)]:
            frame = picture.copy()
            gap = round(0.2 * high * min(1.0, 4 * float(np.sqrt(np.mean(part**2)))))
            cv2.ellipse(frame, (wide // 2, high // 2), (wide // 16, gap + 1), 0, 0, 360, (40, 0, 0), -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
