"""The words of a wish that changes an earlier one: shorter, longer, funnier, in my voice, something else. Data only.

Patterns are matched case-insensitively in English, German, Spanish and French.
"""

from __future__ import annotations

FACTORS: tuple[tuple[str, float], ...] = (
    (r"\b(?:twice|double)\s+(?:as\s+long|the\s+(?:length|duration))\b|\bdoppelt so lang\b|\bel doble de largo\b", 2.0),
    (r"\b(?:double[rz]?|verdopple|duplica)\s+(?:the|its|die|la)?\s*(?:length|duration|länge|duraci[óo]n|durée)\b", 2.0),
    (r"\b(?:three|3)\s+times\s+(?:as\s+long|longer)\b|\bdreimal so lang\b|\btriple\s+(?:the|its)\s+length\b", 3.0),
    (r"\bhalf\s+(?:as\s+long|the\s+(?:length|duration))\b|\bcut\s+(?:it\s+)?in\s+half\b|\bhalve(?:\s+it)?\b", 0.5),
    (r"\bhalb so lang\b|\bla mitad de largo\b|\bmoiti[ée] moins long(?:ue)?\b", 0.5),
    (r"\b(?:a (?:bit|little)|slightly|somewhat)\s+(?:shorter|briefer)\b|\betwas kürzer\w*|\bun poco más cort[oa]s?\b"
     r"|\bun peu plus courte?\b", 0.75),
    (r"\b(?:a (?:bit|little)|slightly|somewhat)\s+longer\b|\betwas länger\w*|\bun poco más larg[oa]s?\b"
     r"|\bun peu plus long(?:ue)?\b", 1.5),
    (r"\b(?:(?:much|way|even|far)\s+)?(?:shorter|briefer|shorten(?:\s+it)?)\b|\bkürzer\w*|\bkürze\b|\bverkürze\b"
     r"|\bmás (?:cort|breve)[oa]?s?\b|\bac[óo]rta(?:lo|la)?\b|\bplus (?:courte?|brève|bref)\b|\braccourci[st]?\b", 0.5),
    (r"\b(?:(?:much|way|even|far)\s+)?(?:longer|lengthen(?:\s+it)?)\b|\blänger\w*|\bverlängere\b|\bmás larg[oa]s?\b"
     r"|\bal[áa]rga(?:lo|la)?\b|\bplus long(?:ue)?\b|\brallonge\b", 2.0),
)  # fmt: skip
"""Pattern -> by what the length is multiplied; the first that is found counts."""
SHORTER = (
    r"(?:shorter|less|fewer|kürzer|kürzen|weniger|más cort[oa]|menos|plus courte?|de moins|cut|trim|remove|shorten|"
    r"kürze|verkürze|acorta|quita|raccourcis|enlève)"
)
LONGER = (
    r"(?:longer|more|länger|mehr|más larg[oa]|más|plus long(?:ue)?|de plus|add|extend|lengthen|verlängere|verlängern|"
    r"alarga|añade|rallonge|ajoute)"
)
UP_TO = r"\b(?:to|auf|a|à|than|als|que)\s*$"
"""Before a length that is one: `shorten it to 10 seconds`, `no longer than 30 seconds`."""
BY = r"(?:\s+(?:it|es|lo|le))?(?:\s+(?:by|um|en|de|off|about))?\s*$"
A_PART = (
    r"\b(?:the|die|den|das|el|la|los|las|le|les)\s+(?!(?:video|film|clip|movie|whole|entire|thing|explainer|animation|"
    r"reel|story|ganze|vídeo|vidéo|talking)\b)\w+\s+(?:(?:a bit|a little|much|etwas|un poco|un peu)\s+)?"
    r"(?:shorter|longer|kürzer|länger|más (?:corto|corta|largo|larga)|plus (?:courte?|longue?))\b"
)
"""`make the intro shorter` is about a part, which no field of a request can say."""

FINER = (
    r"\b(?:(?:in\s+)?(?:a\s+)?(?:higher|better|more)\s+resolution|sharper|höhere\s+auflösung|schärfer|"
    r"m[áa]s resoluci[óo]n|(?:con\s+)?mayor resoluci[óo]n|meilleure résolution|plus nette?)\b"
)
COARSER = (
    r"\b(?:(?:in\s+)?(?:a\s+)?(?:lower|smaller|less)\s+resolution|(?:niedrigere|kleinere)\s+auflösung|"
    r"menor resoluci[óo]n|résolution plus basse)\b"
)
LADDER = ("240p", "360p", "480p", "720p", "1080p", "1440p", "4K")

COMPARATIVES: dict[str, str] = {
    "humorous": r"funnier|wittier|more fun|more humou?r",
    "calm": r"calmer|quieter",
    "friendly": r"friendlier|warmer",
    "energetic": r"livelier|peppier|more energy",
    "scary": r"scarier|spookier|creepier",
    "simple": r"simpler|easier",
    "serious": r"less (?:funny|silly|humorous)",
}
MORE = r"(?:(?:a (?:bit|little)|much|etwas|un poco|un peu)\s+)?(?:(?:more|mehr|más|plus)\s+)?"

