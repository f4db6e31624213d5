"""What every task in `worker/tasks` must be, whatever it does: honest, typed, light to import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.capability import MEDIA_KINDS, Capability
from schemas.channels import DEFAULT_QUEUE, GPU_QUEUE
from schemas.contracts.table import contracts
from worker.registry import Task, discover

ROOT = Path(__file__).parents[2]
TASKS = [task for task in discover().tasks.values() if not task.name.startswith("test_")]


@pytest.fixture(params=TASKS, ids=lambda task: task.name)
def task(request: pytest.FixtureRequest) -> Task:
    return request.param


def test_there_are_tasks() -> None:
    assert {"render_video", "synthesize_speech", "mux_video", "train_lora", "train_voice"} <= {
        task.name for task in TASKS
    }


def test_its_manifest_entry_is_json_that_the_api_reads(task: Task) -> None:
    capability = task.capability()
    text = capability.model_dump_json(exclude_none=True)
    assert Capability.model_validate(json.loads(text)) == capability
    assert capability.description


def test_a_disabled_one_says_what_to_do_and_an_enabled_one_gives_no_reason(task: Task) -> None:
    capability = task.capability()
    assert capability.enabled is (capability.reason is None)
    if capability.reason is not None:
        assert len(capability.reason) > 20


def test_its_queue_is_served(task: Task) -> None:
    assert task.queue in {DEFAULT_QUEUE, GPU_QUEUE}


def test_every_param_has_a_default_or_is_in_the_contract(task: Task) -> None:
    schema = task.params.model_json_schema()
    contract = contracts().get(task.name)
    known = set((contract.params if contract else {}).get("properties", {}))
    assert set(schema.get("required", [])) <= known


def test_its_media_ports_have_known_kinds(task: Task) -> None:
    kinds = {port.kind_of(name) for name, port in {**task.inputs, **task.outputs}.items() if port.type == "object"}
    assert kinds <= MEDIA_KINDS | {"profile", "pipeline", "explanation", "refined_explanation", "reference"}


def test_its_time_out_and_memory_are_sane(task: Task) -> None:
    assert 5 <= task.idle_timeout_s <= 600
    assert 0 < task.resources.memory_gib <= 64


def test_importing_every_task_imports_no_heavy_package() -> None:
    code = (
        "import sys; from worker.registry import discover; discover();"
        "print([name for name in ('torch', 'av', 'cv2', 'onnxruntime', 'scipy', 'skimage') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
