"""Turns encyclopedia sentences into sentences that sound right when spoken, by leaving out and plainer words. Pure.

A rule drops an aside or a trailing clause whose absence keeps the rest true, makes a second sentence of a second
predicate, or takes the plain word for a stiff one; none says anything else. What cannot be said well
(formulas, lists of figures, other scripts) is refused.
"""

from __future__ import annotations

import re

from graphs.writing.sentences import capitalised, count_words, words

MAX_WORDS = 27
MIN_WORDS = 5

_VERB = re.compile(
    r"\b(is|are|was|were|be|has|have|had|can|could|may|might|will|would|must|do|does|did|became|becomes?|began|begins?"
    r"|occurs?|forms?|formed|refers?|consists?|includes?|included|contains?|uses?|makes?|made|provides?|lives?"
    r"|lived|grows?"
    r"|comes?|came|runs?|ran|moves?|works?|helps?|allows?|causes?|caused|creates?|created|produces?|produced"
    r"|carr(?:y|ies)"
    r"|gives?|gave|takes?|took|feeds?|eats?|affects?|plays?|played|remains?|varies|vary|means?|depends?|deals?"
    r"|describes?"
    r"|predicts?|requires?|involves?|exists?|existed|represents?|shows?|appears?|appeared|originated?s?|evolved"
    r"|lost|won"
    r"|led|leads?|serves?|served|covers?|covered|spans?|lies|lie|stands?|stood|orbits?|rules?|ruled|wrote|writes?"
    r"|invented"
    r"|discovered|developed|develops?|built|builds?|holds?|held|gets?|got|seeks?|needs?|tends?|turns?|turned"
    r"|rises?|rose"
    r"|reaches|reach|reached|traps?|trapped|spends?|store|stores|release|releases|absorbs?|converts?|flows?"
    r"|falls?|spread)\b"
)
_ASIDES = (
    (re.compile(r"\s*\([^()]*\)"), ""),
    (re.compile(r"\s*\[[^\[\]]*\]"), ""),
    (re.compile(r"\s*[\u2014]\s*[^\u2014]{2,80}\s*[\u2014]\s*"), " "),
    (re.compile(r"\s+\u2013\s+[^\u2013]{2,120}\s+\u2013\s+"), " "),
)
_NAMES = re.compile(
    r"(?:,(?: (?:which|that) (?:is|are))?| (?:which|that) (?:is|are)|(?= also)) (?:also|sometimes|commonly|often"
    r"|or|formerly|otherwise|better|officially|more"
    r"|alternatively|colloquially|originally|historically|scientifically|variously|usually)"
    r"(?: (?:also|commonly|simply|just|formally|colloquially|informally))?"
    r" (?:known|called|referred to|spelled|spelt|written|abbreviated|termed|styled|stylized|rendered)\b[^,;]*"
    r"(?:, (?!which|who|where|is|are|was|were|has|have)(?:[^,;]{1,25}, )*(?:and|or) [^,;]{1,30})?(?:,(?= )|$)"
)
_OR_NAME = re.compile(r", or (?:simply |just )?(?:the |an? )?[\w'-]+(?: [\w'-]+)?, (?=(?:is|are|was|were|has|have)\b)")
_OTHER_NAMES = re.compile(r"^((?:An? |The )?[^,]{2,40}),(?: [^,]{2,40},)* or [^,]{2,40}? (?=is |was )")
_CLAUSE_WORDS = (
    r"which|where|who|whose|whom|whereas|while|although|though|but|including|such as|especially|particularly|notably"
    r"|typically|usually|often|with|making|allowing|causing|leading|resulting|enabling|giving|producing|creating|thus"
    r"|thereby|as well as|rather than|due to|because|since|in which|along with|together with|used|based|followed"
    r"|ranging"
    r"|most of|some of|and (?:it|they|he|she|this|these|its|their|his|her|is|are|was|were|has|have|can|the most|most)\b"
    r"|from which|by which|for which|of which|even|so|called|known|featuring|consisting|containing|especially"
)
_TRAILING = re.compile(rf",? ?[;\u2014]|, (?=(?:{_CLAUSE_WORDS})\b)|: ", re.IGNORECASE)
_SECOND_CLAUSE = re.compile(r" (?:and|but) (?=because |when |while |it |they )|, (?:and|but|yet) ")
_MIDDLE = re.compile(
    r", (?:which|who|where|whose|including|such as|especially|particularly|typically|usually|like|along with|or|in"
    r"|primarily|mostly|mainly) [^,;]{2,70}(?:, [^,;]{2,30}){0,3}(?:,? (?:and|or) [^,;]{2,30})?, "
    r"(?=(?:into|is|are|was|were|has|have|had|can|may|will|convert|allow|make|cause|form|use|include|contain|predict|state"
    r"|describe|live|run|become|rise|play|provide|produce|occur|lead|eat|feed|began|became|led|wrote)s?\b)"
)
_LEADING = re.compile(
    r"^(?:However|For example|For instance|Additionally|Moreover|Furthermore|Thus|Therefore|Hence|Indeed|In addition"
    r"|In general|Generally|In fact|As such|As a result|Consequently|Accordingly|Historically speaking|Nevertheless"
    r"|Nonetheless|In modern historiography|Specifically|Similarly|Likewise|In particular|Typically), "
)
_CONCESSION = re.compile(
    r"^(?:Although|Though|While|Whereas|Despite|Unlike|Like|Besides) [^,]+(?:, (?:and|or|but) [^,]+)*, (?=[a-z])"
)
_UNSPEAKABLE = re.compile(
    r"[^\x20-\x7e\u00a0-\u024f\u2018\u2019\u201c\u201d\u2013\u2014\u2026]|[=<>{}|\\^_~#*@]|https?:|\b[a-z]\d"
    r"|\d[a-z]{1,2}\d|/|\bet al\b"
    r"|\b(?:km|mi|m|ft)2\b|\u00b1|\u00d7|\bIPA\b|pronounced|\bromanized\b|\blit\."
)
_DEPENDENT = re.compile(
    r"^(?:This|These|Those|Such|The (?:latter|former|same|resulting|following|second|third|other|two|three"
    r"|first)\b|Another"
    r"|Others?\b|Both|Then|Here|Also|So\b|But|And|Or\b|Because|Among these|In this|In these|At this|During this|By this"
    r"|From this|With this|One of these|Some of these|Each of these|Instead|Still|Later|Subsequently|Afterwards"
    r"|Soon|Similar)"
)
_SAY = (
    (re.compile(r"[\u200b-\u200d\u2060\ufeff]"), ""),
    (re.compile(r"\u00a0|\u202f|\u2009"), " "),
    (re.compile(r"(?<=\d)\s*[\u2013\u2012-]\s*(?=\d)"), " to "),
    (re.compile(r"[\u2010-\u2013]"), "-"),
    (re.compile(r"[\u2018\u2019]"), "'"),
    (re.compile(r"[\u201c\u201d]"), '"'),
    (re.compile(r"(\d)\s?%"), r"\1 percent"),
    (re.compile(r"(\d) ?\u00b0C\b"), r"\1 degrees Celsius"),
    (re.compile(r"(\d) ?\u00b0F\b"), r"\1 degrees Fahrenheit"),
    (re.compile(r"(\d) km\b"), r"\1 kilometers"),
    (re.compile(r"(\d) m\b(?!\.\w)"), r"\1 meters"),
    (re.compile(r"(\d) kg\b"), r"\1 kilograms"),
    (re.compile(r"(\d) mya\b"), r"\1 million years ago"),
    (re.compile(r"\b(?:c|ca)\. ?(?=\d)"), "around "),
    (re.compile(r"\be\.g\.,? "), "for example "),
    (re.compile(r"\bi\.e\.,? "), "that is, "),
    (re.compile(r" & "), " and "),
    (re.compile(r"\$(\d[\d,.]*(?: (?:million|billion|trillion))?)"), r"\1 dollars"),
)


