"""What is refused before a rule is asked: documents that are no plan, references in another form."""

from __future__ import annotations

from typing import Any

import pytest

from planner.rules.references import check_inputs
from planner.validator import read_plan
from schemas.diagnostics import Code
from schemas.errors import InvalidPlan, ValidationFailed

Document = dict[str, Any]


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"nodes": [{"id": "a", "task": "noop", "plane": "gpu"}]}, "wrong_plane", "/nodes/0/plane"),
        ({"nodes": [{"id": "a", "task": "noop", "plane": "node", "parms": {}}]}, "invalid_param", "/nodes/0/parms"),
        ({"nodes": [{"id": "1 a", "task": "noop", "plane": "node"}]}, "invalid_param", "/nodes/0/id"),
        ({"nodes": [{"id": "a", "task": "noop"}]}, "invalid_param", "/nodes/0/plane"),
        ({"nodes": []}, "invalid_param", "/nodes"),
        (
            {"nodes": [{"id": f"n{i}", "task": "noop", "plane": "node"} for i in range(257)]},
            "constraint_violated",
            "/nodes",
        ),
        ({"colour": "red"}, "invalid_param", "/colour"),
    ],
)
def test_a_document_that_is_no_plan_is_refused_with_places(change: Document, code: str, path: str) -> None:
    document = {"workflow_id": "w", "nodes": [{"id": "a", "task": "noop", "plane": "node"}], **change}
    with pytest.raises(InvalidPlan) as refused:
        read_plan(document)
    (problem,) = refused.value.body.diagnostics or []
    assert (problem.code.value, problem.path) == (code, path)


def test_a_number_that_json_cannot_carry_is_refused() -> None:
    with pytest.raises(ValidationFailed, match="finite"):
        read_plan({"workflow_id": "w", "context": {"x": float("nan")}, "nodes": []})


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"images": ["s3://uploads/u1/a.png", "s3://uploads/u1/b.JPG", "a1b2c3d4-0000"]}, None),
        ({"images": "s3://uploads/u1/noextension", "svg": "s3://uploads/u1/a.svg", "audio": []}, None),
        ({"topic": "see https://example.com", "count": 3, "title": "../x"}, None),
        ({"images": ["s3://uploads/u1/a.wav"]}, "type_mismatch"),
        ({"audio": ["s3://uploads/u1/a.txt"]}, "type_mismatch"),
        ({"images": [7]}, "type_mismatch"),
        ({"images": ["s3://models/u1/a.png"]}, "unsafe_input"),
        ({"images": ["s3://uploads/../models/a.png"]}, "unsafe_input"),
        ({"images": ["s3://uploads/a.png"]}, "unsafe_input"),
        ({"images": ["http://169.254.169.254/a.png"]}, "unsafe_input"),
        ({"images": ["file:/etc/passwd"]}, "unsafe_input"),
        ({"images": ["a b.png"]}, "unsafe_input"),
        ({"svg": "<svg onload=x>"}, "unsafe_input"),
        ({"data": {"deep": ["//evil.example/x"]}}, "unsafe_input"),
        ({"data": "/etc/passwd"}, "unsafe_input"),
        ({"data": "C:\\secret.txt"}, "unsafe_input"),
        ({"data": "~/.ssh/id_rsa"}, "unsafe_input"),
        ({"data": "concat:a|b"}, "unsafe_input"),
    ],
)
def test_references_have_one_form(inputs: Document, code: str | None) -> None:
    assert [item.code.value for item in check_inputs(inputs)] == ([code] if code else [])


def test_inputs_nested_too_deeply_are_refused() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    assert [item.code for item in check_inputs({"deep": deep})] == [Code.INVALID_PARAM]
