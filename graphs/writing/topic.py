"""Finds what a topic is about: the article and the word sense behind the user's phrase."""

from __future__ import annotations

import re
from dataclasses import dataclass

from graphs.writing.encyclopedia import Article, Encyclopedia
from graphs.writing.sentences import STOPWORDS, content_stems, singulars, stem, words
from graphs.writing.wordnet import Sense, WordNet

LONGEST_NAME = 6
LONGEST_PHRASE = 8
"""A longer phrase is a whole sentence: only the noun that was found in it is spoken of."""

_WRAPPING = re.compile(
    r"^(?:please |can you |could you )?(?:(?:make|create|generate|write|produce|do|give me|tell me|show me"
    r"|explain|describe"
    r"|teach me|i want|an?|the|short|brief|quick|funny|humorous|playful|simple|introduction to|guide to|overview of"
    r"|basics of|facts|explainer|explanation|story|video|film|clip|script|narration|about|on|of|for me|us"
    r"|everything)\s+)*"
    r"(?:about|explaining|on how|regarding)\s+(?=\S)",
    re.IGNORECASE,
)
_MANNER = re.compile(
    r"[\s,]*(?:\b(?:explained|simply|simplified|please)\b|\b(?:like|as if) i(?:'|\u2019)?m (?:five|5)\b"
    r"|\bto (?:an? |my )?(?:five[- ]year[- ]old|child(?:ren)?|kids?|beginners?|grandma|grandmother)\b"
    r"|\bfor (?:kids|children|beginners|dummies|everyone)\b|\bin (?:\d+|twenty|thirty|sixty) (?:seconds|minutes?)\b"
    r"|\beli5\b)[\s.!]*$",
    re.IGNORECASE,
)
_ARTICLES = re.compile(r"^(?:the|a|an|some|my|our|your)\s+", re.IGNORECASE)
GENERIC = frozenset(
    """history story basics introduction guide overview summary fact facts science secret secrets art future life world
    way ways reason reasons difference importance benefit benefits explainer explanation video thing things kind type
    types daily weekly monthly new best top great work works working idea ideas role rise fall meaning power beginner
    people today tomorrow year years day days time part parts tip tips question answer big small old good bad lesson
    deep quick little inside behind origin origins evolution discovery invention beauty magic wonder wonders joy trip
    journey tour adventure case short long simple kids children learn company product brand team welcome news update
    market report place home name number area form group use man woman number order point side hand""".split()  # noqa: SIM905 (reads better)
)
"""Words that frame a topic or are too wide to be one: looked at only when nothing else is found."""

_GENERIC_STEMS = frozenset(stem(word) for word in GENERIC)


@dataclass(frozen=True)
class Topic:
    """What the user asked about, and what the sources call it.

    Attributes:
        phrase: the user's words, trimmed, as they fit after `about`.
        name: the noun phrase that was found, singular, lower case unless proper; the phrase itself when nothing was.
        focus: stems of the other words of the phrase: `purr` of `why cats purr`.
        about: the phrase as it is said after `about`, with an article where English wants one.
        partial: the name is only one word of a compound that no source knows as a whole.
    """

    phrase: str
    name: str
    article: Article | None
    sense: Sense | None
    focus: frozenset[str]
    partial: bool = False
    about: str = ""

    @property
    def is_known(self) -> bool:
        return self.article is not None or self.sense is not None

    @property
    def is_question(self) -> bool:
        """Tell whether the phrase is a direct question: `why do we yawn`, not `why cats purr`."""
        return bool(
            re.match(
                r"(?:how|why|what|when|where|who|which)(?: \w+)? (?:do|does|did|is|are|was|were|can|will)\b",
                self.phrase,
                re.I,
            )
        )

    @property
    def is_greeting(self) -> bool:
        """Tell whether the topic is a wish to someone: `welcome our new employees`, `happy birthday to Anna`."""
        return bool(
            re.match(r"(?:welcome|happy|congratulations|congrats|thank|thanks|goodbye|merry)\b", self.phrase, re.I)
        )

    @property
    def stems(self) -> frozenset[str]:
        """The stems that put a sentence on topic."""
        return frozenset(content_stems(self.phrase)) | frozenset(content_stems(self.name))


def clean_phrase(topic: str) -> str:
    """Return the topic as a short phrase: the first sentence, without commands, manner and marks."""
    line = re.split(r"(?<=[a-z0-9])[.!?;\n](?:\s|$)", topic.strip(), maxsplit=1)[0]
    phrase = re.sub(r"[^\w\s'\u2019&,:%$+-]", " ", line)
    phrase = _MANNER.sub("", _WRAPPING.sub("", re.sub(r"\s+", " ", phrase).strip()))
    phrase = " ".join(phrase.strip(" ,:-").split()[:12])
    return phrase or " ".join(words(topic)[:8]) or "this topic"