_PLAIN = tuple(
    (re.compile(rf"\b{stiff}\b"), plain)
    for stiff, plain in (
        (r"approximately", "about"), (r"predominantly|primarily", "mainly"), (r"in order to", "to"),
        (r"prior to", "before"), (r"utili[sz]es", "uses"), (r"utili[sz]ed", "used"), (r"possess", "have"),
        (r"possesses", "has"), (r"numerous", "many"),
        (r"a wide (?:variety|range) of", "many kinds of"), (r"whilst", "while"), (r"amongst", "among"),
        (r"constructed", "built"), (r"adjacent to", "next to"), (r"is considered to be", "is considered"),
        (r"beverage", "drink"), (r"beverages", "drinks"),
    )
)  # fmt: skip
_SECOND_PREDICATE = re.compile(r",? (?:and|but) (?:also )?(?=(is|are|was|were|has|have|can)\b)")


def second_sentence(sentence: str) -> str:
    """Return the second predicate of a sentence as one of its own with `It` or `They`; empty when it has none."""
    match = _SECOND_PREDICATE.search(sentence)
    if match is None or _VERB.search(sentence[: match.start()], 2) is None or "," in sentence[: match.start()]:
        return ""
    return f"{'They' if match[1] in ('are', 'were', 'have') else 'It'} {sentence[match.end() :]}"


