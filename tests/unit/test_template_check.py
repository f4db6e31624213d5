"""What is wrong with a template file, told as an author wants it: all of it, with line, reason and fix."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, create_model

import schemas.template
from compose.template_process import check_apart
from graphs.template_check import CheckedFile, check_file, with_clashes
from graphs.template_registry import BUILT_IN, load_templates, template_files
from graphs.template_trial import NoSample, fixed_tasks, sample_params
from planner.validator import validate
from schemas.builder import PlanBuilder
from schemas.capability import Manifest
from schemas.diagnostics import Severity
from schemas.errors import UnsatisfiableGoal
from schemas.template import TemplateParams

HEAD = """from pydantic import Field
from schemas.builder import PlanBuilder
from schemas.template import TemplateParams, template

class Params(TemplateParams):
    topic: str = Field(min_length=1)

"""
DECORATED = HEAD + '@template("mine_v1", description="Mine.", makes=["audio"])\n'
GOOD = (
    DECORATED
    + """def build(params: Params, b: PlanBuilder) -> None:
    script = b.add("script", "script.generateScript", inputs={"topic": b.request("topic", params.topic)})
    b.add("speech", "synthesize_speech", inputs={"script": script["script"]})
"""
)


def check(tmp_path: Path, source: str, *, manifest: Manifest | None = None) -> CheckedFile:
    file = tmp_path / "mine.py"
    file.write_text(source)
    return check_file(
        file, manifest=manifest or fixed_tasks(), validate=lambda plan, known: validate(plan, manifest=known)
    )


def told(checked: CheckedFile) -> str:
    return "\n".join(f"{one.line}: {one.reason} / {one.hint}" for one in checked.mistakes)


def test_a_good_file_is_named_and_nothing_is_wrong_with_it(tmp_path: Path) -> None:
    checked = check(tmp_path, GOOD)
    assert (checked.name, checked.line, checked.mistakes, checked.good) == ("mine_v1", 8, (), True)


def test_our_own_templates_are_good() -> None:
    files = [check_apart(path, manifest=fixed_tasks()) for path in template_files(BUILT_IN)]
    assert len(files) >= 2
    assert all(one.good for one in files), [told(one) for one in files]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def (:\n", "1: SyntaxError"),
        ("x = 1\nimport no_such_module\n", "2: ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)\n", "1: SystemExit: 3"),
        ("x = 1\n", "1: mine.py declares 0 templates: declare exactly one"),
        (GOOD + GOOD.partition("\n\n")[2].replace("mine_v1", "two_v1").replace("build", "two"), "declares 2 templates"),
        (
            HEAD + '@template("mine_v1", makse=["audio"])\ndef build(params, b): ...\n',
            "8: @template: missing a required",
        ),
        (GOOD.replace('["audio"]', '"audio"'), "8: makes is a list: write makes=['audio']"),
        (GOOD.replace('"audio"', '"video"'), "8: it says that it makes 'video', and no node of it yields"),
        (GOOD.replace('script["script"]', 'script["scrpt"]'), "11: 'script' yields no 'scrpt'"),
        (GOOD.replace('"speech", "synth', '"no id", "synth'), "11: built with the params"),
        (GOOD.replace("generateScript", "generateScrpt"), "did you mean 'script.generateScript'?"),
        (
            GOOD.replace("synthesize_speech", "my_task"),
            "11: there is no task 'my_task' / a task of yours is known once",
        ),
        (DECORATED + "def build(params: Params, b: PlanBuilder) -> None: ...\n", "that it builds with the params"),
        (DECORATED + "def build(params: Params, b: PlanBuilder) -> None:\n    {}[params.topic]\n", "10: built with"),
        (GOOD.replace("min_length=1", 'pattern="^[A-Z]{3}$"'), "6: no sample for the param 'topic'"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_reason(source: str, says: str, tmp_path: Path) -> None:
    checked = check(tmp_path, source)
    assert not checked.good
    assert says in told(checked)


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    wrong = GOOD.replace("mine_v1", "My Video").replace("Mine.", " ").replace('["audio"]', '["hologram", "audio"]')
    checked = check(tmp_path, wrong.replace('"topic": b', '"topc": b').replace('"speech", "s', '"speech", "my_s'))
    says = told(checked)
    for part in ("'My Video' must be snake_case", "needs a description", "hologram", "11: there is no task 'my_"):
        assert part in says
    signature = check(tmp_path, wrong.replace("b: PlanBuilder", "builder: PlanBuilder"))
    assert "(params: MyParams, b: PlanBuilder)" in told(signature)
    assert len(signature.mistakes) == 4


def test_every_problem_of_a_plan_is_told_at_the_line_of_its_node(tmp_path: Path) -> None:
    checked = check(tmp_path, GOOD.replace('"topic": b', '"topc": b').replace('{"script": s', '{"text": s'))
    assert [one.line for one in checked.mistakes] == [10, 10, 11, 11]
    assert "did you mean 'topic'?" in told(checked)


def test_what_only_the_least_that_can_be_asked_lacks_is_a_warning(tmp_path: Path) -> None:
    checked = check(tmp_path, GOOD.replace("str = Field(min_length=1)", 'str = ""'))
    assert checked.good
    assert [one.severity for one in checked.mistakes] == [Severity.WARNING]
    assert "'script' (script.generateScript) needs its input 'topic'" in told(checked)


def test_the_manifest_decides_what_there_is(tmp_path: Path) -> None:
    own = Manifest.model_validate(
        {"python": {"say": {"inputs": {"text": {"type": "string"}}, "outputs": {"audio": {"type": "object"}}}}}
    )
    source = DECORATED + (
        "def build(params: Params, b: PlanBuilder) -> None:\n"
        '    b.add("say", "say", inputs={"text": b.request("topic", params.topic)})\n'
    )
    assert check(tmp_path, source, manifest=own).mistakes == ()
    off = Manifest.model_validate({"python": {"say": {"enabled": False, "reason": "no voice"}}})
    assert "10: say is disabled: no voice" in told(check(tmp_path, source, manifest=off))


def test_a_check_leaves_the_decorator_as_it_was(tmp_path: Path) -> None:
    before = schemas.template.template
    check(tmp_path, "raise RuntimeError\n")
    assert schemas.template.template is before


def test_the_same_name_twice_is_told_at_the_second_file_and_never_for_ours(tmp_path: Path) -> None:
    first = check(tmp_path, GOOD)
    again = first.model_copy(update={"path": tmp_path / "again.py"})
    _, second, third = with_clashes(
        [first, again, again.model_copy(update={"name": "generate_v1"})], taken=["generate_v1"]
    )
    assert "8: the name 'mine_v1' is taken by mine.py" in told(second)
    assert "the name 'generate_v1' is taken by one of the built-in templates" in told(third)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import os\nos._exit(3)\n", "it ends the process that loads it, with code 3"),
        ("while True: pass\n", "it is not loaded and built after 1 s"),
        ("print('{}')\n" + GOOD, ""),
    ],
)
def test_a_file_cannot_harm_the_one_who_checks_it(source: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(source)
    checked = check_apart(file, manifest=fixed_tasks(), time_limit_s=1 if "while" in source else 20)
    assert says in told(checked)
    assert checked.good is (says == "")


def test_a_template_that_raises_when_it_is_built_is_refused_at_start_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    bad = GOOD.replace("mine_v1", "bad_v1").replace("params.topic", "params.topik")
    (tmp_path / "raises.py").write_text(bad)
    (tmp_path / "lacks.py").write_text(GOOD.replace("mine_v1", "lacks_v1").replace("synthesize_speech", "my_task"))
    listed = load_templates(tmp_path).listed()
    assert {"mine_v1", "lacks_v1"} <= {one["name"] for one in listed["items"]}, "a worker may come later"
    (refused,) = listed["refused"]
    assert (refused["file"], refused["line"]) == ("raises.py", 10)
    assert "AttributeError" in refused["reason"]


def test_a_template_that_raises_for_what_it_is_given_refuses_that_plan_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "sly.py").write_text(
        GOOD.replace("    script = b", '    {"a sample": 1}[params.topic]\n    script = b')
    )
    found = load_templates(tmp_path)
    assert found.refused == ()
    sly = found.by_name["mine_v1"]
    with pytest.raises(UnsatisfiableGoal, match=r"'mine_v1' raises KeyError: 'bees' \(sly.py:10\)"):
        sly.build(sly.params.model_validate({"topic": "bees"}), PlanBuilder("mine_v1", manifest=fixed_tasks()))


def test_examples_of_a_field_are_its_samples() -> None:
    class Params(TemplateParams):
        code: str = Field(pattern="^[A-Z]{3}$", examples=["ABC"])
        images: tuple[str, ...] = ()
        loud: bool = False

    smallest, fullest = sample_params(Params)
    assert smallest.model_dump(exclude_unset=True) == {"code": "ABC"}
    assert fullest.model_dump() == {"code": "ABC", "images": ("s3://uploads/sample/picture.png",), "loud": True}


def test_a_field_without_a_sample_is_named() -> None:
    class Params(TemplateParams):
        code: str = Field(pattern="^[A-Z]{3}$")

    with pytest.raises(NoSample) as error:
        sample_params(Params)
    assert set(error.value.fields) == {"code"}


_NUMBER = st.integers(-50, 50)


@settings(max_examples=60, deadline=None)
@given(low=_NUMBER, width=st.integers(2, 60), open_=st.booleans(), kind=st.sampled_from([int, float]), least=_NUMBER)
def test_samples_keep_every_bound(low: int, width: int, open_: bool, kind: type, least: int) -> None:
    bounds = {"gt": low, "lt": low + width} if open_ else {"ge": low, "le": low + width}
    text = Field(min_length=max(0, least), max_length=max(0, least) + 3)
    params = create_model(
        "Params",
        __base__=TemplateParams,
        number=(kind, Field(**bounds)),  # type: ignore[arg-type]
        text=(str, text),
        many=(list[kind], Field(min_length=max(0, least) % 5)),  # type: ignore[valid-type]
        maybe=(int | None, None),
    )
    assert sample_params(params)