def find_topic(topic: str, context: str, *, articles: Encyclopedia, nouns: WordNet) -> Topic:
    """Return the topic behind the user's words; the longest known noun phrase wins, then the most specific word.

    Args:
        topic: the user's phrase.
        context: the whole goal, to choose among senses.
    """
    phrase = clean_phrase(topic)
    tokens = re.findall(r"[\w'\u2019&+-]+", phrase)
    lowered = [token.lower().replace("\u2019", "'").removesuffix("'s") for token in tokens]
    best: tuple[float, int, str, Article | None, Sense | None] | None = None
    for size in range(min(LONGEST_NAME, len(tokens)), 0, -1):
        for start in range(len(tokens) - size + 1):
            span = lowered[start : start + size]
            if (span[0] in STOPWORDS and size > 1 and span[0] != "the") or span[-1] in STOPWORDS:
                continue
            found = _look_up(span, context, articles, nouns)
            if found is None:
                continue
            weight = _weight(span, start, len(tokens), found, tokens[start : start + size])
            if best is None or weight > best[0]:
                best = (weight, size, found[0], found[1], found[2])
        if best is not None and best[1] >= 2:
            break
    if best is None:
        return Topic(phrase, _ARTICLES.sub("", phrase), None, None, frozenset(content_stems(phrase)), about=phrase)
    _, _, name, article, sense = best
    used = set(content_stems(name)) | {stem(word) for word in words(name)}
    focus = frozenset(each for each in content_stems(phrase) if each not in used | _GENERIC_STEMS)
    framing = GENERIC | {"erupt", "rise"}
    content = [word for word in lowered if word not in STOPWORDS and word not in framing]
    compound = (
        len(content) == 2 and len(words(name)) == 1 and not re.match(r"(?:how|why|what|when|where)\b", phrase.lower())
    )
    head = articles.named(singulars(content[-1])[-1]) if compound else []
    if head and article not in head:
        article = choose_article(head, context)
        name = singulars(content[-1])[-1]
        sense = nouns.best_sense(name, context)
        focus = frozenset(content_stems(content[0]))
    joined = compound and not head and " ".join(content) in " ".join(lowered)
    return Topic(phrase, name, article, sense, focus, bool(joined), _after_about(phrase, name, articles))


def _after_about(phrase: str, name: str, articles: Encyclopedia) -> str:
    """Return the phrase with `the` before a lone singular: `about the lighthouse`, but `about coffee`."""
    tokens = phrase.split()
    if len(tokens) > LONGEST_PHRASE:
        return name
    bare = tokens[0].islower() and tokens[0].lower() not in STOPWORDS and len(tokens) <= 3 and "and" not in tokens
    singular = tokens[-1].lower() == name.split()[-1] or len(singulars(tokens[-1].lower())) == 1
    return f"the {phrase}" if bare and singular and articles.takes_article(tokens[-1].lower()) else phrase


def _look_up(
    span: list[str], context: str, articles: Encyclopedia, nouns: WordNet
) -> tuple[str, Article | None, Sense | None] | None:
    """Return (name, article, sense) of a run of words, trying the last word's singular."""
    if len(span) == 1 and span[0] in STOPWORDS:
        return None
    for last in reversed(singulars(span[-1])):
        name = " ".join((*span[:-1], last))
        candidates = articles.named(name) or articles.named(" ".join(span))
        article = choose_article(candidates or (articles.kin(name) if len(span) == 1 else []), context)
        sense = nouns.best_sense(name, context)
        if article is None and sense is not None:
            article = _synonym_article(sense, name, articles)
        if article is not None or sense is not None:
            return name, article, sense
    return None


def choose_article(candidates: list[Article], context: str) -> Article | None:
    """Return the article that fits the context best; an unqualified title wins ties."""
    around = set(content_stems(context))

    def fit(article: Article) -> tuple[int, int]:
        shared = len(around & set(content_stems(article.lead + " " + article.title)))
        return (shared, 1 if article.title == article.name else 0)

    return max(candidates, key=fit, default=None)


def _synonym_article(sense: Sense, name: str, articles: Encyclopedia) -> Article | None:
    """Return the article of another name of the same sense: `bike` finds Bicycle."""
    for lemma, rank in zip(sense.lemmas, sense.ranks, strict=True):
        if lemma.lower() != name and rank == 0:
            found = [article for article in articles.named(lemma) if article.title == article.name]
            if found:
                return found[0]
    return None


def _weight(
    span: list[str],
    start: int,
    total: int,
    found: tuple[str, Article | None, Sense | None],
    written: list[str],
) -> float:
    """Return how good a candidate is: longer, with an article, specific, a noun where nouns stand."""
    _, article, sense = found
    weight = 3.0 * len(span) + (2.0 if article is not None else 0.0)
    if len(span) == 1:
        weight -= 4.0 if span[0] in GENERIC else 0.0
        if article is None and sense is not None and not set(sense.lemmas) & set(singulars(span[0])):
            weight -= 1.0
        if span[0].endswith(("ing", "ed")) and article is None:
            weight -= 1.5
    if any(token[:1].isupper() for token in written[1:] or (written if start else [])):
        weight += 0.5
    return weight - 0.1 * start / max(1, total)
