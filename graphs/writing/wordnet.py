"""Reads the packaged WordNet extract and says its glosses as sentences; no topic is chosen here.

Source: WordNet 3.0, Princeton University (licence in `NOTICE`), extract made by `facts/build_wordnet.py`.
"""

from __future__ import annotations

import lzma
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from graphs.writing.sentences import capitalised, content_stems
from graphs.writing.spoken import tidy

SOURCE = "WordNet 3.0"
_EXTRACT = Path(__file__).with_name("facts") / "wordnet-nouns.xz"
_DEEPEST = 14
TOO_WIDE = frozenset(
    (
        "thing",
        "entity",
        "abstraction",
        "object",
        "artifact",
        "matter",
        "act",
        "event",
        "state",
        "condition",
        "attribute",
    )
)
"""Broader terms that tell a listener nothing."""


@dataclass(frozen=True)
class Sense:
    """One noun sense: its names with the most common first, its gloss, and its neighbours as line numbers."""

    line: int
    lemmas: tuple[str, ...]
    ranks: tuple[int, ...]
    hypernyms: tuple[int, ...]
    parts: tuple[int, ...]
    gloss: str

    @property
    def is_proper(self) -> bool:
        return self.lemmas[0][:1].isupper()


class WordNet:
    """The noun senses, found by lemma. Loading takes about 0.3 s and 40 MB."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")

    @cached_property
    def _by_lemma(self) -> dict[str, list[int]]:
        found: dict[str, list[tuple[int, int]]] = {}
        for number, line in enumerate(self._lines):
            for name in line.partition("\t")[0].split(";"):
                lemma, _, rank = name.rpartition(":")
                found.setdefault(lemma.lower(), []).append((int(rank), number))
        return {lemma: [number for _, number in sorted(ranked)] for lemma, ranked in found.items()}

    def sense(self, number: int) -> Sense:
        """Return the sense on a line of the extract."""
        names, hypernyms, parts, gloss = self._lines[number].split("\t")
        pairs = [name.rpartition(":") for name in names.split(";")]
        return Sense(
            line=number,
            lemmas=tuple(pair[0] for pair in pairs),
            ranks=tuple(int(pair[2]) for pair in pairs),
            hypernyms=tuple(int(item) for item in hypernyms.split(",") if item),
            parts=tuple(int(item) for item in parts.split(",") if item),
            gloss=gloss,
        )

    def senses(self, lemma: str) -> list[Sense]:
        """Return the senses of a lemma, most frequent first."""
        return [self.sense(number) for number in self._by_lemma.get(lemma.lower(), ())]

    def knows(self, lemma: str) -> bool:
        return lemma.lower() in self._by_lemma

    def best_sense(self, lemma: str, context: str) -> Sense | None:
        """Return the sense whose gloss shares most with the context; the most frequent one wins ties (Lesk, 1986)."""
        around = set(content_stems(context)) - set(content_stems(lemma))
        senses = self.senses(lemma)
        return max(senses, key=lambda sense: len(around & set(content_stems(sense.gloss))), default=None)

    def ancestors(self, sense: Sense) -> list[str]:
        """Return the first lemma of every broader sense, nearest first."""
        names: list[str] = []
        while sense.hypernyms and len(names) < _DEEPEST:
            sense = self.sense(sense.hypernyms[0])
            names.append(sense.lemmas[0])
        return names

    def is_thing(self, lemma: str) -> bool:
        """Tell whether a lemma's most frequent sense can be seen: an object, a living thing, a phenomenon."""
        senses = self.senses(lemma)
        visible = {"physical object", "object", "living thing", "organism", "natural phenomenon", "substance"}
        return bool(senses) and bool(visible & set(self.ancestors(senses[0])))

    def sentences(self, sense: Sense, subject: str) -> list[str]:
        """Return what the extract says about a sense as sentences about `subject`, such as `a black hole`.

        The definition comes first, then its parts, its kind and its kinds. `subject` carries its own article.
        """
        said: list[str] = []
        verb = "are" if _is_plural(subject) else "was" if re.search(r"-\d{4}\)", sense.gloss) else "is"
        gloss = re.sub(r"^\([^)]*\)\s*", "", sense.gloss)
        name = subject.split()[-1][:5].lower()
        clauses = [tidy(clause).strip(" :,.") for clause in gloss.split(";")]
        clause = next((clause for clause in clauses if f" {name}" not in f" {clause.lower()}"), "")
        if clause != clauses[0] and not re.match(r"(?:\w+ing|an?|the) ", clause):
            clause = ""
        if name in clauses[0].lower() and subject.count(" ") >= 1:
            clause = clauses[0]
        broken = re.match(r"(?:usually|used|any|an? (?:person|someone)|one|who|of|in|to|when|being)\b", clause)
        if clause and not broken and 3 <= len(clause.split()) <= 24:
            said.append(f"{capitalised(subject)} {verb} {self._with_article(clause, sense, verb)}.")
        parts = [self.sense(number).lemmas[0] for number in sense.parts]
        parts = [part for part in parts if part[:1].islower() and " " not in part][:4]
        if len(parts) >= 2 and not sense.is_proper:
            said.append(f"Among the parts of {subject} are the {', the '.join(parts[:-1])} and the {parts[-1]}.")
        name = re.sub(r"^(?:an?|the) ", "", subject)
        above = self.sense(sense.hypernyms[0]).lemmas[0] if sense.hypernyms else ""
        known = set(f"{sense.gloss} {name}".lower().split())
        if above and not sense.is_proper and " " not in above and above not in TOO_WIDE | known:
            said.append(f"{capitalised(subject)} {verb} a kind of {above}.")
        kinds = [] if sense.is_proper else self._kinds(sense)
        if len(kinds) >= 2:
            said.append(f"Among the kinds of {name} are the {', the '.join(kinds[:-1])} and the {kinds[-1]}.")
        return said

    def _kinds(self, sense: Sense) -> list[str]:
        """Return up to three narrower things by their common names."""
        lines = self._narrower.get(sense.line, [])
        names = [self.sense(number).lemmas[0] for number in lines]
        return [name for name in names if name.islower() and len(name.split()) <= 2 and name.isascii()][:3]

    @cached_property
    def _narrower(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for number, line in enumerate(self._lines):
            for above in line.split("\t", 2)[1].split(","):
                if above:
                    found.setdefault(int(above), []).append(number)
        return found

    def _with_article(self, clause: str, sense: Sense, verb: str) -> str:
        if (
            re.match(r"(?:a|an|the|any|one|some|someone|somebody|each|something|anything|two|three|many)\b", clause)
            or verb == "are"
        ):
            return clause
        if re.match(r"(?:\w+ ){0,2}equipment\b", clause):
            return f"a piece of {clause}"
        countable = {"organism", "artifact", "person", "instrumentality", "device", "structure", "natural object"}
        if countable & set(self.ancestors(sense)):
            return ("an " if clause[0] in "aeiouAEIOU" else "a ") + clause
        return clause


def _is_plural(subject: str) -> bool:
    return (
        bool(re.search(r"[a-z]s$", subject))
        and not re.search(r"(ss|us|is|ics)$", subject)
        and not re.match(r"(?:a|an|the) ", subject)
    )


@cache
def wordnet() -> WordNet:
    """Return the packaged extract, read once a process."""
    return WordNet(lzma.decompress(_EXTRACT.read_bytes()).decode())