MY_VOICE = (
    r"\b(?:(?:use|with|in|take)\s+my\s+(?:own\s+)?voice|(?:mit|in)\s+meiner\s+(?:eigenen\s+)?stimme|"
    r"(?:nimm|nutze|benutze|verwende)\s+meine\s+(?:eigene\s+)?stimme|(?:con|usa)\s+mi\s+(?:propia\s+)?voz|"
    r"(?:avec|utilise)\s+ma\s+(?:propre\s+)?voix)\b"
)
NO_PORTRAIT = (
    r"\b(?:no|not (?:as )?an?|without (?:an?|the)|ohne|kein(?:e|en)?|sin|sans|drop the|remove the)\s+"
    r"(?:(?:talking|speaking|sprechende[rsn]?)\s+)?(?:portrait|head|avatar|face|retrato)\w*"
    r"(?:\s+(?:parlante?|que habla))?"
)
AS_PORTRAIT = (
    r"\b(?:(?:as|with|into|als|mit|como|con|en|avec)\s+)?(?:an?|einem?|ein|un|une)?\s*"
    r"(?:(?:talking|speaking|sprechende[rsn]?)[\s-]+(?:portrait|head|avatar|face|kopf)\w*|avatar\b|"
    r"(?:retrato|portrait)\s+(?:parlante?|que habla|qui parle))"
)
NO_TRAINING = (
    r"\b(?:without|no|skip|drop|remove|ohne|kein|sin|sans|pas d['e]\s?)\s*(?:the|any|das|el|la|l['’])?\s*"
    r"(?:training|fine-?tuning|entrenamiento|entra[îi]nement)\b|\b(?:don'?t|do not) train(?:\s+anything)?\b"
)
TRAINING = (
    r"\b(?:first\s+)?(?:train|fine-?tune|clone|trainiere|klone|entrena|entra[îi]ne)\b[^.;]*?(?:[,\s]+(?:and|then|und|"
    r"dann|y|luego|et|puis)\s+(?:then\s+|dann\s+)?(?=(?:make|create|generate|render|produce|mach|erstelle|erzeuge|haz|"
    r"crea|genera|fais|crée|génère)\b)|[.;]\s*|$)|\s*\b(?:and|und|y|et)\s+(?:train|trainiere|entrena|entra[îi]ne)\b[^.;]*"
)
"""The clause of a goal that asks for training, with what joins it to the next wish."""

ABOUT = (
    r"(?:\b(?:make|mach|haz|fais)\s+(?:it|es|lo|le|the video)\s+)?\b(?:about|on the topic of|"
    r"(?:change|switch) the (?:topic|subject) to|über|zum thema|sobre|acerca de|à propos de|au sujet de|sur)\s+"
    r"(?P<topic>[^,.;\x1f]+?)(?=\s+(?:and|und|y|et|but)\s+(?:make|use|add|render|keep|mach|haz|fais|with)\b|[,.;\x1f]|$)"
)
INSTEAD = (
    r"\s*\b(?:instead(?: of\b.*)?|rather(?: than\b.*)?|stattdessen|statt\b.*|anstatt\b.*|en su lugar|"
    r"en (?:vez|lugar) de\b.*|à la place(?: d.*)?|au lieu d.*|plutôt(?: que\b.*)?)(?!\w)"
)
AS_SOMETHING = (
    r"(?:\b(?:as|into|als|como|en|comme)\s+|(?<!\w)(?=(?:an?|eine?|una?|une?)\s))"
    rf"(?P<what>(?:(?:an?|eine?|una?|une?)\s+)?[^,.;\x1f]{{2,60}}?)(?={INSTEAD})"
)

FILLER = (
    r"\b(?:please|pls|bitte|por favor|s'il (?:te|vous) pla[îi]t|can you|could you|kannst du|puedes|peux-tu|i want|"
    r"i'd like|ich möchte|quiero|je veux|now|the same|but|and|then|also|with|in|at|as|to|of|long|lang|make|mach|mache|"
    r"haz|hazlo|fais|render|keep|change|turn|use|do|should|be|is|have|it|its|that|this|them|es|das|lo|la|le|a|an|the|"
    r"ein|eine|einen|el|un|una|une|video|film|clip|one|version|style|tone|stil|estilo|resolution|duration|length|"
    r"aber|und|dann|pero|y|mais|et|puis|mit|auf|bei|con|avec|de|en|à|instead|stattdessen|no|not|than|again|would|"
    r"ok|okay|great|nice|thanks|danke|gracias|merci|let'?s|only|just|nur|"
    r"more|bit|little|mehr|más|plus|total|by|um|off|talk|tell|insgesamt)\b"
)
"""Words that say nothing by themselves once the rest of a wish is understood."""
