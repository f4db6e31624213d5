"""The picture backend `sadtalker`: the user's own SadTalker checkout makes a portrait speak, as a process of its own.

`REELGRAPH_SADTALKER` names the checkout (with `inference.py` and `checkpoints/`), `REELGRAPH_SADTALKER_PYTHON` the
interpreter of its environment. It knows nothing of the network inside and imports nothing of it.

Source: command line, progress bars and result file of SadTalker's `inference.py` v0.0.2 (code Apache-2.0).
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.states import FailureKind
from worker.context import TaskContext, TaskError
from worker.video.shot import Drawing, Shot, Tell

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER, PYTHON, TIMEOUT_S = "REELGRAPH_SADTALKER", "REELGRAPH_SADTALKER_PYTHON", "REELGRAPH_SADTALKER_TIMEOUT_S"
DEFAULT_TIMEOUT_S = 3600.0
TAIL_LINES = 60
MISSING_S = 0.5  # how much shorter than the narration its video may be; the last frame is held that long
LARGE = "SadTalker_V0.0.2_512.safetensors"
# Title of a progress bar -> from where to where of the whole it goes. Shares by how long each usually takes.
BARS = {
    "landmark Det": (0.02, 0.05), "3DMM Extraction": (0.05, 0.08), "mel": (0.08, 0.10), "audio2exp": (0.10, 0.15),
    "Face Renderer": (0.15, 0.80), "seamlessClone": (0.80, 1.0),
}  # fmt: skip
_BAR = re.compile(r"^\s*(?P<title>[\w ]+?)[: ]*:\s*(?P<percent>\d{1,3})%\|")


def available() -> str | None:
    """Return what the checkout lacks, in words a person can act on, or None when it can be started."""
    named = os.environ.get(FOLDER, "").strip()
    if not named:
        return f"no SadTalker is configured: set {FOLDER} to a checkout with inference.py and checkpoints/"
    checkout = Path(named).expanduser()
    if not (checkout / "inference.py").is_file():
        return f"{FOLDER}={checkout}: there is no inference.py"
    weights = checkout / "checkpoints"
    if not any(weights.glob("SadTalker*.safetensors")) and not (weights / "epoch_20.pth").is_file():
        return f"{weights} has no SadTalker_V0.0.2_256.safetensors (725 MB, from SadTalker's release page)"
    if not any(weights.glob("mapping_*.pth.tar")):
        return f"{weights} has no mapping_00109-model.pth.tar and mapping_00229-model.pth.tar (150 MB each)"
    if not os.access(_python(checkout), os.X_OK):
        return f"{_python(checkout)} cannot be started: set {PYTHON} to the python of SadTalker's environment"
    return None


def draw(ctx: TaskContext, shot: Shot, tell: Tell) -> Drawing:
    """Run SadTalker on the portrait and the narration; return its video fitted into the frame.

    Raises:
        TaskError: `no_face` and its like for the portrait; `sadtalker_failed`, `sadtalker_timeout`,
            `sadtalker_no_video` or `sadtalker_too_short`, with the end of what it wrote.
        TaskCancelled: the job was cancelled; the process and all it started are gone.
    """
    from worker.av.check import probe

    checkout = Path(os.environ[FOLDER]).expanduser().resolve()
    portrait, narration = _portrait(ctx, shot), _narration(ctx, shot)
    results = ctx.workdir / "sadtalker"
    results.mkdir()
    argv = [
        str(_python(checkout)), str(checkout / "inference.py"),
        "--driven_audio", str(narration), "--source_image", str(portrait),
        "--checkpoint_dir", str(checkout / "checkpoints"), "--result_dir", str(results),
        "--size", "512" if (checkout / "checkpoints" / LARGE).is_file() else "256",
        "--preprocess", "full", "--still", "--batch_size", "1",
        *(["--cpu"] if ctx.device == "cpu" else []),
    ]  # fmt: skip
    tail = _run(ctx, argv, cwd=checkout, tell=tell)
    made = sorted(results.glob("*.mp4"), key=lambda path: path.stat().st_mtime)
    if not made:
        ctx.fail("sadtalker_no_video", "SadTalker ended well and left no video", kind=FailureKind.BUG, detail=tail)
    facts = probe(made[-1])
    if facts.duration_s < shot.duration_s - MISSING_S:
        ctx.fail(
            "sadtalker_too_short", "SadTalker's video is shorter than the narration", kind=FailureKind.BUG,
            got=round(facts.duration_s, 2), allowed=shot.duration_s, detail=tail,
        )  # fmt: skip
    media = {
        "width_px": facts.width_px, "height_px": facts.height_px, "fps": facts.fps, "frames": facts.frames,
        "duration_s": facts.duration_s, "backend": "sadtalker",
    }  # fmt: skip
    kept = ctx.save(made[-1], kind="video", name="sadtalker.mp4", media=media, role="part")
    return Drawing(_frames(Path(kept["path"]), shot), {"sadtalker": checkout.name})


def progress_of(line: str) -> float | None:
    """Return how much of the whole is done by a line of a progress bar, 0.0 to 1.0; None for any other line."""
    found = _BAR.match(line)
    if found is None:
        return None
    for title, (start, end) in BARS.items():
        if found["title"].startswith(title):
            return start + (end - start) * min(100, int(found["percent"])) / 100
    return None


def _python(checkout: Path) -> Path:
    named = os.environ.get(PYTHON, "").strip()
    if named:
        return Path(named).expanduser()
    inside = (checkout / folder / "bin" / "python" for folder in ("venv", ".venv"))
    return next((path for path in inside if path.exists()), checkout / "venv" / "bin" / "python")


def _portrait(ctx: TaskContext, shot: Shot) -> Path:
    """Write the portrait as it shall stand in the video: SadTalker keeps the shape of its picture."""
    import cv2

    from worker.talking_head.face import BROW_TOP, CHIN, FaceReader
    from worker.talking_head.framing import frame_portrait
    from worker.talking_head.portrait import astronaut, read_portrait, speaking_face

    if not shot.images:
        ctx.log("No portrait was given: the public-domain astronaut portrait of scikit-image speaks")
    picture = read_portrait(shot.images[0]) if shot.images else astronaut()
    face, _ = speaking_face(picture, FaceReader())
    centre = (face.points[BROW_TOP, :2] + face.points[CHIN, :2]) / 2
    stage = frame_portrait(
        picture, centre_px=(float(centre[0]), float(centre[1])), face_height_px=face.height_px,
        width=shot.width, height=shot.height,
    )  # fmt: skip
    path = ctx.workdir / "portrait.png"
    cv2.imwrite(str(path), cv2.cvtColor(stage.canvas, cv2.COLOR_RGB2BGR))
    return path


def _narration(ctx: TaskContext, shot: Shot) -> Path:
    """Write the narration with silence up to the end of the video, so that the pictures last as long."""
    from worker.av.audio import fitted, write_wav

    path = ctx.workdir / "sadtalker.wav"
    speech = shot.speech
    write_wav(path, fitted(speech.samples, round(shot.duration_s * speech.rate_hz)), speech.rate_hz)
    return path


def _run(ctx: TaskContext, argv: list[str], *, cwd: Path, tell: Tell) -> str:
    """Run SadTalker to its end and return the last lines it wrote.

    It stays in the process group of the worker's child, so that killing the child takes it along; a cancel and a
    time-out end it with everything it started.
    """
    limit_s = float(os.environ.get(TIMEOUT_S, "") or DEFAULT_TIMEOUT_S)
    process = subprocess.Popen(
        argv, cwd=cwd, env=_environment(ctx.device), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True, name="sadtalker")
    reader.start()
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    ends_at, done = time.monotonic() + limit_s, 0.0
    try:
        while (line := _next(lines)) is not None:
            ctx.check_cancelled()
            if time.monotonic() > ends_at:
                raise TaskError(
                    "sadtalker_timeout", f"SadTalker took longer than {limit_s:g} s", kind=FailureKind.TIMEOUT,
                    detail="\n".join(tail), hint=f"raise {TIMEOUT_S}, or ask for a shorter video",
                )  # fmt: skip
            found = progress_of(line)
            if found is None and line.strip():
                tail.append(line)
            elif found is not None and found > done:
                done = found
                tell(done, stage="sadtalker")
        code = process.wait()
    finally:
        _end(process)
        reader.join()  # the pipe has no writer left
    written = "\n".join(tail)
    if code != 0:
        memory = "out of memory" in written.lower()
        raise TaskError(
            "sadtalker_failed", f"SadTalker ended with code {code}: {tail[-1] if tail else 'it wrote nothing'}"[:600],
            kind=FailureKind.CAPACITY if memory else FailureKind.BUG, got=code, detail=written,
            hint="ask for a smaller resolution" if memory else "run the same command by hand in its checkout",
        )  # fmt: skip
    return written


def _environment(device: str) -> dict[str, str]:
    """Return our environment without what would make its Python import our packages, and with our GPU alone."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    if device.startswith("cuda:"):
        number = int(device.partition(":")[2])
        visible = [part for part in kept.get("CUDA_VISIBLE_DEVICES", "").split(",") if part]
        kept["CUDA_VISIBLE_DEVICES"] = visible[number] if number < len(visible) else str(number)
    return {**kept, "PYTHONUNBUFFERED": "1"}


