"""Uploads: what is good comes back clean, what is hostile or damaged is refused and leaves nothing."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.apps import Api, Client, Rows
from tests.integration.test_api_bad_input import checked, png_header

SIDE = (48, 32)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="4"/></svg>'
SECRET = b"<script>alert(1)</script>" * 20


def picture(format_: str, **options: Any) -> bytes:
    """A picture with a red left half, so that its orientation can be told."""
    image = Image.new("RGB", SIDE, "blue")
    image.paste("red", (0, 0, SIDE[0] // 2, SIDE[1]))
    out = io.BytesIO()
    image.save(out, format=format_, **options)
    return out.getvalue()


def turned_jpeg() -> bytes:
    """A JPEG whose EXIF says: turn me by 90 degrees; it also says where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "taken at home"
    return picture("JPEG", exif=exif, quality=95)


def sound(container: str, codec: str, *, rate: int = 16_000, layout: str = "mono", seconds: float = 1.0) -> bytes:
    """A 440 Hz tone."""
    import av

    channels = 2 if layout == "stereo" else 1
    time_s = np.arange(int(rate * seconds)) / rate
    tone = (8000 * np.sin(2 * np.pi * 440 * time_s)).astype(np.int16)
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, channels).reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate,
                                      frame_size=stream.codec_context.frame_size or 0)  # fmt: skip
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return out.getvalue()


async def stored(client: Client, rows: Rows, name: str, content: bytes) -> tuple[dict[str, Any], bytes]:
    """Upload a file; return the answer and the stored bytes."""
    answer = await client.http.post("/api/uploads", files={"file": (name, content)})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    found = rows.body(body["uri"])
    assert len(found) == body["size_bytes"]
    return body, found


@pytest.fixture
async def untouched(rows: Rows, api: Api) -> AsyncIterator[None]:
    """Fail the test when a refused upload leaves an object, a process or a file behind."""
    before = rows.counts()
    yield
    assert rows.counts() == before
    assert (api.children(), api.left_in_scratch()) == ([], [])


@pytest.mark.parametrize(("name", "format_"), [("a.png", "PNG"), ("a.JPG", "JPEG"), ("a.webp", "WEBP"), ("a", "PNG")])
async def test_a_picture_is_stored_as_a_png_of_its_size(
    name: str, format_: str, client: Client, rows: Rows, api: Api
) -> None:
    body, found = await stored(client, rows, name, picture(format_))
    assert body["kind"] == "image"
    assert body["media"] == {"width_px": 48, "height_px": 32, "alpha": False}
    assert body["uri"].endswith("/a.png")
    assert Image.open(io.BytesIO(found)).getpixel((2, 2))[0] > 200  # type: ignore[index]
    assert api.left_in_scratch() == []


async def test_a_photograph_is_turned_upright_and_loses_its_metadata(client: Client, rows: Rows) -> None:
    body, found = await stored(client, rows, "home.jpeg", turned_jpeg())
    assert body["media"] == {"width_px": 32, "height_px": 48, "alpha": False}
    image = Image.open(io.BytesIO(found))
    assert image.getpixel((16, 2))[0] > 200  # type: ignore[index]  # the red half is on top now
    assert not image.getexif()
    assert b"home" not in found


async def test_a_transparent_picture_stays_transparent(client: Client, rows: Rows) -> None:
    out = io.BytesIO()
    Image.new("RGBA", SIDE, (255, 0, 0, 128)).save(out, "PNG")
    body, found = await stored(client, rows, "a.png", out.getvalue())
    assert body["media"]["alpha"] is True
    assert Image.open(io.BytesIO(found)).getpixel((1, 1)) == (255, 0, 0, 128)


