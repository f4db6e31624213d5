"""Finds what a goal is about: the words that are left when the wish itself is taken away. Pure."""

from __future__ import annotations

import re

_MARK = re.compile(
    r"\b(?:that teach(?:es)? \w+(?: \w+)? about|about|on the (?:topic|subject) of|explaining|"
    r"describing|covering|summari[sz]ing|presenting|introducing|showing|"
    r"that (?:explains?|tells?|describes?|shows?|covers?|introduces?|summari[sz]es|teaches)|"
    r"which (?:explains?|tells?|shows?)|"
    r"über|das erklärt,?|zum thema|sobre|acerca de|que (?:explique|explica|muestra)|au sujet de|à propos de|sur|"
    r"qui (?:explique|montre))\s+(?P<topic>.+)",
    re.IGNORECASE | re.DOTALL,
)
_VERB = re.compile(
    r"^(?:please\s+|kindly\s+|bitte\s+)?(?:explain|describe|summari[sz]e|teach(?: me|"
    r" us)?(?: about)?|present|introduce|tell(?: me| us)?"
    r"(?: the story)?(?: of| about)?|erkläre?(?: mir| uns)?(?: bitte)?,?|explica(?:me)?|"
    r"explícame|explique[zr]?(?:-moi)?|fasse)\s+(?P<topic>.+)",
    re.IGNORECASE | re.DOTALL,
)
_OF = re.compile(
    r"^.*?\b(?:video|clip|film|movie|reel|explainer|animation|summary|overview|trailer|picture|"
    r"image|photo|illustration|drawing|"
    r"painting|poster|logo|icon|sketch|svg|diagram|model|avatar|portrait|narration|script|"
    r"podcast|presentation|greeting|"
    r"message|tutorial|bild|modell|zeichnung|imagen|vídeo|vidéo|dibujo|dessin|modèle|modelo)s?\s+"
    r"(?:of|for|on|with|from|von|für|de|del|pour|para|du|des|:|-)\s*(?P<topic>.+)",
    re.IGNORECASE | re.DOTALL,
)
_ASK = re.compile(
    r"^(?:(?:please|kindly|bitte|hi|hello|hey|can you|could you|would you|i want(?: you to)?|"
    r"i'd like(?: you to)?|i would like(?: you to)?|"
    r"i need(?: you to)?|we need|give me|ich (?:möchte|will|brauche)|quiero|necesito|je veux|"
    r"je voudrais|por favor)\b[\s,]*)*"
    r"(?:(?:to\s+)?(?:make|create|generate|produce|build|render|craft|draw|paint|sketch|design|"
    r"illustrate|prepare|write|record|animate|turn|"
    r"have|erstelle?|erzeuge|mach|zeichne|male|crea|genera|haz|dibuja|crée[rz]?|génère[rz]?|"
    r"fais|dessine)\b(?:\s+(?:me|us|mir|uns|moi|nous)\b)?\s*)?"
    r"(?:(?:an?|the|some|eine?[nrms]?|una?|une?|my|our)\s+)?",
    re.IGNORECASE,
)
_MAKING = (
    r"videos?|clips?|films?|movies?|reels?|explainers?|erklärvideos?|erklärfilme?|animations?|"
    r"trailers?|pictures?|images?|photos?|illustrations?|"
    r"drawings?|svgs?|scripts?|vídeos?|vidéos?|bild|tutorial"
)
_FILLER = re.compile(
    rf"^(?:(?:short|long|brief|quick|nice|great|good|new|narrated|animated|spoken|talking|full|"
    rf"{_MAKING}|portrait|avatar|head)\b[\s:,\-–—]*)+"
    r"(?:(?:about|of|for|on|with|for|über|von|sobre|de|sur|pour|to)\b\s*)?",
    re.IGNORECASE,
)
_TAIL = re.compile(
    rf"[\s,;:.!?\-–—(]*(?:\b(?:in|use|with|as|at|for|to|using|and|no|without|of|im|mit|als|en|"
    rf"con|avec|dans|a|an|the|that is|which is|it should be|"
    rf"should be|max(?:imum)?|at most|h[öo]chstens|maximal|au plus|como m[áa]ximo|"
    rf"under|within|about|around|roughly|ca\.?|up to|long|lang|"
    rf"lasting|please|bitte|por favor|"
    rf"quality|resolution|version|style|tone|way|manner|(?:as|in|into|for|als) (?:an? |the |"
    rf"eine? )?(?:{_MAKING}))\b[\s,;:.!?\-–—(]*)*[)\s,;:.!?\-–—]*$",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"(?:\s*[,;(]\s*|\s+)(?:in (?:an? )?(?:\w+ )?(?:style|tone|voice|manner)\b|"
    r"in the style of\b|(?:but|and) (?:no|without|keep|make it|let me|"
    r"do not|don't)\b|without\b|ohne\b|sin\b|sans\b|using (?:my|this|these|the (?:attached|"
    r"uploaded))\b|with (?:my|this|these) "
    r"(?:\w+ )?(?:photos?|images?|pictures?|voice|recordings?|portrait|face)\b|from (?:my|this|"
    r"these) (?:photos?|images?|pictures?)\b|"
    r"keep it\b|let me\b|show me\b|for (?:kids|children|beginners)\b|like i'?m five\b|"
    r"as if i were five\b|like (?:the )?last (?:one|time)\b"
    r"|and (?:a|an|the) (?:\d|short|picture|image|video|svg|3d|poster|script)).*$",
    re.IGNORECASE | re.DOTALL,
)
_PRONOUNS = frozenset(["it", "this", "that", "them", "these", "those"])
_GAP = "\x1f"


def read_topic(goal: str, *, spans: list[tuple[int, int]]) -> str:
    """Return the topic of a goal.

    Args:
        spans: places of the duration, resolution, style and language, which are no part of the topic.
    """
    text = goal
    for start, end in sorted(spans, reverse=True):
        text = f"{text[:start]}{_GAP}{text[end:]}"
    text = _sentence_with_topic(text)
    for pattern in (_MARK, _VERB, _OF):
        match = pattern.search(text)
        if match is not None and (topic := _tidy(match["topic"])) and topic.lower() not in _PRONOUNS:
            return topic
    bare = _ASK.sub("", text.replace(_GAP, " ").strip(), count=1)
    return _tidy(_FILLER.sub("", re.sub(r"\s+", " ", bare).strip(), count=1))


def _sentence_with_topic(text: str) -> str:
    """Return the sentence that names the subject: the first with a mark, else the first."""
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", text) if re.search(r"\w", part)]
    marked = [part for part in sentences if _MARK.search(part)] or [part for part in sentences if _VERB.search(part)]
    return next(iter(marked or sentences), "")


def _tidy(text: str) -> str:
    head = _LATER.sub("", text)
    head = head.split(_GAP, 1)[0] if re.search(r"\w", head.split(_GAP, 1)[0]) else head.replace(_GAP, " ")
    previous = None
    while previous != head:
        previous, head = head, _TAIL.sub("", head).strip(" \t\n,;:.!?-\"'“”„«»()")
    return re.sub(r"\s+", " ", head)
