"""How a written token is read aloud: numbers, years, money, units, symbols, abbreviations, acronyms. Pure.

espeak reads plain English well; here is only what it reads wrongly (checked with piper-tts 1.8.0: `1999` became
"nineteen hundred ninety-nine", `GPUs` lost its s, `Dr.` ended the sentence, `km/h` was spelled).
"""

from __future__ import annotations

import re

ABBREVIATIONS = {
    "dr": "doctor", "mr": "mister", "mrs": "missis", "ms": "miz", "prof": "professor", "mt": "mount",
    "gen": "general", "capt": "captain", "lt": "lieutenant", "sgt": "sergeant", "rev": "reverend", "hon": "honorable",
    "st": "saint", "vs": "versus", "etc": "et cetera", "e.g": "for example", "i.e": "that is",
    "approx": "approximately", "fig": "figure", "jr": "junior", "sr": "senior", "ca": "circa", "cf": "compare",
    "et al": "and others",
}  # fmt: skip
TITLES = frozenset(ABBREVIATIONS) - {"etc", "jr", "sr", "et al"}
"""Abbreviations that never end a sentence."""
UNITS = {
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "nm": "nanometer", "µm": "micrometer",
    "μm": "micrometer", "kg": "kilogram", "g": "gram", "mg": "milligram", "t": "ton", "lb": "pound", "lbs": "pound",
    "oz": "ounce", "ft": "foot", "mi": "mile", "l": "liter", "ml": "milliliter", "s": "second", "ms": "millisecond",
    "min": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "w": "watt", "kw": "kilowatt", "mw": "megawatt",
    "gw": "gigawatt", "kwh": "kilowatt-hour", "v": "volt", "hz": "hertz", "khz": "kilohertz", "mhz": "megahertz",
    "ghz": "gigahertz", "kb": "kilobyte", "mb": "megabyte", "gb": "gigabyte", "tb": "terabyte", "ly": "light-year",
    "k": "thousand", "x": "time", "bn": "billion", "mph": "mile per hour", "fps": "frame per second", "px": "pixel",
    "°c": "degree Celsius", "°f": "degree Fahrenheit", "°": "degree", "%": "percent", "km/h": "kilometer per hour",
    "km/s": "kilometer per second", "m/s": "meter per second", "m²": "square meter", "km²": "square kilometer",
    "m³": "cubic meter", "kph": "kilometer per hour",
}  # fmt: skip
UNCOUNTED = frozenset({"thousand", "billion", "percent", "hertz", "kilohertz", "megahertz", "gigahertz"})
CURRENCIES = {"$": "dollar", "£": "pound", "€": "euro", "¥": "yen"}
SCALES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
}
SCALE_WORDS = frozenset({"hundred", "thousand", "million", "billion", "trillion"})
DECADES = {
    "10": "tens", "20": "twenties", "30": "thirties", "40": "forties", "50": "fifties", "60": "sixties",
    "70": "seventies", "80": "eighties", "90": "nineties",
}  # fmt: skip
FRACTIONS = {
    "½": "one half", "¼": "one quarter", "¾": "three quarters", "⅓": "one third", "⅔": "two thirds",
    "1/2": "one half", "1/4": "one quarter", "3/4": "three quarters", "1/3": "one third", "2/3": "two thirds",
    "24/7": "twenty four seven",
}  # fmt: skip
SYMBOLS = {
    "&": "and", "@": "at", "+": "plus", "=": "equals", "×": "times", "÷": "divided by", "≈": "about", "~": "about",
    "±": "plus or minus", "<": "less than", ">": "more than", "≤": "at most", "≥": "at least", "→": "to",
    "√": "the square root of", "∞": "infinity", "°": "degrees", "%": "percent", "$": "dollars", "€": "euros",
    "£": "pounds", "¥": "yen", "™": "", "®": "", "©": "copyright", "☉": "sun", "#": "number", "/": "slash",
    "^": "to the power of", "−": "minus", "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "Δ": "delta",
    "ε": "epsilon", "θ": "theta", "λ": "lambda", "μ": "mu", "π": "pi", "σ": "sigma", "Σ": "sigma", "τ": "tau",
    "φ": "phi", "ω": "omega", "Ω": "omega",
}  # fmt: skip
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.\d+|\d+"


def spoken(core: str, *, before: str = "", after: str = "") -> str:
    """Return how `core`, a token without its outer punctuation, is read aloud.

    Args:
        before, after: the cores beside it; `5 km` and `$3 million` need them.
    """
    low = core.lower()
    if low in FRACTIONS:
        return FRACTIONS[low]
    if low in ABBREVIATIONS and (low != "ms" or core != "ms"):
        return ABBREVIATIONS[low]
    if core in ("4K", "8K"):  # resolutions
        return f"{core[0]} K"
    if low in ("am", "pm") and before[-1:].isdigit():
        return f"{core[0]}.M".upper()
    if low in SCALE_WORDS and before[:1] in CURRENCIES:
        return f"{core} {CURRENCIES[before[0]]}s"
    if re.search(r"\d$", before) and _unit(core) and not (core == "s" or core == "t"):
        return _measured(_plain(before), core)
    if re.search(r"[\d⁰¹²³⁴⁵⁶⁷⁸⁹]", core):
        return _with_digits(core, after)
    if acronym := re.fullmatch(r"([A-Z]{2,})['’]?s", core):
        return _plural(acronym[1])
    if re.fullmatch(r"(?:[A-Za-z]\.)+[A-Za-z]?", core):  # U.S, p.m: with its dots espeak spells it
        return core.rstrip(".").upper()
    return _symbols(core)


