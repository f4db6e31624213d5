"""The child that decodes an upload and writes a clean copy: no metadata, no trailing data, known limits.

Run as `python -m control_api.normalise KIND FORMAT SOURCE TARGET` under rlimits, without credentials; prints
`{"media": {...}, "record": text or null}` or `{"refused": why, "got", "allowed"}`. The record is what the file says of
where it came from; with KIND `record` nothing else is looked at, and nothing is written.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

from schemas.provenance.carriers import text_in

RECORD = "record"
MAX_PIXELS = 40_000_000
MAX_SIDE_PX = 16_384
MAX_AUDIO_S = 600.0
MAX_RATE_HZ = 48_000
_LIMITS = {
    resource.RLIMIT_AS: 1536 * 1024 * 1024,
    resource.RLIMIT_CPU: 20,
    resource.RLIMIT_FSIZE: 512 * 1024 * 1024,
    resource.RLIMIT_CORE: 0,
}
_DEMUXERS = {"WAV": "wav", "FLAC": "flac", "MP3": "mp3", "OGG": "ogg"}
_CODECS = {"mp3", "mp3float", "flac", "vorbis", "opus", "libopus", "libvorbis"}


class Refused(Exception):
    """Raised when the file may not be used."""

    def __init__(self, message: str, *, got: Any = None, allowed: Any = None) -> None:
        super().__init__(message)
        self.facts = {"refused": message, "got": got, "allowed": allowed}


def normalise(kind: str, format_name: str, source: Path, target: Path) -> dict[str, Any]:
    """Write the clean copy and return its media facts."""
    match kind:
        case "image":
            return _image(format_name, source, target)
        case "audio":
            return _audio(format_name, source, target)
        case _:
            return _svg(source, target)


def _image(format_name: str, source: Path, target: Path) -> dict[str, Any]:
    from PIL import Image, ImageOps

    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with Image.open(source, formats=(format_name.upper(),)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE_PX:
                raise Refused("the image is too large", got=f"{width}x{height}", allowed=f"{MAX_PIXELS} pixels")
            upright = ImageOps.exif_transpose(image)
            has_alpha = "A" in upright.getbands() or "transparency" in image.info
            clean = upright.convert("RGBA" if has_alpha else "RGB")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Refused("the image is too large", allowed=f"{MAX_PIXELS} pixels") from None
    clean.info.clear()
    clean.save(target, format="PNG", optimize=False)
    return {"width_px": clean.width, "height_px": clean.height, "alpha": has_alpha}


def _audio(format_name: str, source: Path, target: Path) -> dict[str, Any]:
    import av

    with av.open(str(source), format=_DEMUXERS[format_name]) as container:
        if len(container.streams.audio) != 1:
            raise Refused("the file has no single audio track", got=len(container.streams.audio), allowed=1)
        stream = container.streams.audio[0]
        name = stream.codec_context.name
        if not (name in _CODECS or name.startswith("pcm_")):
            raise Refused("the audio codec is not accepted", got=name, allowed=sorted(_CODECS))
        rate = min(stream.rate or MAX_RATE_HZ, MAX_RATE_HZ)
        channels = min(stream.codec_context.channels, 2)
        layout = "mono" if channels == 1 else "stereo"
        resampler = av.AudioResampler(format="s16", layout=layout, rate=rate)
        samples = 0
        with av.open(str(target), "w", format="wav") as out:
            track = out.add_stream("pcm_s16le", rate=rate, layout=layout)
            for frame in container.decode(stream):
                for clean in resampler.resample(frame):
                    samples += clean.samples
                    if samples / rate > MAX_AUDIO_S:
                        raise Refused("the recording is too long", allowed=f"{MAX_AUDIO_S:g} s")
                    clean.pts = None
                    out.mux(track.encode(clean))
            out.mux(track.encode(None))
    if samples == 0:
        raise Refused("the recording is empty", got="0 s")
    return {"duration_s": round(samples / rate, 3), "sample_rate_hz": rate, "channels": channels}


def _svg(source: Path, target: Path) -> dict[str, Any]:
    from control_api.svg import HostileSvg, cleaned

    try:
        safe, count = cleaned(source.read_bytes())
    except HostileSvg as hostile:
        raise Refused(str(hostile), allowed="plain SVG without DOCTYPE and entities") from None
    target.write_bytes(safe)
    return {"elements": count}


def main() -> int:
    """Print one JSON object; 1 when the decoder failed."""
    for what, limit in _LIMITS.items():
        resource.setrlimit(what, (limit, limit))
    kind, format_name, source, target = sys.argv[1:5]
    try:
        record = text_in(Path(source))
        media = {} if kind == RECORD else normalise(kind, format_name, Path(source), Path(target))
        answer: dict[str, Any] = {"media": media, "record": record.decode(errors="replace") if record else None}
    except Refused as refused:
        answer = refused.facts
    except Exception as error:  # decoders raise anything on damaged files
        print(repr(error), file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
