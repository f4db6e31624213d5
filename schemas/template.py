"""Templates: a plan written as code, with typed params. Declaring one wrongly raises and says the fix."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict

from schemas.brief import Deliverable
from schemas.builder import PlanBuilder

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,63}$")


class TemplateParams(BaseModel):
    """Params of a template: frozen, unknown fields refused.

    A field with the name of a `Brief` field is filled from the goal when the planner chooses the template.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


BuildFunction = Callable[[Any, PlanBuilder], None]


@dataclass(frozen=True)
class Template:
    """A named way to build a plan for some deliverables."""

    name: str
    description: str
    makes: frozenset[Deliverable]
    params: type[TemplateParams]
    build: BuildFunction


def template(name: str, *, description: str, makes: Iterable[str]) -> Callable[[BuildFunction], Template]:
    """Turn `build(params: MyParams, b: PlanBuilder) -> None` into a template.

    Args:
        name: `snake_case` with a version, for example `generate_v1`; becomes the plan's `workflow_id`.
        description: one sentence for people who choose.
        makes: the deliverables, see `schemas.brief.Deliverable`.

    Raises:
        ValueError: the name is malformed, the description empty or a deliverable unknown.
        TypeError: the function's signature is another one.
    """
    if not _NAME.match(name):
        raise ValueError(f"template name {name!r} must be snake_case, for example 'my_video_v1'")
    if not description.strip():
        raise ValueError(f"template {name!r} needs a description: one sentence for people who choose")
    makes = tuple(makes)
    known = [item.value for item in Deliverable]
    unknown = [item for item in makes if item not in known]
    wanted = frozenset(Deliverable(item) for item in makes if item in known)
    if unknown or not wanted:
        raise ValueError(f"template {name!r} makes {unknown or 'nothing'}: use one or more of {', '.join(known)}")

    def declare(build: BuildFunction) -> Template:
        return Template(name=name, description=description, makes=wanted, params=_params_type(name, build), build=build)

    return declare


def _params_type(name: str, build: BuildFunction) -> type[TemplateParams]:
    fix = f"write template {name!r} as def {build.__name__}(params: MyParams, b: PlanBuilder) -> None"
    names = list(inspect.signature(build).parameters)
    if names != ["params", "b"]:
        raise TypeError(f"{fix}; got ({', '.join(names)})")
    hint = get_type_hints(build).get("params")
    if not (isinstance(hint, type) and issubclass(hint, TemplateParams)):
        raise TypeError(f"{fix}; params must be annotated with a subclass of schemas.template.TemplateParams")
    return hint
