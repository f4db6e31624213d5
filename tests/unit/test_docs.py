"""The documents keep up with the code: settings, tasks, nodes, templates, commands and routes are named; links resolve."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from graphs.registry import NodeRegistry
from graphs.writing.providers import ScriptSettings
from worker.settings import Timing, WorkerSettings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
FEWEST_PAGES = 14
LIBRARIES = frozenset({"onnx", "onnxruntime"})


def text(*names: str) -> str:
    return "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names)


def variables(settings: type[BaseSettings]) -> list[str]:
    prefix = settings.model_config.get("env_prefix", "")
    return [f"{prefix}{name.upper()}" for name in settings.model_fields if name != "timing"]


def named(word: str, page: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(word)}(?![\w])", page) is not None


def api_settings() -> type[BaseSettings]:
    from control_api.settings import ApiSettings

    return ApiSettings


@pytest.mark.parametrize("page", [".env.example", "docs/settings.md"])
def test_every_setting_is_documented(page: str) -> None:
    known = [name for one in (api_settings(), WorkerSettings, Timing, ScriptSettings) for name in variables(one)]
    assert len(known) > 40
    assert [name for name in known if not named(name, text(page))] == []


def test_every_setting_has_a_description() -> None:
    classes = (api_settings(), WorkerSettings, Timing, ScriptSettings)
    fields = [(one.__name__, name, field) for one in classes for name, field in one.model_fields.items()]
    missing = [f"{owner}.{name}" for owner, name, field in fields if not field.description]
    assert [name for name in missing if not name.endswith((".timing", "_key"))] == []


def test_every_variable_of_the_documents_is_read_somewhere() -> None:
    """A renamed setting must not live on in the documents."""
    code = "\n".join(path.read_text(encoding="utf-8") for folder in ("graphs", "worker", "compose", "schemas")
                     for path in (ROOT / folder).rglob("*.py"))  # fmt: skip
    known = {name for one in (api_settings(), WorkerSettings, Timing, ScriptSettings) for name in variables(one)}
    said = set(re.findall(r"REELGRAPH_[A-Z0-9_]*[A-Z0-9]", text(".env.example", "docs/settings.md", "README.md")))
    assert sorted(name for name in said - known if name not in code and f"{name}_" not in code) == []


def test_every_task_is_documented() -> None:
    from worker.registry import discover

    page = text("docs/extending.md")
    ours = [name for name, task in discover().tasks.items() if _is_ours(task.function, "worker.tasks")]
    assert ours
    assert [name for name in ours if not named(name, page)] == []


def test_every_control_node_is_documented() -> None:
    from graphs.registry import discover

    registry: NodeRegistry = discover()
    page = text("docs/extending.md")
    ours = [name for name, node in registry.nodes.items() if _is_ours(node.function, "graphs.nodes")]
    assert ours
    assert [name for name in ours if not named(name, page)] == []


def test_every_template_is_documented() -> None:
    from graphs.template_registry import load_templates

    assert [name for name in load_templates().by_name if not named(name, text("docs/extending.md"))] == []


def test_every_command_is_documented() -> None:
    from compose.cli import app

    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in text("CHANGELOG.md")] == []
    assert [name for name in names if not named(name, text("README.md", "docs/troubleshooting.md"))] == []


def test_every_make_target_that_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    said = {name for page in PAGES for name in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE)}
    assert said
    assert said <= targets


def test_every_route_is_documented() -> None:
    page = text("docs/api.md")
    routes: set[str] = set()
    for path in (ROOT / "control_api" / "routes").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        prefix = re.search(r'prefix="([^"]*)"', source)
        marks = re.findall(r'@router\.(get|post|websocket)\(\s*"([^"]*)"', source)
        routes |= {f"{method.upper()} {prefix[1] if prefix else ''}{rest}" for method, rest in marks}
    assert len(routes) > 15
    said = [route.replace("WEBSOCKET", "WS") for route in routes]
    assert sorted(route for route in said if f"{route}`" not in page) == []


def test_there_are_pages() -> None:
    assert len(PAGES) >= FEWEST_PAGES
    assert len(list((ROOT / "docs" / "adr").glob("[0-9]*.md"))) >= 7


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_resolve(page: Path) -> None:
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    inside = [target for target in _LINK.findall(prose) if not re.match(r"[a-z]+:|#", target)]
    assert [target for target in inside if not (page.parent / target.partition("#")[0]).exists()] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "adr").glob("[0-9]*.md")), ids=lambda page: page.stem)
def test_a_decision_is_one_page_with_all_its_parts(page: Path) -> None:
    source = page.read_text(encoding="utf-8")
    parts = re.findall(r"^## (.+)$", source, re.MULTILINE)
    assert parts == ["Context", "Decision", "Consequences", "Alternatives", "References"]
    assert len(source.splitlines()) <= 60


def test_the_notice_names_what_is_installed_for_its_content() -> None:
    """Voices, models, facts, fonts: whatever the Makefile installs by name, and every font in the tree."""
    notice, makefile = text("NOTICE"), text("Makefile")
    packages = [name for line in re.findall(r"^(?:WITHOUT_DEPENDENCIES|\w+_PACKAGES) :?= (.+)$", makefile, re.MULTILINE)
                for name in re.findall(r"([a-z0-9-]+)==", line)]  # fmt: skip
    packages += _extra("kokoro")
    fonts = [path.name for path in (ROOT / "worker").rglob("*.[ot]tf")]
    assert packages
    assert fonts
    assert [name for name in [*packages, *fonts] if not _covered(name, notice)] == []


def _covered(name: str, notice: str) -> bool:
    """Libraries keep their own licence files; the parts of a model are named together."""
    return name in LIBRARIES or re.sub(r"-model-\d$", "-model-", name) in notice


def _extra(name: str) -> list[str]:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    return [re.split("[<>=]", wanted)[0] for wanted in project["optional-dependencies"].get(name, [])]


def _is_ours(function: object, package: str) -> bool:
    module = getattr(function, "__module__", package)
    return function is None or module.startswith(package)
