"""What a script writer is asked for and what it hands back; it knows no model and no facts."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from schemas.script import ScriptSource

SPEAKING_RATE_WPS = 2.8
"""Words a second of a script. Source: 3.1 measured for Piper `joe` over plain texts, pauses included
(`worker.speech.synthesize.speaking_rate_wps()`), less a tenth for the longer words of an encyclopedia; the speech
task makes up the rest by a tempo of 0.8 to 1.25."""

CLOSING_PAUSE_S = 1.2
"""Seconds left silent after the last word, so that the picture does not end on a syllable."""

CONFIGURE_HINT = (
    "For a better script set REELGRAPH_SCRIPT_MODEL, for example ollama:llama3.1, openai:MODEL or anthropic:MODEL."
)


class Style(StrEnum):
    """The manners of speaking that the composer knows."""

    FRIENDLY = "friendly"
    HUMOROUS = "humorous"
    SERIOUS = "serious"
    DRAMATIC = "dramatic"
    CALM = "calm"
    KIDS = "kids"


_STYLE_WORDS = {
    Style.KIDS: r"kids?|child(ren)?|toddlers?|(i'?m|i am|a) five|five[- ]year|eli5|school",
    Style.HUMOROUS: r"humou?r\w*|funny|fun|jok\w+|comed\w+|comic\w*|playful\w*|witty|silly|quirky|light-?hearted",
    Style.DRAMATIC: r"dramatic\w*|epic|cinematic|thrill\w+|suspense\w*|trailer|heroic|intense",
    Style.CALM: r"calm\w*|relax\w*|sooth\w*|meditat\w*|gentle|sleepy|bedtime|peaceful|quiet",
    Style.SERIOUS: r"serious|formal|documentary|professional|academic|news|corporate|business|sober|neutral",
}


def read_style(*texts: str | None) -> Style:
    """Return the manner that the first text naming one asks for, else friendly."""
    for text in texts:
        for style, pattern in _STYLE_WORDS.items():
            if text and re.search(rf"\b({pattern})\b", text, re.IGNORECASE):
                return style
    return Style.FRIENDLY


def words_for(duration_s: float) -> int:
    """Return how many spoken words fill `duration_s` seconds of video at the voice's rate; at least three."""
    pause_s = min(CLOSING_PAUSE_S, duration_s * 0.2)
    return max(3, round((duration_s - pause_s) * SPEAKING_RATE_WPS))


class Brief(BaseModel):
    """One wish for a script. Every string in it is the user's data, never an instruction to us."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: str = Field(min_length=1, max_length=4000)
    goal: str = Field(default="", max_length=4000, description="The whole goal; it may hold the user's own facts.")
    notes: str = Field(default="", max_length=20_000, description="Text of the user to draw facts from, used first.")
    style: Style = Style.FRIENDLY
    manner: str = Field(default="", max_length=4000, description="Style and tone in the user's own words.")
    language: str = "en"
    duration_s: float = Field(default=20.0, ge=1, le=600)

    @property
    def target_words(self) -> int:
        """How many words the narrative should have."""
        return words_for(self.duration_s)

    @property
    def is_english(self) -> bool:
        return self.language.lower().split("-")[0] in ("", "en", "eng", "english")


class Draft(BaseModel):
    """A written script before it is checked against the product's schema."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    stage: str
    narrative: str
    model: str
    language: str = "en"
    sources: tuple[ScriptSource, ...] = ()
    note: str = ""


class ScriptWriter(Protocol):
    """Anything that writes a script: the embedded model or a chat model behind a provider."""

    async def write(self, brief: Brief) -> Draft:
        """Return a draft that fits the brief.

        Raises:
            NodeError: `llm_failed` after the repair rounds of a configured provider, or when it cannot be reached.
        """
        ...