def tidy(text: str) -> str:
    """Return `text` with asides in brackets and dashes removed and signs written as words."""
    for pattern, replacement in (*_SAY[:2], *_ASIDES, *_ASIDES[:1], *_SAY[2:]):
        text = pattern.sub(replacement, text)
    text = re.sub(r"\s+([,.;:!?])", r"\1", re.sub(r"\s+", " ", text))
    return re.sub(r",(?=[,.;])", "", text).strip()


def spoken_forms(sentence: str) -> list[str]:
    """Return ways to say an encyclopedia sentence, longest first; none when it cannot be said well.

    Args:
        sentence: one sentence of an encyclopedia, in English.
    """
    text = tidy(sentence)
    text = _OR_NAME.sub(" ", _OTHER_NAMES.sub(r"\1 ", _NAMES.sub("", text)))
    text = capitalised(_LEADING.sub("", text))
    for stiff, plain in _PLAIN:
        text = stiff.sub(plain, text)
    if _UNSPEAKABLE.search(text) or _DEPENDENT.match(text) or text.count('"') % 2:
        return []
    text = re.sub(r"\s+", " ", text.replace('"', "")).rstrip(" ;,:")
    if not text.endswith((".", "!", "?")):
        text += "."
    text = re.sub(r"^With [^,]*(?:,\d{3})*[^,]*, (it|they) (?=is|are|was|were|has|have)", _begin, text)
    forms = [text]
    for pattern, replacement in ((_CONCESSION, ""), (_MIDDLE, " ")):
        shorter = capitalised(pattern.sub(replacement, forms[-1]))
        if shorter != forms[-1] and _stands(shorter):
            forms.append(shorter)
    last = forms[-1]
    cuts = [
        match.start()
        for match in _TRAILING.finditer(last)
        if ";" in match.group() or _ends_the_sentence(last[match.end() :])
    ]
    cuts += [match.start() for match in _SECOND_CLAUSE.finditer(last) if _joins_clauses(last, match)]
    for cut in sorted(set(cuts), reverse=True):
        shorter = last[:cut].rstrip(" ,;:") + "."
        if _stands(shorter) and count_words(shorter) < count_words(forms[-1]):
            forms.append(shorter)
    forms = [re.sub(r"\s*\u2014\s*", ", ", form) for form in forms if not _DEPENDENT.match(form)]
    forms = [form for form in forms if ";" not in form] or forms
    return [form for form in forms if MIN_WORDS <= count_words(form) <= MAX_WORDS]


def _begin(match: re.Match[str]) -> str:
    return match[1].capitalize() + " "


def _ends_the_sentence(rest: str) -> bool:
    """Tell whether a clause that starts here runs to the end: after a comma there would be more of the main clause."""
    rest = re.sub(r"(?<=\d),(?=\d)", "", rest)
    return "," not in rest or bool(re.search(r",? (?:and|or) [^,]{2,40}\.$", rest)) or bool(_TRAILING.search(rest))


def _joins_clauses(text: str, match: re.Match[str]) -> bool:
    """Tell whether this `, and` joins two clauses and not the items of a list."""
    before, after = text[: match.start()], text[match.end() :]
    return (
        "," not in re.sub(r"^[^,]{2,40}, ", "", before)
        and _VERB.search(before) is not None
        and _VERB.search(after, 2) is not None
    )


def _stands(sentence: str) -> bool:
    """Tell whether what a cut left is a whole sentence: a verb after a subject, no open list, no loose end."""
    body = sentence.rstrip(".!?")
    verb = _VERB.search(body, 2)
    if verb is None or re.match(r"(?:When|If|Where|As|Since|Because|Until|Unless|After|Before|Once)\b[^,]*$", body):
        return False
    if len(words(body[verb.end() :])) < 2 and verb.group() in {"is", "are", "was", "were", "be", "has", "have", "can"}:
        return False
    if re.search(
        r"\b(the|a|an|of|and|or|to|in|by|with|for|from|that|which|as|at|on|its|their|is|are|not|so|both|either)$", body
    ):
        return False
    if (
        re.match(r"(?:In|On|At|By|During|From|With|Throughout|Along|Through) [^,]*$", body[: verb.start()])
        and "," not in body
    ):
        return bool(re.match(r"(?:In|On|At|By|During|From|With) .*\b(?:is|are|was|were)\b", body))
    tail = body.rsplit(",", 1)
    listed = len(tail) == 2 and len(words(tail[1])) <= 3 and not re.search(r"\b(and|or)\b", tail[1])
    return not (listed and body.count(",") >= 1 and not re.match(r"^(In|On|At|By|During|From|Throughout)\b", body))
