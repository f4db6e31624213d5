"""Ports: what arrives at a task fits what it declares."""

from __future__ import annotations

from schemas.capability import fitted, port

FILES = [{"uri": "s3://uploads/u/a.png", "kind": "image"}, {"uri": "s3://uploads/u/b.png", "kind": "image"}]


def test_a_single_port_takes_the_first_file_of_a_requests_list() -> None:
    ports = {"image": port("object", "image"), "images": port("array", "image")}
    assert fitted(ports, {"image": FILES, "images": FILES}) == {"image": FILES[0], "images": FILES}


def test_what_is_no_list_of_files_stays_as_it_is() -> None:
    ports = {"value": port("object", "json")}
    for value in ([], [1, 2], {"a": 1}, "text", None):
        assert fitted(ports, {"value": value, "unknown": FILES}) == {"value": value, "unknown": FILES}
