"""What is worth showing in letters: figures with their unit, and the key phrase of a sentence. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from worker.speech.timing import Word
from worker.storyboard.lexicon import tokens_of

_FIGURE = re.compile(r"^[$€£]?\d[\d,.]*(?:%|°C|°F|°|k|km|kg|m|s)?$")
_UNITS_TEXT = """
percent % degrees years year million billion trillion thousand hundred kilometers kilometres meters metres miles
hours minutes seconds days weeks months dollars euros pounds people times kilograms tons tonnes liters litres
light-years volts watts calories grams bc ad bce ce km kg celsius fahrenheit centuries decades
"""
_UNITS = frozenset(_UNITS_TEXT.split())
_COMMON_TEXT = """
a an the and or but so if then than that this these those there here it its it's is are was were be been being
am do does did done have has had having will would can could should may might must of in on at to for from by
with without into onto over under between through about as up down out off not no nor only just even still also
very really too more most much many few less least some any all each every both either neither one two three i
you he she we they me him her us them my your his our their who whom whose which what when where why how because
while until unless although though however meanwhile finally first next later again once ever never always often
sometimes usually today now ago soon get gets got make makes made take takes took go goes went come comes came
keep keeps kept let lets say says said see sees saw know knows knew think thinks thought want wants give gives
gave find finds found use uses used work works worked look looks call called calls become becomes became turn
turns turned put puts run runs ran start starts started end ends ended like well good better best bad big small
little new old own same other another such quite rather almost nearly thing things way ways lot lots kind sort
simply actually basically remember imagine means meaning around against during before after above below across
toward towards along away back don't doesn't didn't can't won't isn't aren't belong belongs slow fast normal real ready
that's there's you're we're they're
i'm let's
"""
_COMMON = frozenset(_COMMON_TEXT.split())
LONGEST_LETTERS = 26


def callout(group: Sequence[Word]) -> tuple[str, float] | None:
    """Return `(text, start_s)` of the first figure said, with its unit, or None.

    A lone small number ("2") is no figure worth showing; a year, an amount or a number with a unit is.
    """
    for at, word in enumerate(group):
        bare = word.text.strip(".,;:!?()\"'")
        if not _FIGURE.match(bare):
            continue
        text, ends_here = bare, word.text[-1] in ".,;:!?"
        for following in group[at + 1 : at + 3]:
            unit = following.text.strip(".,;:!?()\"'")
            if ends_here or unit.lower() not in _UNITS:
                break
            text, ends_here = f"{text} {unit}", following.text[-1] in ".,;:!?"
        if " " in text or len(bare) >= 3 or not bare.isdigit():
            return text, word.start_s
    return None


def key_phrase(group: Sequence[Word], *, title: str = "") -> tuple[str, float] | None:
    """Return `(text, start_s)` of the one to three neighbouring words that say most, or None.

    Long words and words of the title weigh most; common words end a phrase.
    """
    known = set(tokens_of(title))
    best: tuple[float, str, float] | None = None
    for at in range(len(group)):
        for length in (1, 2, 3):
            run = group[at : at + length]
            tokens = [token for word in run for token in tokens_of(word.text)]
            if len(run) < length or not tokens or any(token in _COMMON or token.isdigit() for token in tokens):
                break
            text = " ".join(word.text for word in run).strip(".,;:!?()\"'“”—-")
            score = sum(min(len(token), 9) + (4 if token in known else 0) for token in tokens) / (1 + 0.45 * length)
            if len(text) <= LONGEST_LETTERS and (best is None or score > best[0]):
                best = (score, text, run[0].start_s)
            if re.search(r"[.,;:!?]$", run[-1].text):
                break
    return (best[1][0].upper() + best[1][1:], best[2]) if best else None
