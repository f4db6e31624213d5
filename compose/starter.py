"""What `reelgraph templates new` writes: the smallest template that does something one can hear. Pure."""

_TEMPLATE = '''"""`{name}`: what this template makes, in one sentence."""

from pydantic import Field

from schemas.builder import PlanBuilder
from schemas.template import TemplateParams, template


class Params(TemplateParams):
    """What can be asked for. Bounds and defaults become the form; `topic` is filled from a goal."""

    topic: str = Field(min_length=1, max_length=400, description="What it is about.")
    duration_seconds: float = Field(default=10, ge=1, le=120, description="How long it should be.")


@template("{name}", description="Write a script about a topic and speak it.", makes=["audio"])
def build(params: Params, b: PlanBuilder) -> None:
    """Script, speech, registration: edges follow from the bindings."""
    script = b.add(
        "script",
        "script.generateScript",
        inputs={{"topic": b.request("topic", params.topic)}},
        wishes={{"duration_seconds": params.duration_seconds}},
    )
    speech = b.add("speech", "synthesize_speech", inputs={{"script": script["script"]}}, weight=4)
    b.add("register", "artifacts.registerOutputs", offers={{"audio": speech["audio"]}})
'''


def starter_template(name: str) -> str:
    """Return the file for a template of this name."""
    return _TEMPLATE.format(name=name)
