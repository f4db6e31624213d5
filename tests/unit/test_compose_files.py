"""The files of real deployments and of the make: valid, without secrets, complete."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "compose" / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "docker-compose.yml").read_text())
SECRETS = ("POSTGRES_PASSWORD", "VALKEY_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY", "REELGRAPH_API_KEY")


def test_the_compose_file_obeys_the_published_schema() -> None:
    builtin = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(builtin.read_text()))


def test_every_part_of_a_real_deployment_is_there_and_checked() -> None:
    services = COMPOSE["services"]
    parts = {"api", "worker-cpu", "worker-gpu", "postgres", "valkey", "seaweedfs", "ollama", "comfyui", "traefik"}
    assert parts <= set(services)
    built_with_check = {"api", "worker-cpu", "worker-gpu"}  # in the Dockerfile
    assert all("healthcheck" in services[name] for name in parts - built_with_check)
    assert (DOCKER / "Dockerfile").read_text().count("\nHEALTHCHECK") == 2
    assert services["worker-gpu"]["profiles"] == ["gpu"]


def test_names_that_are_used_are_declared() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        assert set(service.get("networks", [])) <= set(COMPOSE["networks"]), name
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (DOCKER / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume
        if "build" in service:
            assert f"AS {service['build']['target']}" in (DOCKER / "Dockerfile").read_text()


def test_every_secret_is_required_and_none_has_a_default() -> None:
    text = (DOCKER / "docker-compose.yml").read_text()
    for name in SECRETS:
        uses = re.findall(r"\$\{" + name + r"([^}]*)\}", text)
        assert uses, name
        assert all(use.startswith(":?") for use in uses), name
        assert f"\n{name}=\n" in (DOCKER / "env.example").read_text()


def test_every_variable_of_the_compose_file_is_explained() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", (DOCKER / "docker-compose.yml").read_text()))
    assert used == set(re.findall(r"^([A-Z0-9_]+)=", (DOCKER / "env.example").read_text(), re.MULTILINE))


def test_only_the_edge_is_published_and_on_loopback_by_default() -> None:
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert set(published) == {"traefik"}
    assert all(port.startswith("${PUBLISH_ADDRESS:-127.0.0.1}") for port in published["traefik"])


def test_the_edge_routes_to_services_that_exist() -> None:
    routes = yaml.safe_load((DOCKER / "traefik" / "routes.yml").read_text())["http"]
    for router in routes["routers"].values():
        for server in routes["services"][router["service"]]["loadBalancer"]["servers"]:
            assert re.sub(r"^http://|:\d+$", "", server["url"]) in COMPOSE["services"]


@pytest.mark.parametrize("prefix", ["API", "WORKER", "SCRIPT"])
def test_the_example_of_settings_names_every_setting(prefix: str) -> None:
    from control_api.settings import ApiSettings
    from graphs.writing.providers import ScriptSettings
    from worker.settings import Timing, WorkerSettings

    classes = {"API": [ApiSettings], "WORKER": [WorkerSettings, Timing], "SCRIPT": [ScriptSettings]}[prefix]
    fields = {name for one in classes for name in one.model_fields} - {"timing"}
    expected = {f"REELGRAPH_{prefix}_{name.upper()}" for name in fields}
    named = set(re.findall(rf"^#?(REELGRAPH_{prefix}_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named == expected | ({"REELGRAPH_API_KEY"} if prefix == "API" else set())


def test_the_make_has_the_promised_targets() -> None:
    text = (ROOT / "Makefile").read_text()
    for target in ("setup", "demo", "test", "unit", "check", "tools", "test-gpu", "bench"):
        assert re.search(rf"^{target}:", text, re.MULTILINE), target