@pytest.mark.parametrize(
    ("name", "container", "codec", "options"),
    [("a.wav", "wav", "pcm_s16le", {}), ("a.wav", "wav", "pcm_s16le", {"rate": 96_000, "layout": "stereo"}),
     ("a.flac", "flac", "flac", {}), ("a.ogg", "ogg", "libopus", {"rate": 48_000}),
     ("a.mp3", "mp3", "libmp3lame", {"rate": 44_100, "layout": "stereo"})],
)  # fmt: skip
async def test_a_recording_is_stored_as_pcm_of_its_length(
    name: str, container: str, codec: str, options: dict[str, Any], client: Client, rows: Rows
) -> None:
    import wave

    body, found = await stored(client, rows, name, sound(container, codec, **options))
    assert body["kind"] == "audio"
    assert body["uri"].endswith("/a.wav")
    with wave.open(io.BytesIO(found)) as file:
        assert file.getsampwidth() == 2
        assert file.getframerate() == min(options.get("rate", 16_000), 48_000) == body["media"]["sample_rate_hz"]
        assert file.getnchannels() == body["media"]["channels"]
        assert file.getnframes() / file.getframerate() == pytest.approx(1.0, abs=0.08)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert np.abs(samples).max() > 4000


async def test_a_plain_svg_is_kept(client: Client, rows: Rows) -> None:
    body, found = await stored(client, rows, "logo.svg", b'<?xml version="1.0"?>\n<!-- hi -->' + SVG)
    assert body["kind"] == "svg"
    assert b"circle" in found


async def test_an_svg_loses_everything_that_acts_or_reaches_out(client: Client, rows: Rows) -> None:
    hostile = (
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="alert(1)">'
        b"<script>alert(2)</script><style>@import url(http://evil.example/a.css);</style>"
        b'<foreignObject><body xmlns="http://www.w3.org/1999/xhtml" onclick="alert(3)"/></foreignObject>'
        b'<image href="http://evil.example/a.png"/><use xlink:href="file:///etc/passwd#x"/>'
        b'<a href="javascript:alert(4)"><circle r="4" fill="url(#g)"/></a>'
        b'<rect fill="url(http://evil.example/b)" style="background:url(http://evil.example/c)" width="2"/>'
        b'<linearGradient id="g"/><use href="#g"/></svg>'
    )
    _, found = await stored(client, rows, "logo.svg", hostile)
    for bad in (b"alert", b"evil.example", b"passwd", b"foreignObject", b"@import", b"javascript"):
        assert bad not in found, found.decode()
    for good in (b"<circle", b'fill="url(#g)"', b'href="#g"', b'width="2"'):
        assert good in found, found.decode()


async def test_a_name_cannot_lead_out_of_the_folder(client: Client, rows: Rows) -> None:
    for name in ("../../etc/passwd.png", "a b\u00e9\u202e.png", "%2e%2e%2fx.png", "x" * 300 + ".png"):
        body, _ = await stored(client, rows, name, picture("PNG"))
        bucket, _owner, folder, last = body["uri"].removeprefix("s3://").split("/")
        assert (bucket, len(folder)) == ("uploads", 64)
        assert last.isascii()
        assert len(last) < 80


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
async def test_what_hangs_behind_a_picture_is_not_stored(format_: str, client: Client, rows: Rows) -> None:
    """Photographs of phones end in such data, so it is dropped rather than refused."""
    content = picture(format_) + SECRET + b"PK\x03\x04"
    _, found = await stored(client, rows, "a." + format_.lower(), content)
    assert b"script" not in found
    assert found.endswith(b"IEND\xaeB`\x82")


def gif() -> bytes:
    return picture("GIF")


def png_of(width: int, height: int) -> bytes:
    """A real PNG of zeros: a few kilobytes that decode to `3 * width * height` bytes."""
    raw = zlib.compress((b"\0" * (1 + 3 * width)) * height, 9)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", raw) + chunk(b"IEND", b"")


