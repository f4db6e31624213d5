"""The mirror of the bucket `models`: what arrives, what is left out, and what a damaged or stopped download leaves."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model_files import SD15, SDXL, diffusers_folder, pickled, weights_file
from worker.models import digest
from worker.models.catalogue import catalogue
from worker.models.mirror import INCOMING, ModelObject, mirror


class MemoryBucket:
    """A bucket in memory, as `ModelBucket` shows one."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.told: dict[str, str] = {}
        self.cut: dict[str, int] = {}
        self.etags: dict[str, str] = {}
        self.fetched: list[str] = []

    def take(self, source: Path, prefix: str = "") -> None:
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            if path.is_file():
                name = path.name if source.is_file() else path.relative_to(source).as_posix()
                self.objects[prefix + name] = path.read_bytes()

    def listed(self) -> Iterator[ModelObject]:
        for name, data in self.objects.items():
            yield ModelObject(name, len(data), self.etags.get(name) or hashlib.md5(data).hexdigest())

    def sha256_of(self, name: str) -> str | None:
        return self.told.get(name)

    def chunks(self, name: str) -> Iterator[bytes]:
        self.fetched.append(name)
        data = self.objects[name]
        for at in range(0, len(data), 100):
            if name in self.cut and at >= self.cut[name]:
                raise ConnectionError("cut")
            yield data[at : at + 100]


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REELGRAPH_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.part*")] + [path.name for path in folder.rglob(".part*")]


