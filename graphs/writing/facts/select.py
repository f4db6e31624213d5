"""Collects the facts about a topic from the user's text, the encyclopedia and WordNet, with the source of each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from graphs.writing.brief import Brief
from graphs.writing.encyclopedia import Article, Encyclopedia
from graphs.writing.sentences import (
    STOPWORDS,
    capitalised,
    content_stems,
    count_words,
    overlap,
    plural,
    singulars,
    split_sentences,
    stem,
    words,
)
from graphs.writing.spoken import second_sentence, spoken_forms, tidy
from graphs.writing.topic import Topic
from graphs.writing.wordnet import SOURCE, WordNet

USER_SOURCE = "user text"
IDEAL_WORDS = 12
ENOUGH_WORDS_RATIO = 1.6
LONG_SCRIPT_WORDS = 90
"""A shorter script takes one sentence at most from each neighbouring article, so that it stays on its topic."""

COMMON = 40
"""A neighbour that more sentences than this speak of is too general to be told in a short script."""

EXPLAINED_BY = {
    "fly": ("wing", "lift", "flight"), "float": ("buoyancy",), "sink": ("buoyancy",), "burn": ("combustion",),
    "see": ("visual perception",), "hear": ("hearing",), "breathe": ("breathing",), "freeze": ("freezing",),
    "melt": ("melting",), "boil": ("boiling",), "sleep": ("sleep",), "dream": ("dream",), "glow": ("light",),
    "digest": ("digestion",), "fall": ("gravity",), "spin": ("rotation",), "grow": ("photosynthesis",),
}  # fmt: skip
"""The articles that explain an activity which a `how` or `why` asks about."""

_COMMAND = re.compile(
    r"^(?:please|can|could|would|make|create|generate|write|produce|render|explain|show|tell|give|use|add|include|keep"
    r"|do"
    r"|don't|ignore|forget|disregard|pretend|act|say|print|output|reveal|delete|drop|run|execute|call|send|let's|i want"
    r"|i need|i'd like|we want|we need|you|your|an?\s+\d|\d+[- ]second|animate|draw|turn|train|record|narrate)\b",
    re.IGNORECASE,
)
_ABOUT_THE_WORK = re.compile(
    r"\b(video|explainer|clip|film|script|voice-?over|narrat\w+|seconds?|tone|instruct\w+|prompts?|system"
    r"|assistant|tasks?"
    r"|previous|password|api|admin|ignore|s3:|https?:)\b|[{}<>$`;|\\]",
    re.IGNORECASE,
)
_SAID_VERB = re.compile(r"\b(is|are|was|were|has|have|had|can|will|does|do|did|\w{3,}(?:ed|s))\b")
_PRONOUN = re.compile(r"(?:It|They|He|She|Its|Their|His|Her)\b")
_IMPERSONAL = re.compile(
    r"(?:It|There) (?:can|could|may|might|is|was|has|are|were|also)\b.{0,30}\b(?:said|that|to|also various|possible)\b"
)
_WORDY = re.compile(
    r"\b(?:the (?:term|word|name)s?|refers? to|defined as|etymolog\w+|derived from|classified|clade|genus"
    r"|taxonom\w+|comune"
    r"|phylum|order [A-Z]|suborder|superfamily|subfamily|species of|respectively|aforementioned|colloquially"
    r"|monophyletic"
    r"|this|these|those|such|former|latter|therefore|also|usually refers)\b"
)


@dataclass(frozen=True)
class Fact:
    """One true sentence in one or more lengths, longest first, with its source and how well it suits a listener."""

    forms: tuple[str, ...]
    source: str
    score: float
    order: int


def user_facts(brief: Brief) -> list[Fact]:
    """Return the statements of the user's own text; commands and remarks about the video are not among them."""
    found: list[Fact] = []
    for position, text in enumerate((brief.notes, brief.goal)):
        for sentence in split_sentences(text):
            said = tidy(sentence)
            if not said.endswith((".", "!")) or _COMMAND.match(said) or _ABOUT_THE_WORK.search(said):
                continue
            if not 4 <= count_words(said) <= 32 or not _SAID_VERB.search(said):
                continue
            if re.search(r"[^\w\s.,'\"!?%&:()-]", said) or any(overlap(said, fact.forms[0]) > 0.8 for fact in found):
                continue
            found.append(Fact((capitalised(said),), USER_SOURCE, 14.0 - 0.1 * len(found) - position, len(found)))
    return found