def _with_digits(core: str, after: str) -> str:
    core = core.replace("−", "-").replace("–", "-")
    if decade := re.fullmatch(r"['’]?(1[1-9]|20)?(\d0)['’]?s", core):
        if decade[2] == "00":
            return "two thousands" if decade[1] == "20" else f"{decade[1] or ''} hundreds"
        return f"{decade[1] or ''} {DECADES[decade[2]]}".strip()
    if re.fullmatch(r"1[1-9]\d\d|20[1-9]\d", core) and not _unit(after):
        return _year(core)
    if span := re.fullmatch(rf"({NUMBER})-({NUMBER})(\D*)", core):
        first, last = (spoken(part, after=after) for part in (span[1], span[2] + span[3]))
        return f"{first} to {last}"
    if money := re.fullmatch(rf"([$£€¥])({NUMBER})([A-Za-z]*)", core):
        return _money(money[1], money[2], money[3].lower(), after)
    if clock := re.fullmatch(r"(\d{1,2}):(\d\d)(\D*)", core):
        minutes = {"00": "o'clock"}.get(
            clock[2],
            clock[2].replace("0", "oh ", 1) if clock[2][0] == "0" else clock[2],
        )
        return f"{clock[1]} {minutes} {clock[3]}".strip()
    if power := re.fullmatch(r"(.+?)(?:\^(-?\d+)|([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))", core):
        return _power(power[1], (power[2] or power[3]).translate(SUPERSCRIPTS))
    if science := re.fullmatch(rf"({NUMBER})[eE]([+-]?\d+)", core):
        return f"{_plain(science[1])} times {_power('10', science[2].lstrip('+'))}"
    measured = re.fullmatch(rf"([-~<>≈±+]?)({NUMBER})-?(.+)", core)
    if measured and _unit(measured[3]):
        sign = {"-": "minus"}.get(measured[1]) or SYMBOLS.get(measured[1], "")
        return f"{sign} {_plain(measured[2])} {_measured(measured[2], measured[3])}".strip()
    if signed := re.fullmatch(rf"-({NUMBER})", core):
        return f"minus {_plain(signed[1])}"
    if part := re.fullmatch(r"(\d+)/(\d+)", core):
        return f"{part[1]} over {part[2]}"
    if re.fullmatch(NUMBER, core):
        return _plain(core)
    return _symbols(core)


def _plain(number: str) -> str:
    number = number.replace(",", "")
    return "0" + number if number.startswith(".") else number


def _year(digits: str) -> str:
    century, rest = digits[:2], digits[2:]
    if rest == "00":
        return f"{century} hundred"
    return f"{century} oh {rest[1]}" if rest[0] == "0" else f"{century} {rest}"


def _money(sign: str, amount: str, suffix: str, after: str) -> str:
    currency, amount = CURRENCIES[sign], _plain(amount)
    if suffix in SCALES:
        return f"{amount} {SCALES[suffix]} {currency}s"
    if after.lower() in SCALE_WORDS:
        return amount
    plural = "" if amount == "1" or currency == "yen" else "s"
    if cents := re.fullmatch(r"(\d+)\.(\d\d)", amount):
        return f"{cents[1]} {currency}{'' if cents[1] == '1' else plural or 's'} {cents[2]}"
    return f"{amount} {currency}{plural} {suffix}".strip()


def _unit(symbol: str) -> str:
    """Return the unit's name, else ``; case counts where two units differ by it (`m`, `M`)."""
    if symbol in UNITS:
        return UNITS[symbol]
    return UNITS.get(symbol.lower(), "") if len(symbol) > 1 or symbol in "WVK" else ""


def _measured(number: str, unit: str) -> str:
    name = _unit(unit)
    if number in ("1", "1.0") or name in UNCOUNTED:
        return name
    noun, per, rest = name.partition(" per ")
    head, of, scale = noun.partition(" ") if noun.startswith("degree") else (noun, "", "")
    return {"foot": "feet"}.get(head, f"{head}s") + of + scale + per + rest


def _power(base: str, exponent: str) -> str:
    named = {"2": "squared", "3": "cubed"}.get(exponent)
    base = spoken(base)
    return f"{base} {named}" if named else f"{base} to the power of {exponent.replace('-', 'minus ')}"


def _plural(acronym: str) -> str:
    """Return the acronym with its s as a raw Piper phoneme: espeak drops it."""
    ending = {"F": "s", "S": "ɪz", "X": "ɪz", "H": "ɪz"}.get(acronym[-1], "z")
    return f"{acronym}[[{ending}]]"


def _symbols(core: str) -> str:
    core = re.sub(r"(?<=\w)[/](?=\w)", " ", core)
    core = "".join(f" {SYMBOLS[char]} " if char in SYMBOLS else char for char in core)
    core = core.replace("’", "'").replace("‘", "'")
    core = re.sub(r"[^\w\s'.,-]", " ", core).replace("_", " ")
    return " ".join(core.split())