def _read(process: subprocess.Popen[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    """Sort what it writes into lines; a progress bar ends its lines by a carriage return."""
    assert process.stdout is not None
    rest = b""
    while chunk := os.read(process.stdout.fileno(), 4096):
        *whole, rest = re.split(rb"[\r\n]", rest + chunk)
        for part in whole:
            lines.put(part.decode("utf-8", "replace"))
        rest = rest[-65_536:]
    process.stdout.close()
    lines.put(rest.decode("utf-8", "replace"))
    lines.put(None)


def _next(lines: queue.SimpleQueue[str | None]) -> str | None:
    """Return the next line, an empty one when nothing came for a while, None at the end."""
    try:
        return lines.get(timeout=0.25)
    except queue.Empty:
        return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it and everything it started."""
    import psutil

    try:
        started = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    for one in (process, *started):
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def _frames(path: Path, shot: Shot) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of its video at our rate and size; the last one is held where a few are missing."""
    from worker.av.video import read_frames
    from worker.video.fitting import covering

    source = read_frames(path)
    shown, following = next(source)[1], next(source, None)
    for number in range(shot.frames):
        while following is not None and following[0] <= number / shot.fps + 1e-6:
            shown, following = following[1], next(source, None)
        yield covering(shown, shot.width, shot.height)
