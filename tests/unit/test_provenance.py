"""Where a file came from stands in the file, in every format, and never changes what the file shows."""

from __future__ import annotations

import io
import json
import struct
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from schemas.provenance.files import SIDECAR, record_of, sha256_of_file, stamp
from schemas.provenance.record import MAX_PARAMS_BYTES, MAX_PARENTS, MAX_TEXT_BYTES, Parent, Provenance, parse
from tests.made_files import FORMATS, make_jpeg, make_mp4, make_png, make_safetensors, make_wav
from worker.child import record_of as record_now
from worker.context import TaskContext
from worker.models.resident import resident, take_used
from worker.registry import discover

RECORD = Provenance(
    plan_digest="sha256:" + "ab" * 32,
    job_id="7b0c2f4e-0000-4000-8000-000000000001",
    node_id="render",
    task="render_video",
    task_version="1",
    params={"title": 'Käse & <Wurst> "quoted" \u2028 日本', "strength": 0.25, "nested": {"a": [1, None, True]}},
    seed=1234567,
    models={"sd-tiny": "cd" * 32},
    parents=(Parent(name="cat.png", kind="image", sha256="ef" * 32),),
)
OTHER = RECORD.model_copy(update={"node_id": "again", "seed": 0, "params": {}})


def pixels(path: Path) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).tobytes(), image.info.get("Title"), dict(image.getexif())


def samples(path: Path) -> Any:
    with wave.open(str(path)) as file:
        return file.getparams(), file.readframes(9999)


def packets(path: Path) -> Any:
    import av

    with av.open(str(path)) as container:
        coded = [(packet.pts, bytes(packet)) for packet in container.demux() if packet.size]
    with av.open(str(path)) as container:
        shown = [frame.to_ndarray(format="rgb24").tobytes() for frame in container.decode(video=0)]
        return coded, shown, container.metadata["title"]


def scene(path: Path) -> Any:
    data = path.read_bytes()
    _, version, total, length, _ = struct.unpack("<4sIIII", data[:20])
    assert (total, length % 4) == (len(data), 0)
    found = json.loads(data[20 : 20 + length])
    found["asset"]["extras"].pop("reelgraph", None)
    return version, found, data[20 + length :]


def tensors(path: Path) -> Any:
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        kept = {name: text for name, text in file.metadata().items() if name != "reelgraph"}
        return kept, {name: (file.get_tensor(name).dtype, file.get_tensor(name).tobytes()) for name in file.keys()}  # noqa: SIM118


def drawing(path: Path) -> Any:
    root = ElementTree.fromstring(path.read_bytes())
    return [(each.tag, each.attrib, each.text) for each in root if not each.tag.endswith("metadata")], root.attrib


