"""Text to sentences of tokens, each with its spelling and how it is read: what a voice needs. Pure."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass

from worker.speech.spoken import SYMBOLS, TITLES, spoken

SENTENCE_PAUSE_S = 0.35
PARAGRAPH_PAUSE_S = 0.45
BREATH_PAUSE_S = 0.12  # inside a sentence that had to be cut
MAX_SENTENCE_CHARS = 280  # about 18 s of speech, far below what Piper takes at once
MAX_TOKEN_CHARS = 48

_OPENING = "\"'“‘«([{¿¡*_~-–—…."
_CLOSING = "\"'”’»)]}*_~-–—….,;:!?"
_OPENERS = frozenset(
    {
        "The",
        "A",
        "An",
        "It",
        "He",
        "She",
        "They",
        "We",
        "I",
        "You",
        "But",
        "And",
        "In",
        "This",
        "That",
        "So",
        "When",
        "If",
    }
)
_MARKUP = (
    (re.compile(r"```[^`]*```"), " "),
    (re.compile(r"!\[[^\]\n]{0,300}\]\([^)\n]{0,2000}\)"), " "),
    (re.compile(r"\[([^\]\n]{1,300})\]\([^)\n]{0,2000}\)"), r"\1"),
    (re.compile(r"<(?:https?://|mailto:)[^<>\s]{1,2000}>"), " "),
    (re.compile(r"</?[a-zA-Z!][^<>]{0,300}>"), " "),
    (re.compile(r"\b(?:https?://|www\.)\S*?(?=[.,;:!?)\]}\"'”’]*(?:\s|$))"), " "),
    (re.compile(r"\[[^\]\n]{0,300}\]"), " "),  # stage directions
    (re.compile(r"[{}|\\`\[\]]"), " "),
    (re.compile(r"(?m)^[ \t]*(?:#{1,6}|>|[-*•–]|\d{1,2}[.)])[ \t]+"), "\n\n"),
    (re.compile(r"(?<!\w)(?:[*_]{1,3}|~~)(?=\S)|(?<=\S)(?:[*_]{1,3}|~~)(?!\w)"), ""),
    (re.compile(r"(?<=[^\W\d_])(?:—|--|–)(?=\w)"), "— "),
)


@dataclass(frozen=True)
class Token:
    """One written word: `text` as written with punctuation, `spoken` as a voice should read it."""

    text: str
    spoken: str


@dataclass(frozen=True)
class Sentence:
    """What is spoken in one breath.

    Attributes:
        tokens: at least one; the last one's `spoken` ends with punctuation.
        pause_s: silence that should follow at natural tempo.
    """

    tokens: tuple[Token, ...]
    pause_s: float

    @property
    def spoken(self) -> str:
        return " ".join(token.spoken for token in self.tokens)


def plain_text(text: str) -> str:
    """Return `text` without markup, URLs, stage directions, emoji and control characters; paragraphs stay."""
    text = html.unescape(text).replace("\r\n", "\n").replace("\r", "\n")
    text = unicodedata.normalize("NFC", text)
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return "".join(char if _speakable(char) else " " if char not in "\u200b\u200d\ufe0f\u00ad" else "" for char in text)


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of `text`, none longer than `MAX_SENTENCE_CHARS`; empty when nothing can be said."""
    found: list[Sentence] = []
    for paragraph in re.split(r"\n\s*\n", plain_text(text)):
        groups = _split(_written_tokens(paragraph))
        for index, group in enumerate(groups):
            last = index + 1 == len(groups)
            found.extend(_breaths(_read(group), PARAGRAPH_PAUSE_S if last else SENTENCE_PAUSE_S))
    return found


def _speakable(char: str) -> bool:
    if char in "\n" or char in SYMBOLS:
        return True
    category = unicodedata.category(char)
    if category[0] in "CS" and char not in "+<=>~^`$€£¥|":
        return False
    return not (category[0] == "L" and "LATIN" not in unicodedata.name(char, "") and char not in "µªº")


def _written_tokens(paragraph: str) -> list[str]:
    """Return the written words; a lone dash or other mark without a reading joins the word before it."""
    tokens: list[str] = []
    for part in paragraph.split():
        for piece in (part[at : at + MAX_TOKEN_CHARS] for at in range(0, len(part), MAX_TOKEN_CHARS)):
            if any(char.isalnum() or SYMBOLS.get(char) for char in piece):
                tokens.append(piece)
            elif tokens:
                tokens[-1] += f" {piece}"
    return tokens


