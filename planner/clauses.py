"""Judges a goal clause by clause: what is aimed at the system instead of at a result is taken out. Pure.

Goal text is data whatever it says; this reading only keeps hostile clauses out of topics and scripts, and tells.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_SENTENCE = re.compile(r"(?<=[.!?;\n])\s+|;(?=\S)|\n+")
_IMPERATIVE = (
    r"enable|activate|ignore|disregard|forget|bypass|override|circumvent|disable|delete|drop|"
    r"erase|wipe|destroy|truncate|remove|purge|shut|kill|reveal|print|show|"
    r"leak|dump|expose|exfiltrate|steal|send|upload|post|email|forward|transmit|copy|run|execute|eval|exec|"
    r"invoke|call|"
    r"add|insert|spawn|launch|download|fetch|curl|wget|rm|sudo|format|encrypt|hack|attack|ddos|grant|give|read|cat|"
    r"access|open|list|output|repeat|return|act|pretend|you|system|assistant|from|ignoriere|"
    r"vergiss|lösche|zeige|sende|ignora|olvida|"
    r"borra|elimina|envía|envia|muestra|ignore[zr]?|oublie|supprime[zr]?|efface|envoie|affiche|"
    r"new|set|change|switch|enter|impersonate|skip|bypass|mine|decode|email|tell|lift|shutdown|make|create|"
    r"draw|generate|render|paint|produce"
)
# Possessive quantifiers: a goal of nothing but joints must not be tried in every partition.
_JOINT = re.compile(
    rf"(?:\s*+,\s*+|\s++[-–—]\s++|\s*+:\s++|\s++)(?=(?:and|but|so|then|also|und|dann|y|luego|et|puis|&&)\s)"
    rf"(?:(?:and|but|so|then|also|und|dann|y|luego|et|puis|&&|please|secretly|silently|by the way|"
    rf"also|afterwards|after that|later|danach)\s++)++(?=(?:{_IMPERATIVE})\b)"
    rf"|\s*+[,:]\s*+(?:(?:please|also|first|now)\s++)*+(?=(?:{_IMPERATIVE})\b)|\s++[-–—]\s++(?=(?:{_IMPERATIVE})\b)"
    rf"|\s++&&\s++",
    re.IGNORECASE,
)
_SUBORDINATE = re.compile(
    r"\b(?:about|über|sobre|sur|explain\w*|teach\w*|on)\b.*\b(?:how|why|who|what|which|that|"
    r"when|hackers?|viruses|virus|malware|"
    r"ransomware|people|criminals|thieves|wie|warum|die|cómo|quienes|comment|pourquoi|qui)\b[^,:;]*$",
    re.IGNORECASE | re.DOTALL,
)
_ROLE = re.compile(r"^\W*(?:system|assistant|developer)$", re.IGNORECASE)
_OWN = (
    r"(?:all|any|every|everything|the|your|my|our|its|these|those|previous|other|user|users'?|"
    r"customer|other users'?|each)"
)
_DATA = (
    r"(?:files?|data(?:base|bases)?|tables?|buckets?|objects?|uploads?|artifacts?|jobs?|"
    r"profiles?|accounts?|disks?|drives?|"
    r"volumes?|folders?|director(?:y|ies)|records?|rows?|logs?|backups?|users?|videos?|models?|systems?|servers?|"
    r"checkpoints?|everything|history|storage|s3|postgres|redis|schema)"
)
_CONFIDENTIAL = (
    r"(?:secrets?|passwords?|contraseñas?|passw(?:ö|oe)rter|kennw(?:ö|oe)rter|mots de passe|contrase[ñn]as?|"
    r"geheime?[nrs]?\s+(?:anweisung\w*|daten|schlüssel)|instrucciones secretas|instructions secrètes|"
    r"cl[ée]s? (?:d'api|secr[èe]tes?)|jetons (?:secrets|d'acc[èe]s)|claves? (?:de )?api|"
    r"credentials?|(?:api|access|secret|ssh|private|aws|"
    r"encryption)[\s_-]?(?:keys?|tokens?)|tokens?|"
    r"env(?:ironment)?(?:[\s_-]?(?:vars?|variables?|file))|\.env\b|system[\s-]prompts?|(?:your|"
    r"hidden|initial|internal)\s+"
    r"(?:\w+\s+)?(?:prompt|instructions|rules|configuration|config|settings)|the (?:system |hidden |internal )?"
    r"(?:prompt|instructions|configuration|config)\b|/etc/\S+|"
    r"~?/?\.ssh\S*|id_rsa|connection strings?|"
    r"(?:user|customer|personal|private|other users'?)\s+(?:data|details|information|emails|videos|files|uploads))"
)
_LEAD = (
    r"^(?:\W*\b(?:please|then|also|now|and|but|first|next|kindly|just|bitte|dann|por favor|luego|"
    r"s'il te plaît|secretly|silently|before (?:anything|everything) else|first of all|by the way|btw|oh|ok(?:ay)?|"
    r"one more thing|afterwards?|after that|later|meanwhile|additionally|danach|anschlie[ßs]+end|despu[ée]s|ensuite|"
    r"zuerst|vorher|primero|antes de (?:nada|todo)|d'abord|avant tout|(?:would|could|can|will) you|be so kind as to|"
    r"i (?:want|need|order) you to|i'd like you to|you (?:must|should|will|have to)|go ahead and|"
    r"while you(?:'re| are) at it|if (?:it|you|that)\b[^,.]{0,40}(?=,)|override|attention|important|note|"
    r"a? ?hidden order)\b)*+\W*"
)
_DIRECTED = tuple(
    re.compile(f"{_LEAD}(?:{pattern})", re.IGNORECASE | re.DOTALL)
    for pattern in (
        # Against the instructions.
        r"(?:skip|bypass|lift|remove|raise|circumvent)\s+(?:every|all|the|any|my)\s+(?:\w+\s+){0,2}?"
        r"(?:checks?|approvals?|validation|safety|quotas?|limits?|restrictions?)\b",
        r"pretend (?:to be|that)\b[^.]{0,60}\b(?:dan|without (?:any )?(?:restrictions?|rules|limits|filters?))\b",
        r"repeat\s+(?:everything|all|the (?:text|words|above|instructions))\b|impersonate\b",
        r"(?:a partir de ahora (?:eres|eras)|ab (?:sofort|jetzt) bist du|à partir de maintenant,? tu es)\b",
        r"(?:the\s+)?(?:message|text|order|command|note)\s+(?:below|above)\s+(?:is|comes)\s+from\b",
        r"(?:execute|run|eval)\s*(?::|(?:it|this|that|the (?:result|output|following))\b)|"
        r"decode\s+(?:\w+\s+)?base64\b",
        r"you are (?:now )?(?:root|admin\w*)\b",
        r"decode\b[^.]{0,60}\b(?:execute|run|eval)\b|mine\s+(?:bitcoin|crypto\w*|monero|ethereum|coins?)\b|"
        r"shutdown\b",
        r"(?:show|list|open|give|send|read)\s+(?:\S+\s+){0,3}?(?:files?|uploads?|videos?|jobs?|data|profiles?)\s+"
        r"(?:\S+\s+){0,3}?(?:users?|customers?|someone|other)\b",
        (
            r"(?:ignore|disregard|forget|bypass|override|circumvent|do not follow|"
            r"don'?t follow)\s+(?:\w+\s+){0,4}?(?:instructions?|"
            r"rules?|prompts?|polic(?:y|ies)|guidelines?|constraints?|limits?|safety|filters?|guards?|"
            r"validat\w+|checks?|everything|"
            r"restrictions?|above|capabilit\w+|manifest|permissions?|quota|auth\w*)\b"
        ),
        r"(?:ignoriere?|vergiss)\s+(?:\w+\s+){0,4}?(?:anweisung\w*|regeln|vorgaben|alles)\b",
        r"(?:ignora|olvida)\s+(?:\w+\s+){0,4}?(?:instrucciones|reglas|todo)\b",
        r"(?:ignore[zr]?|oublie[zr]?)\s+(?:\w+\s+){0,4}?(?:instructions|consignes|règles|tout)\b",
        (
            r"(?:you are now|from now on,? you|act as (?:an? )?(?:root|admin|unrestricted|dan|system|"
            r"developer|shell|linux)|you have no (?:more )?(?:restrictions|rules|limits)|pretend "
            r"(?:that )?(?:you|to be) (?:\w+\s+){0,3}(?:no |un|admin|root)|enter (?:developer|debug|god|"
            r"admin|dan) mode|(?:enable|"
            r"switch to|activate) (?:developer|debug|god|admin|dan|jailbreak) mode|"
            r"new (?:system )?instructions?\b|set your role)"
        ),
        r"(?:\W*\b(?:system|assistant|developer|sistema|système|systeme|administrator|admin)\b\W*):\s",
        (
            r"disable\s+(?:\w+\s+){0,3}?(?:safety|validat\w+|checks?|auth\w*|sandbox|filters?|logging|"
            r"firewall|limits?|guards?)\b"
        ),
        # Against data.
        (
            rf"(?:delete|drop|erase|wipe|destroy|truncate|remove|purge|format|encrypt|overwrite|corrupt|"
            rf"nuke)\s+(?:{_OWN}\s+)+(?:\S+\s+){{0,3}}?"
            rf"{_DATA}\b"
        ),
        (
            rf"(?:delete|drop|erase|wipe|destroy|truncate|remove|purge|format|encrypt|corrupt|"
            rf"nuke)\s+(?:everything|{_DATA})\s*[.!]*$"
        ),
        (
            r"(?:drop|truncate|alter)\s+(?:table|database|schema)\b|delete\s+from\s+\w+|"
            r"insert\s+into\s+\w+|update\s+\w+\s+set\b"
        ),
        (
            r"(?:lösche?|zerstöre|überschreibe)\s+(?:\w+\s+)?(?:alle|meine|die|den|das|deine|"
            r"sämtliche)\s+(?:\w+\s+)?(?:dateien|daten\w*|"
            r"tabellen|profile|projekte|auftr[äa]ge|konten|jobs|videos|festplatte|backups?|benutzer\w*|nutzer\w*)\b"
        ),
        (
            r"(?:borra|elimina|destruye)\s+(?:\w+\s+)?(?:todos?|todas?|los|las|mis|la|"
            r"el)\s+(?:\w+\s+){0,2}?(?:archivos|datos|ficheros|base\w*|"
            r"tablas|perfiles|vídeos|videos|usuarios)\b"
        ),
        (
            r"(?:supprime[zr]?|efface[zr]?|détrui[st]\w*)\s+(?:\w+\s+)?(?:tou[st]\w*|mes|les|la|"
            r"le)\s+(?:\w+\s+){0,2}?(?:fichiers|données|bases?|"
            r"tables|profils|vidéos|utilisateurs)\b"
        ),
        (
            r"shut\s*down\s+(?:the|all|every|this|your)\b|kill\s+(?:the|all|every)\s+(?:\w+\s+)?(?:process|worker|"
            r"server|job|task|container)\w*"
        ),
        # Against secrets.
        (
            rf"(?:reveal|print|show|tell|give|leak|dump|expose|exfiltrate|steal|send|upload|post|email|"
            rf"e-mail|forward|transmit|copy|read|"
            rf"display|output|repeat|return|list|cat|access|open|share|include|write|say|what (?:is|are)|"
            rf"zeige?|gib|gebt|dame|mu[ée]strame|ens[ée][ñn]ame|donne[zr]?(?:-moi)?|verrate|sende|dime|"
            rf"muestra|montre|envía|envia|affiche|"
            rf"envoie)\s+"
            rf"(?:me\s+|us\s+|out\s+|back\s+)?(?:\S+\s+){{0,4}}?{_CONFIDENTIAL}"
        ),
        (
            r"exfiltrate\b|(?:upload|send|post|forward|copy|transmit|export|"
            r"move)\s+(?:\S+\s+){0,6}?(?:to|nach|a|à)\s+(?:https?://|ftp://|"
            r"s3://|\S+@\S+\.\w+|\S+\.(?:com|net|org|io|ru|xyz|example)\b|my server|an? external|webhook|attacker)"
        ),
        r"(?:run|execute|call|start|ejecuta|exécute|führe)\s+(?:\S+\s+){0,2}?\W*(?:shutdown|reboot|halt|"
        r"poweroff|killall)\b",
        # Code and tools.
        (
            r"(?:call|invoke|run|execute|use|add|insert|trigger|include|append|rufe?|llama|"
            r"appelle)\s+(?:\S+\s+){0,3}?[`'\"]?"
            r"\w*(?:delete|drop|wipe|erase|purge|destroy|exfil|leak|dump|steal|kill|shutdown|format)\w*_\w+"
        ),
        (
            r"(?:run|execute|eval|exec|invoke|call|spawn|launch|start|add|insert|use|inject|trigger|"
            r"führe|ejecuta|exécute)\s+(?:the\s+|an?\s+|this\s+|following\s+|any\s+|"
            r"some\s+|arbitrary\s+|my\s+|den\s+|el\s+|le\s+|la\s+)*(?:\w+\s+)?(?:shell|bash|command|cmd|"
            r"code|python|sql|powershell|terminal|executable|binary|"
            r"payload|subprocess|os\.system|eval|exec|nodes?\b|tasks?\b|tools?\b|functions?\b|befehl|"
            r"código|comando|commande)\b"
        ),
        (
            r"(?:download|fetch|curl|wget|open|visit|get|load|read)\s+(?:\S+\s+){0,4}?(?:https?://|"
            r"file://|ftp://|gopher://|"
            r"169\.254|localhost|127\.0\.0\.1|/etc/|/proc/|/root/|c:\\)"
        ),
        (
            r"(?:rm\s+-\w+|sudo\s|chmod\s|chown\s|mkfs|dd\s+if=|curl\s|wget\s|nc\s+-|bash\s+-|sh\s+-c|"
            r"python\d?\s+-c|powershell\b|del\s+/|"
            r"format\s+c:|:\(\)\s*\{)"
        ),
        (
            r"(?:hack|ddos|attack|breach|compromise|break)\s+(?:into\s+)?(?:the|this|a|my|your|our|"
            r"their|his|her|any)\s+(?:\w+\s+)?(?:server|site|"
            r"website|account|system|network|database|bank|computer|phone|wifi|neighbou?r\w*|ex\w*|school|company)\b"
        ),
        r"(?:grant|give)\s+(?:me|yourself|us|(?:my|this|our|the|user)\s+\w+)\s+(?:\w+\s+){0,3}?"
        r"(?:admin\w*|root|access|privileges?|permissions?|quotas?|rights)\b",
        r"(?:read|write|overwrite|modify|edit|open|cat)\s+(?:\S+\s+){0,3}?(?:/etc/|/proc/|/root/|/var/|~/|"
        r"\.\./|c:\\)",
    )
)
_ANYWHERE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        (
            r"<\s*script\b|javascript:|onerror\s*=|\$\([^)]*\)|`[^`]*\b(?:rm|curl|wget|cat)\b[^`]*`|"
            r"\{\{.*\}\}|\$\{[^}]*\}|<\|[^|]*\|>"
            r"|\[\s*(?:system|admin|developer|assistant|instructions?)\b[^\]]*\]"
            r"|\[/?INST\]|<</?SYS>>|###\s*(?:system|instruction)"
        ),
        (
            r"\b(?:private\s+)?ssh[\s-]keys?\b|\b(?:admin|root|database)\s+passwords?\b|"
            r"__import__|os\.system|subprocess\.|eval\(|exec\(|'\s*(?:or|and)\s+'?1'?\s*=\s*'?1|"
            r";\s*drop\s+table|union\s+select\b"
        ),
        r"\|\s*(?:ba)?sh\b|rm\s+-rf\s+[/~*.]|>\s*/dev/|/etc/(?:passwd|shadow)|169\.254\.169\.254",
    )
)
_TOLD_OF = re.compile(
    r"\b(?:about|explain\w*|what|how|why|teach\w*|über|erklär\w*|sobre|explica\w*|sur|"
    r"expliqu\w*|dangers? of|history of)\b[^.;]*$",
    re.IGNORECASE,
)


_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""Letters that only look different hide orders, as characters without width do."""
_BLOCK = re.compile(
    r"<\s*script\b.*?(?:</\s*script\s*>|$)|\{[^{}]{0,500}\"(?:role|content|system|next_action|"
    r"instruction)\"[^{}]{0,500}\}|"
    r"#{3,}[^#\n]{0,80}#{3,}|```.*?(?:```|$)",
    re.IGNORECASE | re.DOTALL,
)
"""What no person writes into a wish: markup with code, messages of a chat protocol."""
_CLOSING_TAG = re.compile(r"\[/[^\]\n]{1,40}\]|<+/[^>\n]{1,40}>+")


