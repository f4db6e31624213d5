"""Reads durations and resolutions from text: digits, words in four languages, `mm:ss`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONES = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "couple of": 2,
    "eine": 1, "einer": 1, "einen": 1, "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "sieben": 7, "acht": 8,
    "neun": 9, "zehn": 10, "zwölf": 12, "fünfzehn": 15, "zwanzig": 20, "dreißig": 30, "dreissig": 30, "vierzig": 40,
    "fünfundvierzig": 45, "fünfzig": 50, "sechzig": 60, "neunzig": 90,
    "un": 1, "una": 1, "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "diez": 10, "quince": 15, "veinte": 20,
    "treinta": 30, "cuarenta": 40, "cincuenta": 50, "sesenta": 60, "noventa": 90,
    "une": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "dix": 10, "quinze": 15, "vingt": 20, "trente": 30,
    "quarante": 40, "cinquante": 50, "soixante": 60,
    "elf": 11, "dreizehn": 13, "vierzehn": 14, "sechzehn": 16, "siebzehn": 17, "achtzehn": 18, "neunzehn": 19,
    "fünfundzwanzig": 25, "fünfunddreißig": 35, "siebzig": 70, "achtzig": 80, "hundert": 100,
    "once": 11, "doce": 12, "trece": 13, "catorce": 14, "seis": 6, "siete": 7, "ocho": 8, "nueve": 9, "dieciséis": 16,
    "diecisiete": 17, "dieciocho": 18, "diecinueve": 19, "veinticinco": 25, "treinta y cinco": 35,
    "cuarenta y cinco": 45, "setenta": 70, "ochenta": 80, "cien": 100,
    "sept": 7, "huit": 8, "neuf": 9, "onze": 11, "douze": 12, "treize": 13, "quatorze": 14, "seize": 16,
    "dix-sept": 17, "dix-huit": 18, "dix-neuf": 19, "vingt-cinq": 25, "trente-cinq": 35, "quarante-cinq": 45,
    "soixante-dix": 70, "quatre-vingts": 80, "quatre-vingt-dix": 90,
    "dieci": 10, "venti": 20, "trenta": 30, "quaranta": 40, "cinquanta": 50, "sessanta": 60, "novanta": 90,
    "dez": 10, "vinte": 20, "trinta": 30, "quarenta": 40, "zero": 0, "null": 0,
}  # fmt: skip
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}

_HOUR = r"(?<=\d)h|(?<=\d\s)h|hrs?|hours?|stunden?|stündig\w*|horas?|heures?"
_MINUTE = r"mins?|minutes?|minuten?|minütig\w*|minutos?|minuti|(?<=\d)m|(?<=\d\s)m"
_SECOND = r"secs?|seconds?|sekunden?|sekündig\w*|segundos?|seg\.?|secondes?|secondi|(?<=\d)s|(?<=\d\s)s"
_LETTERS = {"s": 1.0, "m": 60.0, "h": 3600.0}  # as in `20 s`; never behind a word: "einem" is no minute
_NUMBER = r"\d+(?:[.,]\d+)?"
_TENS_WORD = "|".join(_TENS)
_ONES_WORD = "|".join(sorted((word.replace(" ", r"\s") for word in _ONES), key=len, reverse=True))
_WORD = rf"(?:{_TENS_WORD})(?:[\s-](?:one|two|three|four|five|six|seven|eight|nine))?|{_ONES_WORD}"
_AMOUNT = rf"(?:{_NUMBER}|{_WORD})"
_UNIT = rf"(?:{_HOUR}|{_MINUTE}|{_SECOND})"
_PART = (
    rf"(?<![\w.,:])(?:an?\s+)?(?P<n>{_AMOUNT})[\s-]*(?:(?:whole|full|entire|ganze|"
    rf"volle)\s+)?(?P<half>(?:and a half|einhalb|y media|"
    rf"et demie?)[\s-]*)?(?P<u>{_UNIT})\b"
)
_ONE_PART = re.compile(_PART, re.IGNORECASE)
_SPAN = re.compile(
    rf"(?<![\w.,:])(?:an?\s+)?{_AMOUNT}[\s-]*(?:(?:whole|full|entire|ganze|volle)\s+)?(?:(?:and a half|"
    rf"einhalb|y media|et demie?)[\s-]*)?{_UNIT}\b"
    rf"(?P<more>\s+(?:and a half|y medi[ao]|et demie?|e mezzo)\b)?(?P<rest>(?<=minute)\s+(?:{_TENS_WORD}|"
    rf"fifteen)\b(?!\s*(?:{_SECOND})\b))?(?:[\s,]*(?:and|und|y|"
    rf"et)?\s*{_AMOUNT}[\s-]*{_SECOND}\b)?(?:\s*(?:long|lang|lasting)\b)?",
    re.IGNORECASE,
)
_GLUED = re.compile(r"(?<![\w:])(?P<m>\d+)\s*m(?:in)?\s*(?P<s>\d{1,2})\s*s(?:ec)?\b", re.IGNORECASE)
_CLOCK = re.compile(
    r"(?<![\w:.])(?P<m>\d{1,2}):(?P<s>[0-5]\d)(?![\w:])(?!\s*(?:am|pm|a\.m|p\.m|uhr|o'clock))", re.IGNORECASE
)
_SHAPES = {"9:16", "10:16", "16:10", "21:09"}
_PHRASES: tuple[tuple[re.Pattern[str], float], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), seconds)
    for pattern, seconds in (
        (r"\b(?:a\s+)?quarter(?:[\s-]of)?[\s-](?:an?[\s-])?minute\b|\bviertelminut\w*|\bun cuarto de minuto\b", 15),
        (r"\b(?:a\s+)?three[\s-]quarters of a minute\b", 45),
        ((r"\b(?:one|a) and a half[\s-]minutes?\b|\bone[\s-]and[\s-]a[\s-]half[\s-]minute\b|\ba minute and a half\b"
         r"|\banderthalb(?:[\s-]minut\w*)|\b(?:un )?minuto y medio\b|\bun minuto e mezzo\b"
         r"|\bune minute et demie\b"), 90),
        (r"\bhalf[\s-]an?[\s-]hour\b|\bhalf[\s-]hour\b|\bhalbe stunde\b|\bmedia hora\b|\bdemi-heure\b", 1800),
        ((r"\bhalf[\s-](?:an?[\s-])?minute\b|\bhalbe[rn]? minute\b|\bhalbminütig\w*|\bmedio minuto\b"
         r"|\b(?:une )?demi[\s-]minute\b"), 30),
        (r"\b(?:a|per) minute(?:[\s-]long)?\b(?! (?:by|ago|later|of))|\bminute-long\b|\beinminütig\w*", 60),
        (r"\b(?:an|one) hour(?:[\s-]long)?\b|\bhour-long\b", 3600),
    )
)  # fmt: skip
_NOT_A_LENGTH = re.compile(
    r"(?:\b(?:the (?:first|last|next|past)|every|each|per|ago|within the|age of)\s*|\b(?:first|next)\s+)$",
    re.IGNORECASE,
)

_OF_THE_TOPIC = re.compile(r"[\s-]*(?:miles?|walks?|rule|run|egg|eggs|workout|war|abs)\b", re.IGNORECASE)
"""What a length belongs to that is no video: the 4-minute mile."""
MAX_S = 600.0  # what is longer is rather the topic's own: a day has 24 hours

_SIZES = re.compile(
    r"(?<![\w])(?:(?P<w>\d{3,5})\s*(?:x|×|by)\s*(?P<h>\d{3,5})|(?P<lines>\d{3,4})(?:p|\s?(?:lines|zeilen|l[íi]neas|lignes)\b)|(?P<k>[48])\s?k(?:\s*uhd)?|"
    r"(?P<full>full[\s-]?hd|fhd)|(?P<uhd>uhd|ultra[\s-]?hd)|(?P<hd>hd|high[\s-]definition))(?![\w])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Reading:
    """A value found in text, with its place."""

    value: float | str
    start: int
    end: int


def read_duration(text: str) -> Reading | None:
    """Return the length in seconds that the text asks for, or None. The first that is a length counts."""
    found = [*_clocks(text), *_phrases(text), *_spans(text)]
    found = [
        item
        for item in found
        if not _NOT_A_LENGTH.search(text[: item.start]) and not _OF_THE_TOPIC.match(text[item.end :])
    ]
    return min(found, key=lambda item: (float(item.value) > MAX_S, item.start, item.start - item.end), default=None)


def read_resolution(text: str) -> Reading | None:
    """Return the resolution that the text asks for in the spelling of `schemas/resolution.py`, or None."""
    match = _SIZES.search(text)
    if match is None:
        return None
    if match["w"]:
        spelled = f"{int(match['w'])}x{int(match['h'])}"
    elif match["lines"]:
        spelled = f"{match['lines']}p"
    elif match["k"]:
        spelled = f"{match['k']}K"
    else:
        spelled = "1080p" if match["full"] else "4K" if match["uhd"] else "720p"
    return Reading(spelled, match.start(), match.end())


def _clocks(text: str) -> list[Reading]:
    found = [Reading(60.0 * int(m["m"]) + int(m["s"]), m.start(), m.end()) for m in _GLUED.finditer(text)]
    for match in _CLOCK.finditer(text):
        before = text[max(0, match.start() - 14) : match.start()].lower()
        at_a_time = re.search(r"\b(?:at|um|a las|à|by|until)\s*$", before)
        if match[0] not in _SHAPES and not at_a_time:
            found.append(Reading(60.0 * int(match["m"]) + int(match["s"]), match.start(), match.end()))
    return found


def _phrases(text: str) -> list[Reading]:
    return [
        Reading(float(seconds), match.start(), match.end())
        for pattern, seconds in _PHRASES
        for match in pattern.finditer(text)
    ]


def _spans(text: str) -> list[Reading]:
    found: list[Reading] = []
    for match in _SPAN.finditer(text):
        seconds = 0.0
        for part in _ONE_PART.finditer(match[0]):
            size = _unit_s(part["u"])
            seconds += _amount(part["n"]) * size + (size / 2 if part["half"] else 0)
        if match["more"]:
            seconds += _unit_s(next(_ONE_PART.finditer(match[0]))["u"]) / 2
        if match["rest"]:
            seconds += _amount(match["rest"].strip())
        found.append(Reading(seconds, match.start(), match.end()))
    return found


def _amount(text: str) -> float:
    text = re.sub(r"\s+", " ", text.lower())
    if text[0].isdigit():
        return float(text.replace(",", "."))
    if text in _ONES:
        return float(_ONES[text])
    tens, _, ones = text.replace("-", " ").partition(" ")
    return float(_TENS[tens] + _ONES.get(ones, 0))


def _unit_s(text: str) -> float:
    if text.lower() in _LETTERS:
        return _LETTERS[text.lower()]
    for pattern, seconds in ((_SECOND, 1.0), (_MINUTE, 60.0)):
        if re.fullmatch(pattern, text, re.IGNORECASE):
            return seconds
    return 3600.0