HOSTILE = {
    "JPEG named .png": ("a.png", lambda: picture("JPEG")),
    "PNG named .wav": ("a.wav", lambda: picture("PNG")),
    "WAV named .mp3": ("a.mp3", lambda: sound("wav", "pcm_s16le")),
    "GIF": ("a.gif", gif),
    "GIF named .png": ("a.png", gif),
    "TIFF": ("a.tif", lambda: picture("TIFF")),
    "PostScript": ("a.eps", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n" * 9),
    "HTML named .svg": ("a.svg", lambda: b"<html><svg></svg></html>"),
    "zip": ("a.zip", lambda: b"PK\x03\x04" + b"\0" * 99),
    "playlist": ("a.mp3", lambda: b"#EXTM3U\nfile:///etc/passwd\n" * 4),
    "ffconcat": ("a.wav", lambda: b"ffconcat version 1.0\nfile /etc/passwd\n" * 4),
    "half a PNG": ("a.png", lambda: picture("PNG")[:70]),
    "half a JPEG": ("a.jpg", lambda: turned_jpeg()[:400]),
    "a FLAC header": ("a.flac", lambda: b"fLaC" + b"\0" * 60),
    "an MP3 of noise": ("a.mp3", lambda: b"ID3" + b"\x04\x00\x00\x00\x00\x00\x00" + bytes(range(7, 200)) * 9),
    "60,000 x 60,000 pixels": ("a.png", lambda: png_header(60_000, 60_000)),
    "41 million pixels": ("a.png", lambda: png_of(8200, 5000)),
    "a line of 20,000 pixels": ("a.png", lambda: png_of(20_000, 1)),
    "SVG with DOCTYPE": ("a.svg", lambda: b'<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG),
    "SVG with an outer entity": (
        "a.svg", lambda: b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'
    ),
    "a billion laughs": (
        "a.svg", lambda: b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
        b"<svg><text>&b;</text></svg>"
    ),
    "SVG nested 100 deep": ("a.svg", lambda: b"<svg>" + b"<g>" * 100 + b"</g>" * 100 + b"</svg>"),
    "SVG of 30,000 elements": ("a.svg", lambda: b"<svg>" + b"<g/>" * 30_000 + b"</svg>"),
    "SVG that uses itself a million times": (
        "a.svg", lambda: b"<svg>" + b"".join(
            b'<g id="n%d">' % n + (b'<use href="#n%d"/>' % (n - 1)) * 10 + b"</g>" for n in range(1, 8)
        ) + b"</svg>"
    ),
    "half an SVG": ("a.svg", lambda: SVG[:-8]),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_or_damaged_file_is_refused(what: str, client: Client, untouched: None) -> None:
    name, make = HOSTILE[what]
    answer = await client.http.post("/api/uploads", files={"file": (name, make())})
    error = checked(answer, status=422, code="unsafe_input")
    assert error["path"] == "/file"


@pytest.mark.parametrize(("name", "head", "limit_mib"), [("a.png", b"\x89PNG\r\n\x1a\n", 25), ("a.svg", SVG, 2)])
async def test_a_file_over_its_formats_limit_is_too_large(
    name: str, head: bytes, limit_mib: int, client: Client, untouched: None
) -> None:
    content = head + b" " * (limit_mib << 20)
    answer = await client.http.post("/api/uploads", files={"file": (name, content)})
    error = checked(answer, status=413, code="too_large")
    assert error["allowed"] == limit_mib << 20


async def test_a_form_that_is_none_is_refused(client: Client, untouched: None) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x", "text/plain"):
        answer = await client.http.post("/api/uploads", content=b"--x\r\nnothing", headers={"Content-Type": kind})
        checked(answer, status=422, code="validation_error")


async def test_an_upload_can_be_used_in_a_job(client: Client, rows: Rows) -> None:
    body, _ = await stored(client, rows, "me.png", picture("PNG"))
    job_id = await client.submit({"goal": "a 5 second video about me", "inputs": {"images": [body["uri"]]}})
    record = await client.get(f"/api/jobs/{job_id}")
    assert record["plan"]["context"]["images"] == [body["uri"]]
    await client.http.post(f"/api/jobs/{job_id}/cancel")
    await client.reaches(job_id, "cancelled")