@dataclass(frozen=True)
class Judged:
    """A goal in two parts: what may be planned, and the clauses that may not."""

    legitimate: str
    hostile: tuple[str, ...]


def judge(goal: str) -> Judged:
    """Split a goal into its legitimate text and its hostile clauses."""
    kept: list[str] = []
    hostile: list[str] = []
    goal = "".join(char for char in goal.translate(_FULL_WIDTH) if unicodedata.category(char) != "Cf")
    hostile += [match[0].strip() for match in _BLOCK.finditer(goal)]
    goal = _CLOSING_TAG.sub("\n", _BLOCK.sub("\n", goal))
    for sentence in _SENTENCE.split(goal):
        remaining: list[str] = []
        for joint, clause in _clauses(sentence):
            if _is_hostile(clause):
                hostile.append(clause.strip())
            else:
                remaining.append(joint + clause if remaining else clause)
        if text := "".join(remaining).strip():
            kept.append(text)
    legitimate = " ".join(kept).strip(" ,:;-<>[]{}|")
    return Judged(legitimate if re.search(r"\w", legitimate) else "", tuple(hostile))


def _clauses(sentence: str) -> list[tuple[str, str]]:
    """Return `(joint before it, clause)`. A joint inside a told subject does not start a clause of its own."""
    parts: list[tuple[str, str]] = []
    start, joint = 0, ""
    for match in _JOINT.finditer(sentence):
        clause = sentence[start : match.start()]
        if _ROLE.search(clause):
            continue
        if _SUBORDINATE.search(clause) and not re.search(r"[,:&–—]|\bthen\b|\balso\b", match[0]):
            continue
        parts.append((joint, clause))
        start, joint = match.end(), match[0]
    return [*parts, (joint, sentence[start:])]


def _is_hostile(clause: str) -> bool:
    if any(pattern.search(clause) for pattern in _DIRECTED):
        return True
    for pattern in _ANYWHERE:
        match = pattern.search(clause)
        if match is not None and not _TOLD_OF.search(clause[: match.start()]):
            return True
    return False
