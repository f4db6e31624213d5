"""The script: what is shown (`stage`) and what is said (`narrative`). No I/O."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ScriptSource(BaseModel):
    """Where a stated fact comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sentence: str = Field(description="The sentence of the narrative that states the fact.")
    source: str = Field(description="For example `WordNet 3.0: black hole` or `user text`.")


class Script(BaseModel):
    """A spoken script. `stage` and `narrative` are the seed's fields; the others say where it came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str = Field(min_length=1, max_length=2000, description="What the viewer sees, in one or two sentences.")
    narrative: str = Field(min_length=1, max_length=20_000, description="What is spoken, plain sentences.")
    title: str = Field(default="", max_length=120)
    language: str = Field(default="en", max_length=16)
    model: str = Field(default="", max_length=120, description="The model or composer that wrote it.")
    sources: tuple[ScriptSource, ...] = ()
    note: str = Field(default="", max_length=500, description="For people: how it was made, how to get a better one.")