class Library:
    """The packaged sources together: what they say about a topic, best first in `Fact.score`."""

    def __init__(self, articles: Encyclopedia, nouns: WordNet) -> None:
        self._articles = articles
        self._nouns = nouns

    def facts(self, topic: Topic, *, wanted_words: int) -> list[Fact]:
        """Return facts about the topic in the order of telling; more than needed, so that lengths can be fitted."""
        found: list[Fact] = []
        subject = self.subject(topic)
        if topic.partial:
            return self._of_components(topic)
        if topic.article is not None:
            found += self._of_article(topic.article, topic, subject, first=0)
        if topic.sense is not None and (topic.article is None or self._same_thing(topic, found)):
            found = self._with_gloss(found, topic, subject)
        found = _without_repeats(found)
        if _words_of(found) < wanted_words * ENOUGH_WORDS_RATIO or topic.focus:
            found = _without_repeats(found + self._explanations(topic) + self._mentions(topic))
        if _words_of(found) < wanted_words:
            found = _without_repeats(found + self._related(topic, wanted_words))
        return found

    def subject(self, topic: Topic) -> str:
        """Return the topic as the subject of a sentence: `a black hole`, `coffee`, `the Moon`, `Rome`."""
        if topic.article is not None:
            named = re.escape(topic.article.name)
            match = re.search(
                rf"\b((?:(?:[Aa]n?|[Tt]he) )?{named}(?:s|es)?)\b", topic.article.lead[:160], re.IGNORECASE
            )
            if match:
                text = match.group(1)
                if topic.phrase.lower() == f"the {text.lower()}":
                    return f"the {text}"
                senses = self._nouns.senses(topic.article.name)
                common = text.split()[0].lower() in ("a", "an", "the") or (senses and not senses[0].is_proper)
                return text[0].lower() + text[1:] if common else text
        if topic.sense is not None and topic.sense.is_proper:
            named = next((each for each in topic.sense.lemmas if each.lower() == topic.name), topic.sense.lemmas[0])
            return f"the {named}" if topic.phrase.lower() == f"the {named.lower()}" else named
        counted = self._articles.takes_article(topic.name)
        if counted is None and topic.sense is not None:
            counted = topic.sense.gloss.startswith(("a ", "an "))
        if counted or self._is_concrete(topic):
            return ("an " if topic.name[:1] in "aeiou" else "a ") + topic.name
        return topic.name

    def _is_concrete(self, topic: Topic) -> bool:
        if topic.sense is None:
            return False
        above = set(self._nouns.ancestors(topic.sense))
        return bool(above & {"organism", "artifact", "instrumentality", "device"}) and not above & {"substance", "food"}

    def _of_article(self, article: Article, topic: Topic, subject: str, *, first: int) -> list[Fact]:
        found: list[Fact] = []
        named = capitalised(subject)
        on_subject = True
        for position, sentence in enumerate(_sentences(article.lead)):
            on_subject = on_subject or article.name.lower() in sentence.lower()
            if _IMPERSONAL.match(sentence):
                continue
            forms = spoken_forms(sentence)
            forms = [
                _named(form, named) if _PRONOUN.match(form) else form
                for form in forms
                if on_subject or not _PRONOUN.match(form)
            ]
            if not _PRONOUN.match(sentence):
                on_subject = bool(position == 0 or re.search(rf"\b{re.escape(article.name)}", sentence[:60], re.I))
            if forms:
                score = _score(forms[-1], topic) + (3.0 if position == 0 else 0.0) - 0.2 * position
                found.append(Fact(tuple(dict.fromkeys(forms)), article.source, score, first + position))
        return found

    def _of_components(self, topic: Topic) -> list[Fact]:
        """Return what is known of the single words of a compound that no source knows as a whole."""
        found: list[Fact] = []
        for word in (singulars(each)[-1] for each in topic.phrase.lower().split()):
            articles, sense = self._articles.named(word), self._nouns.best_sense(word, topic.phrase)
            part = Topic(word, word, articles[0] if articles else None, sense, frozenset())
            if part.is_known and word not in STOPWORDS:
                new = self.facts(part, wanted_words=0)[:3]
                found += [Fact(fact.forms, fact.source, fact.score - 2, 20 * len(found) + fact.order) for fact in new]
        return found

    def _same_thing(self, topic: Topic, found: list[Fact]) -> bool:
        """Tell whether the noun sense and the article mean the same: they share words beyond the name."""
        assert topic.article is not None
        assert topic.sense is not None
        shared = set(content_stems(topic.sense.gloss)) & set(content_stems(topic.article.lead))
        return len(shared - set(content_stems(topic.name))) >= 2

    def _with_gloss(self, found: list[Fact], topic: Topic, subject: str) -> list[Fact]:
        """Put WordNet's definition in, first when it says it more simply than the encyclopedia does."""
        assert topic.sense is not None
        source = f"{SOURCE}: {topic.name}"
        said = self._nouns.sentences(topic.sense, subject)
        glosses = [
            Fact((text,), source, _score(text, topic) + (2.0 if not index else -2.5), 50 * min(index, 1) + index)
            for index, text in enumerate(said)
        ]
        lead = next((fact for fact in found if fact.order == 0), None)
        if not glosses or not lead:
            return [*glosses, *found]
        defined = glosses[0]
        if defined.score > lead.score + 1.0:
            return [defined, *(fact for fact in found if fact is not lead), *glosses[1:]]
        return [*found, *glosses[1:]]

    def _explanations(self, topic: Topic) -> list[Fact]:
        """Return what explains the asked activity: `how airplanes fly` is told by Wing, Lift and Flight."""
        names = [name for activity, names in EXPLAINED_BY.items() if stem(activity) in topic.focus for name in names]
        found: list[Fact] = []
        for name in names:
            article = next(iter(self._articles.named(name)), None)
            for sentence in split_sentences(article.lead)[:3] if article else ():
                forms = spoken_forms(sentence)
                if article and forms and re.search(rf"\b{name}", forms[-1][:30], re.IGNORECASE):
                    found.append(Fact(tuple(forms), article.source, _score(forms[-1], topic) + 5.0, 60 + len(found)))
                    break
        return found

    def _mentions(self, topic: Topic) -> list[Fact]:
        """Return sentences of other articles that name their own subject and speak of the topic."""
        found: list[Fact] = []
        for article, sentence in self._articles.mentions(topic.name):
            if article is topic.article or article.field == "People":
                continue
            forms = [
                form
                for form in spoken_forms(sentence)
                if _speaks_of(topic.name, form)
                and re.match(rf"(?:An?|The)? ?{re.escape(article.name)}", form, re.IGNORECASE)
                and len(article.name) > 2
            ]
            if forms:
                named = re.search(rf"\b{re.escape(topic.name)}\b", article.title, re.IGNORECASE) is not None
                near = named or bool(topic.focus & set(content_stems(forms[-1])))
                score = _score(forms[-1], topic) - (2.5 if near else 6.0)
                found.append(Fact(tuple(forms), article.source, score, 100 + len(found)))
        return found

    def _related(self, topic: Topic, wanted_words: int) -> list[Fact]:
        """Return leads of the things that the topic's own text names, to fill a longer script."""
        if topic.article is None:
            ancestors = self._nouns.ancestors(topic.sense)[:3] if topic.sense else []
            names = [name for name in ancestors if len(name) > 2]
        else:
            names = _named_things(topic.article.lead)
        tangents = ("People", "Geography") if wanted_words < LONG_SCRIPT_WORDS else ("People",)
        found: list[Fact] = []
        for name in names:
            articles = [
                each for each in self._articles.named(name) if each is not topic.article and each.field not in tangents
            ]
            if not articles or _words_of(found) > wanted_words * 2:
                continue
            if topic.article is not None and wanted_words < LONG_SCRIPT_WORDS and self._articles.count(name) > COMMON:
                continue
            sub = Topic(name, articles[0].name, articles[0], None, frozenset())
            start = 200 + 20 * len(found)
            new = [
                Fact(fact.forms, fact.source, fact.score - 5.0, fact.order)
                for fact in self._of_article(articles[0], sub, self.subject(sub), first=start)
                if re.match(rf"(?:An? |The )?{re.escape(articles[0].name)}", fact.forms[-1], re.IGNORECASE)
            ]
            found += new[: 1 if topic.article is not None and wanted_words < LONG_SCRIPT_WORDS else 4]
        return found