def test_models_arrive_whole_and_a_second_round_fetches_nothing(
    bucket: MemoryBucket, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.take(diffusers_folder(tmp_path / "made" / "base"), "base/")
    bucket.take(weights_file(tmp_path / "made" / "xl.safetensors", SDXL))
    done = mirror(bucket, folder)
    assert sorted(done.fetched) == sorted(bucket.objects)
    assert done.refused == {}
    assert [(one.id, one.family) for one in catalogue()] == [("base", "sd15"), ("xl", "sdxl")]
    for name, data in bucket.objects.items():
        assert (folder / name).read_bytes() == data
    bucket.fetched.clear()
    assert mirror(bucket, folder).fetched == []
    assert (bucket.fetched, hidden(folder)) == ([], [])
    monkeypatch.setattr(digest, "_known", {})  # the digest taken on the way is kept beside the file
    assert (
        digest.known_digest(folder / "xl.safetensors") == hashlib.sha256(bucket.objects["xl.safetensors"]).hexdigest()
    )


def test_an_empty_bucket_makes_no_folder(bucket: MemoryBucket, folder: Path) -> None:
    assert mirror(bucket, folder).fetched == []
    assert not folder.exists()


def test_a_file_of_the_user_is_never_overwritten(bucket: MemoryBucket, folder: Path, tmp_path: Path) -> None:
    own = weights_file(folder / "a.safetensors", SD15)
    content = own.read_bytes()
    bucket.take(weights_file(tmp_path / "made" / "a.safetensors", SDXL))
    assert mirror(bucket, folder).fetched == []
    assert own.read_bytes() == content


def test_an_object_that_changed_replaces_what_was_fetched_before(
    bucket: MemoryBucket, folder: Path, tmp_path: Path
) -> None:
    bucket.take(weights_file(tmp_path / "a.safetensors", SD15))
    mirror(bucket, folder)
    bucket.take(weights_file(tmp_path / "a.safetensors", SD15, fill=1.0))  # of the same size
    assert mirror(bucket, folder).fetched == ["a.safetensors"]
    assert (folder / "a.safetensors").read_bytes() == bucket.objects["a.safetensors"]
    assert catalogue()[0].sha256 == hashlib.sha256(bucket.objects["a.safetensors"]).hexdigest()


def test_a_download_that_breaks_shows_nothing_and_goes_on_in_the_next_round(
    bucket: MemoryBucket, folder: Path, tmp_path: Path
) -> None:
    bucket.take(diffusers_folder(tmp_path / "base"), "base/")
    last = max(bucket.objects)
    bucket.cut[last] = 0
    with pytest.raises(ConnectionError):
        mirror(bucket, folder)
    assert catalogue() == ()
    assert not (folder / "base").exists()
    bucket.cut.clear()
    bucket.fetched.clear()
    assert len(mirror(bucket, folder).fetched) == len(bucket.objects)
    assert bucket.fetched == [last]  # the others had arrived
    assert [one.id for one in catalogue()] == ["base"]
    assert (hidden(folder), list((folder / INCOMING).glob("base"))) == ([], [])


@pytest.mark.parametrize("lie", ["sha256", "etag", "size"])
def test_an_object_that_is_not_what_was_said_of_it_never_appears(
    bucket: MemoryBucket, folder: Path, tmp_path: Path, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.take(weights_file(tmp_path / "a.safetensors", SD15))
    match lie:
        case "sha256":
            bucket.told["a.safetensors"] = "0" * 64
        case "etag":
            bucket.etags["a.safetensors"] = "0" * 32
        case _:
            real = bucket.objects["a.safetensors"]
            monkeypatch.setattr(bucket, "chunks", lambda name: iter([real, b"more"]))
    done = mirror(bucket, folder)
    assert (done.fetched, list(done.refused)) == ([], ["a.safetensors"])
    assert catalogue() == ()
    assert hidden(folder) == []


def test_a_right_sha256_and_an_etag_in_parts_are_taken(bucket: MemoryBucket, folder: Path, tmp_path: Path) -> None:
    bucket.take(weights_file(tmp_path / "a.safetensors", SD15))
    bucket.told["a.safetensors"] = hashlib.sha256(bucket.objects["a.safetensors"]).hexdigest()
    bucket.etags["a.safetensors"] = "0" * 32 + "-7"  # of an upload in parts: no digest of the content
    assert mirror(bucket, folder).fetched == ["a.safetensors"]


def test_hostile_objects_are_left_out_and_the_others_arrive(bucket: MemoryBucket, folder: Path, tmp_path: Path) -> None:
    bucket.take(weights_file(tmp_path / "good.safetensors", SD15))
    good = bucket.objects["good.safetensors"]
    hostile = [
        "../out.safetensors", "/etc/x.safetensors", "a/../../x.safetensors", ".hidden.safetensors", "a/.b/x.json",
        "a//b.json", "a/b/c/d/e.json", "x y.safetensors", "a\\b.safetensors", "a/run.py", "a/x.so", "a/w.bin", "w.ckpt",
        "x" * 200 + ".safetensors",
    ]  # fmt: skip
    for name in hostile:
        bucket.objects[name] = good
    bucket.objects["pickled.safetensors"] = pickled(tmp_path / "ran")
    bucket.objects["pickled/notes.txt"] = pickled(tmp_path / "ran")
    bucket.objects["cut.safetensors"] = good[:-1]
    done = mirror(bucket, folder)
    assert done.fetched == ["good.safetensors"]
    assert set(done.refused) == {*hostile, "pickled.safetensors", "pickled", "cut.safetensors"}
    assert sorted(path.name for path in tmp_path.rglob("*.safetensors")) == ["good.safetensors", "good.safetensors"]
    assert not (tmp_path / "ran").exists()


def test_a_link_in_the_folder_is_not_followed(bucket: MemoryBucket, folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (folder / "base").symlink_to(tmp_path / "outside")
    bucket.take(diffusers_folder(tmp_path / "made"), "base/")
    done = mirror(bucket, folder)
    assert (done.fetched, list(done.refused)) == ([], ["base"])
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_name_that_is_a_file_and_a_folder_stops_no_other_model(
    bucket: MemoryBucket, folder: Path, tmp_path: Path
) -> None:
    bucket.take(weights_file(tmp_path / "good.safetensors", SD15))
    bucket.objects["a"] = bucket.objects["a/b.json"] = b"{}"
    done = mirror(bucket, folder)
    assert (done.fetched, list(done.refused)) == (["good.safetensors"], ["a"])


def test_a_second_mirror_of_the_same_folder_does_nothing(bucket: MemoryBucket, folder: Path, tmp_path: Path) -> None:
    bucket.take(weights_file(tmp_path / "a.safetensors", SD15))
    folder.mkdir()
    with open(folder / ".mirror.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert mirror(bucket, folder).fetched == []
    assert mirror(bucket, folder).fetched == ["a.safetensors"]


def test_a_damaged_record_of_what_was_fetched_costs_nothing_of_the_user(
    bucket: MemoryBucket, folder: Path, tmp_path: Path
) -> None:
    bucket.take(weights_file(tmp_path / "a.safetensors", SD15))
    mirror(bucket, folder)
    (folder / ".mirror.json").write_text(json.dumps([1]))
    bucket.take(weights_file(tmp_path / "a.safetensors", SD15, fill=1.0))
    before = (folder / "a.safetensors").read_bytes()
    assert mirror(bucket, folder).fetched == []  # it counts as the user's own
    assert (folder / "a.safetensors").read_bytes() == before


def test_a_full_disk_leaves_a_model_out(
    bucket: MemoryBucket, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil
    from collections import namedtuple

    bucket.take(weights_file(tmp_path / "a.safetensors", SD15))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 2**20))
    assert list(mirror(bucket, folder).refused) == ["a.safetensors"]