CONTENT: dict[str, Callable[[Path], Any]] = {
    "png": pixels, "jpg": pixels, "wav": samples, "mp4": packets, "glb": scene, "safetensors": tensors, "svg": drawing,
}  # fmt: skip


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_record_is_read_back_and_the_content_is_untouched(suffix: str, tmp_path: Path) -> None:
    make, content = FORMATS[suffix].make, CONTENT[suffix]
    path = tmp_path / f"made.{suffix}"
    make(path)
    before = content(path)
    assert record_of(path) is None
    assert stamp(path, RECORD)
    assert record_of(path) == RECORD.model_copy(update={"params_sha256": record_of(path).params_sha256})  # type: ignore[union-attr]
    assert content(path) == before


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_has_one_record_the_last_one(suffix: str, tmp_path: Path) -> None:
    make, content = FORMATS[suffix].make, CONTENT[suffix]
    path = tmp_path / f"made.{suffix}"
    make(path)
    before = content(path)
    stamp(path, OTHER)
    once = path.read_bytes()
    stamp(path, RECORD)
    assert record_of(path).node_id == "render"  # type: ignore[union-attr]
    stamp(path, OTHER)
    assert path.read_bytes() == once
    assert content(path) == before


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_damaged_file_is_left_as_it_is(suffix: str, tmp_path: Path) -> None:
    """Cut anywhere: no exception, and either nothing changes or the record can be read."""
    make = FORMATS[suffix].make
    whole = tmp_path / f"whole.{suffix}"
    make(whole)
    stamp(whole, OTHER)
    data = whole.read_bytes()
    path = tmp_path / f"cut.{suffix}"
    for end in sorted({*range(1, min(len(data), 64)), *range(64, len(data), max(1, len(data) // 60))}):
        path.write_bytes(data[:end])
        record_of(path)
        if stamp(path, RECORD):
            assert record_of(path).node_id == "render"  # type: ignore[union-attr]
        else:
            assert path.read_bytes() == data[:end]
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, whole.name]


@pytest.mark.parametrize("suffix", FORMATS)
def test_saving_stamps_a_file_before_it_is_measured(suffix: str, tmp_path: Path) -> None:
    made = FORMATS[suffix]
    ctx = context(tmp_path)
    made.make(tmp_path / f"made.{suffix}")
    saved = ctx.save(tmp_path / f"made.{suffix}", kind=made.kind)
    kept = Path(saved["path"])
    assert record_of(kept).node_id == "render"  # type: ignore[union-attr]
    assert saved["size_bytes"] == kept.stat().st_size
    assert len(ctx.saved) == 1


def test_a_file_that_cannot_hold_a_record_has_it_beside_it(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    (tmp_path / "voice.json").write_text('{"pitch_hz": 120}')
    kept = Path(ctx.save(tmp_path / "voice.json", kind="voice")["path"])
    assert kept.read_text() == '{"pitch_hz": 120}'
    assert [(ref.name, ref.kind, ref.role) for ref in ctx.saved[1:]] == [("voice.json" + SIDECAR, "json", "part")]
    assert record_of(kept).plan_digest == RECORD.plan_digest  # type: ignore[union-attr]


def test_a_text_that_a_person_reads_has_no_file_beside_it(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    (tmp_path / "note.txt").write_text("tides")
    ctx.save(tmp_path / "note.txt", kind="text")
    assert [ref.name for ref in ctx.saved] == ["note.txt"]


def test_a_copy_of_a_video_without_our_box_still_names_its_plan(tmp_path: Path) -> None:
    import av

    from worker.av.provenance import container_tags

    path = tmp_path / "copied.mp4"
    facts = {"plan_digest": RECORD.plan_digest, "job_id": RECORD.job_id, "node_id": "render", "title": "tides"}
    with av.open(str(path), "w", format="mp4") as container:
        container.metadata.update(container_tags(facts))
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    found = record_of(path)
    assert found is not None
    assert (found.plan_digest, found.job_id, found.node_id) == (RECORD.plan_digest, RECORD.job_id, "render")


def test_a_box_of_ours_in_the_middle_of_a_video_becomes_free_space(tmp_path: Path) -> None:
    path = tmp_path / "made.mp4"
    make_mp4(path)
    before = packets(path)
    stamp(path, OTHER)
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", 16, b"free") + bytes(8))
    stamp(path, RECORD)
    assert record_of(path).node_id == "render"  # type: ignore[union-attr]
    assert packets(path) == before


def test_the_record_names_the_models_that_were_lent_to_the_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_safetensors(tmp_path / "tiny.safetensors")
    (tmp_path / "tiny.json").write_text('{"family": "esrgan"}')
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path))
    take_used()
    task = discover("tests.tasks_for_tests").get("test_make_file")
    order = {"job_id": "j", "node_id": "make", "seed": 5, "provenance": {"plan_digest": RECORD.plan_digest},
             "parents": [{"name": "a.png", "kind": "image", "sha256": "00"}]}  # fmt: skip
    told = replace(task, models=lambda: {"named": "ab"})
    params = task.params()
    assert record_now(told, params, order).models == {"named": "ab"}
    with resident("tiny:x", object, size_gib=0.001, device="cpu"):
        pass
    found = record_now(told, params, order)
    assert found.models == {"tiny": sha256_of_file(tmp_path / "tiny.safetensors")}
    assert (found.seed, found.parents[0].name, found.params["format"]) == (5, "a.png", "png")
    take_used()


def test_photo_tools_see_the_packet(tmp_path: Path) -> None:
    from PIL import Image

    for suffix, make in (("png", make_png), ("jpg", make_jpeg)):
        path = tmp_path / f"made.{suffix}"
        make(path)
        stamp(path, RECORD)
        with Image.open(path) as image:
            xmp = image.info["XML:com.adobe.xmp"] if suffix == "png" else image.info["xmp"]
        root = ElementTree.fromstring(xmp)
        record = next(each.text for each in root.iter("{urn:reelgraph:provenance}record"))
        assert parse(record or "") == record_of(path)


def test_the_longest_record_fits_every_format(tmp_path: Path) -> None:
    """Long params leave their digest, parents beyond the first ones their number."""
    long = RECORD.model_copy(update={
        "params": {"text": "x" * MAX_PARAMS_BYTES},
        "parents": tuple(Parent(name="日" * 200, kind="image", sha256="0" * 64) for _ in range(MAX_PARENTS + 5)),
    })  # fmt: skip
    assert len(long.text()) <= MAX_TEXT_BYTES
    many = long.model_copy(update={"parents": tuple(Parent(name=f"{n}.png") for n in range(MAX_PARENTS + 5))})
    for suffix, made in FORMATS.items():
        path = tmp_path / f"made.{suffix}"
        made.make(path)
        assert stamp(path, many)
        found = record_of(path)
        assert found is not None
        assert (found.params, len(found.parents), found.parents_left_out) == ({}, MAX_PARENTS, 5)
        assert found.params_sha256 == parse(many.text()).params_sha256  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"plan_digest": 5}', "[" * 5000, '{"plan_digest": "' + "x" * 999 + '"}']
)
def test_what_is_no_record_is_none(text: str) -> None:
    assert parse(text) is None


def test_a_riff_written_to_a_pipe_is_left_alone(tmp_path: Path) -> None:
    make_wav(tmp_path / "a.wav")
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(data)
    assert not stamp(tmp_path / "a.wav", RECORD)
    assert (tmp_path / "a.wav").read_bytes() == data


@pytest.mark.parametrize("start", ["<svg/>", '<svg xmlns="http://www.w3.org/2000/svg"></svg>', "\ufeff<svg><g/></svg>",
                                   '<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:g/></s:svg>'])  # fmt: skip
def test_odd_drawings_keep_every_byte(start: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.svg"
    path.write_text(start, encoding="utf-8")
    if not stamp(path, RECORD):
        assert path.read_text(encoding="utf-8") == start
        return
    text = path.read_text(encoding="utf-8")
    begin, end = text.index("<metadata"), text.index("</metadata>") + len("</metadata>")
    assert text[:begin] + text[end:] == start
    ElementTree.parse(io.BytesIO(path.read_bytes()))


def context(folder: Path) -> TaskContext:
    workdir = folder / "work"
    workdir.mkdir()
    return TaskContext(
        job_id="j", node_id="render", attempt=1, workdir=workdir, emit=lambda event: None, record=lambda: RECORD
    )