def _sentences(lead: str) -> list[str]:
    """Return the sentences of a lead, each second predicate as a sentence after its own."""
    pairs = [(sentence, second_sentence(sentence)) for sentence in split_sentences(lead)]
    return [each for pair in pairs for each in pair if each]


def _named(form: str, subject: str) -> str:
    """Replace a leading pronoun by the subject."""
    if form.startswith(("Its ", "Their ", "His ", "Her ")):
        owner = subject + ("'" if subject.endswith("s") else "'s")
        return f"{owner} {form.split(' ', 1)[1]}"
    if form.startswith("They ") and re.match(r"(?:An?|The) ", subject):
        subject = capitalised(plural(subject.split(" ", 1)[1]))
    return f"{subject} {form.split(' ', 1)[1]}"


def _speaks_of(name: str, sentence: str) -> bool:
    """Tell whether the sentence means the thing itself: `contract bridge` and `ear canal` are other things.

    A word before the name must be a function word, or both be written large as in `Suez Canal`.
    """
    for match in re.finditer(rf"(?:([\w'-]+) )?\b({re.escape(name)}(?:s|es)?)\b", sentence, re.IGNORECASE):
        before, itself = match.groups()
        if before is None or before.lower() in STOPWORDS or (before[0].isupper() and itself[0].isupper()):
            return True
    return False