def _core(token: str) -> str:
    """Return the token without outer punctuation; a sign or a leading decimal point belongs to its number."""
    start, end = 0, len(token)
    while start < end and token[start] in _OPENING and not re.match(r"[-–.~]\d|['’]\d0s", token[start:]):
        start += 1
    while end > start and (token[end - 1] in _CLOSING or token[end - 1].isspace()):
        end -= 1
    return token[start:end]


def _split(tokens: list[str]) -> list[list[str]]:
    groups: list[list[str]] = [[]]
    for index, token in enumerate(tokens):
        groups[-1].append(token)
        if index + 1 < len(tokens) and _ends_sentence(token, tokens[index + 1]):
            groups.append([])
    return [group for group in groups if group]


def _ends_sentence(token: str, following: str) -> bool:
    tail = token.rstrip("\"'”’»)]* ")
    if not tail or tail[-1] not in ".!?…":
        return False
    core = _core(token)
    if tail[-1] == "." and (core.lower() in TITLES or re.fullmatch(r"[A-HJ-Z]", core)):  # initials; `I.` is a word
        return False
    first = following.lstrip(_OPENING)[:1]
    if re.fullmatch(r"(?:[A-Z]\.)+[A-Z]", core):  # U.S. Army, but: in the U.S. The ...
        return _core(following) in _OPENERS
    open_ended = tail.endswith(("...", "…")) or re.fullmatch(r"(?:[a-z]\.)+[a-z]", core) or core.lower() == "etc"
    if open_ended or tail != token:  # "Really?" she said
        return first.isupper() or first.isdigit()
    return True


def _read(group: list[str]) -> list[Token]:
    """Return the tokens with their readings; outer punctuation becomes the one mark that a voice heeds."""
    cores = [_core(token) for token in group]
    tokens: list[Token] = []
    for index, (token, core) in enumerate(zip(group, cores, strict=True)):
        before = cores[index - 1] if index else ""
        after = cores[index + 1] if index + 1 < len(cores) else ""
        reading = spoken(core, before=before, after=after)
        if not any(char.isalnum() for char in reading):
            if tokens:
                tokens[-1] = Token(f"{tokens[-1].text} {token}", tokens[-1].spoken)
            continue
        tail = token[token.rindex(core) + len(core) :] if core else ""
        tokens.append(
            Token(
                token,
                _marked(reading, _mark(tail, last=index + 1 == len(group), core=core)),
            )
        )
    if tokens and tokens[-1].spoken.rstrip("]")[-1] not in ".!?":
        tokens[-1] = Token(tokens[-1].text, _marked(tokens[-1].spoken, "."))
    return tokens


def _marked(reading: str, mark: str) -> str:
    """Return the reading with `mark` for its last punctuation; in a raw phoneme block it goes inside."""
    block = "]]" if reading.endswith("]]") else ""
    return reading.removesuffix(block).rstrip(",;:.") + mark + block


def _mark(tail: str, *, last: bool, core: str) -> str:
    if last:
        return next((mark for mark in "?!" if mark in tail), ".")
    if tail.startswith(".") and (core.lower() in TITLES or "." in core or len(core) == 1):
        tail = tail[1:]
    for mark in ";:":
        if mark in tail:
            return mark
    return "," if any(mark in tail for mark in ",—–….!?") or tail.strip().startswith("-") else ""


def _breaths(tokens: list[Token], pause_s: float) -> list[Sentence]:
    """Cut a sentence that is too long, after a comma where there is one in the second half."""
    pieces: list[Sentence] = []
    while sum(len(token.spoken) + 1 for token in tokens) > MAX_SENTENCE_CHARS:
        size, fits = 0, 0
        for token in tokens:
            size += len(token.spoken) + 1
            if size > MAX_SENTENCE_CHARS:
                break
            fits += 1
        fits = max(1, fits)
        at = next(
            (n for n in range(fits, fits // 2, -1) if tokens[n - 1].spoken.rstrip("]")[-1] in ",;:"),
            fits,
        )
        head = tokens[:at]
        head[-1] = Token(head[-1].text, _marked(head[-1].spoken, ","))
        pieces.append(Sentence(tuple(head), BREATH_PAUSE_S))
        tokens = tokens[at:]
    return [*pieces, Sentence(tuple(tokens), pause_s)] if tokens else pieces