def _named_things(lead: str) -> list[str]:
    """Return the runs of one to three words of a lead, longer first, in the order of the text."""
    tokens = words(lead)
    runs = [" ".join(tokens[at : at + size]) for size in (3, 2) for at in range(len(tokens) - size + 1)]
    singles = [token for token in tokens if len(token) > 5]
    return list(dict.fromkeys(runs + singles))


def _score(sentence: str, topic: Topic) -> float:
    """Return how well a sentence suits a listener: short, plain words, few figures and names, on the topic."""
    tokens = words(sentence)
    stems = set(content_stems(sentence))
    score = 10.0 - 0.22 * abs(count_words(sentence) - IDEAL_WORDS)
    score += 2.0 if stems & set(content_stems(topic.name)) else 0.0
    score += 6.0 * len(stems & topic.focus)
    score -= 0.7 * sum(1 for token in tokens[1:] if token[:1].isupper() and token.lower() not in topic.name.lower())
    score -= sum(0.8 if len(token) >= 13 else 0.3 if len(token) >= 11 else 0.0 for token in tokens)
    score -= 1.0 * max(0, sum(1 for token in tokens if token[:1].isdigit()) - 1)
    score -= 1.5 * len(_WORDY.findall(sentence)) + 0.4 * sentence.count(",")
    return score


def _words_of(facts: list[Fact]) -> int:
    return sum(count_words(fact.forms[0]) for fact in facts)


def _without_repeats(facts: list[Fact]) -> list[Fact]:
    kept: list[Fact] = []
    for fact in facts:
        if all(overlap(fact.forms[-1], other.forms[0]) < 0.75 for other in kept):
            kept.append(fact)
    return kept
