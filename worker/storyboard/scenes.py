"""From narration to scenes: which words belong together, and what each scene shows. Pure; no pixels, no clock.

A scene is one sentence, a few short ones, or a clause of a long one. Its background and its sprites are what
its own words call for; where they name nothing, the topic of the whole text decides; where that is silent
too, the scene shows its key phrase in letters.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from worker.speech.timing import Word
from worker.storyboard import lexicon
from worker.storyboard.lexicon import Sprite
from worker.storyboard.phrases import callout, key_phrase

SCENE_S = 4.6  # an explainer changes its picture about this often
SHORTEST_S, LONGEST_S = 2.4, 6.4
MOST_SPRITES = 3
LEAST_DIFFERENT = 4  # backgrounds in a video of four scenes or more
NATURE = frozenset({"mountains", "desert", "forest", "snow", "ocean", "beach", "underwater", "storm"})
_NATURE_TOPICS = """
geography plants animals ocean weather environment farming travel history war sport
"""
AT_HOME_IN_NATURE = frozenset(_NATURE_TOPICS.split())
SHOWN_TWICE = frozenset({("globe", "earth"), ("mountains", "mountain"), ("beach", "beach")})
"""A background that already shows what the sprite shows."""
MOVES = ("push_in", "pan_right", "pull_out", "pan_left", "rise", "orbit")


@dataclass(frozen=True)
class Actor:
    """A sprite in a scene; it enters at `enters_s`, in seconds of the video."""

    sprite: Sprite
    enters_s: float


@dataclass(frozen=True)
class Lettering:
    """Words shown large in the picture."""

    text: str
    enters_s: float


@dataclass(frozen=True)
class Scene:
    """What is shown from `start_s` to `end_s` (seconds of the video).

    Attributes:
        text: what is said meanwhile.
        background: a name of `backgrounds/index.txt`.
        actors: the most important first.
        lettering: a figure or a key phrase to show large, if any.
        move: how the camera moves.
        seed: of everything drawn at random in this scene.
    """

    start_s: float
    end_s: float
    text: str
    background: str
    actors: tuple[Actor, ...]
    lettering: Lettering | None
    move: str
    seed: int


def storyboard(
    words: Sequence[Word],
    *,
    duration_s: float,
    title: str = "",
    stage: str = "",
    facts: Sequence[str] = (),
    seed: int = 0,
) -> list[Scene]:
    """Return the scenes of a narration, without gaps from 0 to `duration_s`.

    Args:
        words: the narration with times, at least one word.
        title, stage: they help to find the topic.
        facts: the sentences that state something; the rest (a joke, a farewell) shows the topic, not its words.
        seed: chooses among equally fitting pictures.
    """
    groups = grouped(words, duration_s=duration_s)
    subjects = lexicon.topics_of(" ".join(word.text for word in words), title=title) or lexicon.topics_of(stage)
    starts = [0.0] + [max(0.0, group[0].start_s - 0.15) for group in groups[1:]]
    chosen: list[Scene] = []
    choice = random.Random(f"storyboard {seed} {title}")
    first_move = choice.randrange(len(MOVES))
    for number, group in enumerate(groups):
        end_s = starts[number + 1] if number + 1 < len(groups) else duration_s
        text = " ".join(word.text for word in group)
        tells = _tells(text, facts)
        meant = text if tells else title
        local = lexicon.topics_of(meant)
        actors = _actors(group if tells else [], [*subjects, *local], chosen, starts[number], end_s)
        background = _background(
            meant, actors, subjects or local, chosen, choice, stage=stage, left=len(groups) - number
        )
        actors = tuple(actor for actor in actors if (background, actor.sprite.name) not in SHOWN_TWICE)
        actors = actors or _defaults(subjects or local, background, chosen, starts[number])
        letters = callout(group) or (None if actors else key_phrase(group, title=title)) if tells else None
        lettering = Lettering(letters[0], max(starts[number] + 0.3, letters[1])) if letters else None
        move = MOVES[(first_move + number) % len(MOVES)]
        chosen.append(Scene(starts[number], end_s, text, background, actors, lettering, move, choice.randrange(2**31)))
    return chosen


def grouped(words: Sequence[Word], *, duration_s: float) -> list[list[Word]]:
    """Return the words in groups of one scene each: at least one group every five seconds where the words allow."""
    least = max(1, min(round(duration_s / 5), len(words) // 2))
    groups = _sentences(words)
    while len(groups) > 1:
        length, at = min((_length(groups, at, duration_s), at) for at in range(len(groups)))
        crowded = len(groups) > max(least, round(duration_s / SCENE_S))
        if length >= SHORTEST_S and not (crowded and length < SCENE_S * 0.75):
            break
        if len(groups) <= least and length >= SHORTEST_S * 0.6:
            break
        at = at if at + 1 < len(groups) and (at == 0 or _length(groups, at + 1, duration_s) < 4) else max(0, at - 1)
        groups[at : at + 2] = [groups[at] + groups[at + 1]]
    while True:
        length, at = max((_length(groups, at, duration_s), at) for at in range(len(groups)))
        if (length <= LONGEST_S and len(groups) >= least) or len(groups[at]) < 4:
            return groups
        cut = _cut(groups[at])
        groups[at : at + 1] = [groups[at][:cut], groups[at][cut:]]


def _tells(text: str, facts: Sequence[str]) -> bool:
    """Tell whether a group says something of a sourced sentence; without sources every group does."""
    said = text.casefold()
    return not facts or any(said in fact.casefold() or fact.casefold() in said for fact in facts)


def _sentences(words: Sequence[Word]) -> list[list[Word]]:
    groups: list[list[Word]] = [[]]
    for word in words:
        groups[-1].append(word)
        if re.search(r"[.!?…]['\")\]]*$", word.text) and not re.fullmatch(r"(?i)(mr|mrs|dr|st|vs|\w)\.", word.text):
            groups.append([])
    return [group for group in groups if group]


def _length(groups: list[list[Word]], at: int, duration_s: float) -> float:
    start_s = groups[at][0].start_s if at else 0.0
    return (groups[at + 1][0].start_s if at + 1 < len(groups) else duration_s) - start_s


def _cut(group: list[Word]) -> int:
    """Return where to split a long sentence: near its middle, best after a comma or before a joining word."""
    middle = (group[0].start_s + group[-1].end_s) / 2
    span = max(0.1, group[-1].end_s - group[0].start_s)

    def cost(at: int) -> float:
        stop, pause = group[at - 1].text[-1] in ".!?", group[at - 1].text[-1] in ",;:—-"
        orphan = any(word.text[-1] in ".!?" for word in (*group[max(0, at - 3) : at - 1], *group[at : at + 2]))
        joint = group[at].text.lower() in {"and", "but", "while", "because", "so", "then", "until", "when", "where"}
        return (
            abs(group[at].start_s - middle) / span
            - (0.6 if stop else 0.3 if pause else 0.15 if joint else 0.0)
            + 0.5 * orphan
        )

    return min(range(2, len(group) - 1), key=cost)


def _actors(
    group: list[Word], subjects: list[str], before: list[Scene], start_s: float, end_s: float
) -> tuple[Actor, ...]:
    spoken: list[tuple[str, Word]] = [(token, word) for word in group for token in lexicon.tokens_of(word.text)]
    hits = lexicon.sprite_words().scan([token for token, _ in spoken], topics=subjects)
    used = [actor.sprite.name for scene in before for actor in scene.actors]
    last = [actor.sprite.name for actor in before[-1].actors] if before else []
    found: dict[str, float] = {}
    for hit in hits:
        found.setdefault(hit.name, spoken[hit.at][1].start_s)
    fresh = sorted(found, key=lambda name: (name in last, used.count(name)))[:MOST_SPRITES]
    if len(fresh) > 1:
        fresh = [name for name in fresh if name not in last] or fresh[:1]
    in_order = sorted(fresh, key=lambda name: found[name])
    latest = max(start_s, end_s - 1.2)
    actors = [Actor(lexicon.sprites()[name], min(latest, max(start_s, found[name]))) for name in in_order]
    if actors:
        actors[0] = Actor(actors[0].sprite, start_s + min(0.35, actors[0].enters_s - start_s))
    return tuple(actors)


def _defaults(subjects: list[str], background: str, before: list[Scene], start_s: float) -> tuple[Actor, ...]:
    """Return a picture that fits the topic for a sentence that names nothing: the one shown longest ago."""
    if background in NATURE and not AT_HOME_IN_NATURE & set(subjects[:1]):
        return ()
    used = [actor.sprite.name for scene in before for actor in scene.actors]
    last = {actor.sprite.name for actor in before[-1].actors} if before else set[str]()
    grounded = background in lexicon.grounded_backgrounds()
    fitting = [
        sprite
        for subject in subjects[:1]
        for sprite in map(lexicon.sprites().__getitem__, lexicon.topics()[subject].sprites)
        if sprite.name not in last
        and (background, sprite.name) not in SHOWN_TWICE
        and (sprite.place in {"float", "sky"} or (sprite.place == "ground" and grounded))
    ]
    if not fitting:
        return ()
    best = min(fitting, key=lambda sprite: (used.count(sprite.name), fitting.index(sprite)))
    return (Actor(best, start_s + 0.3),)


def _background(
    text: str,
    actors: tuple[Actor, ...],
    subjects: list[str],
    before: list[Scene],
    choice: random.Random,
    *,
    stage: str,
    left: int,
) -> str:
    """Return the best-fitting background; `left` scenes are still to choose, this one included."""
    score: dict[str, float] = {}

    def add(names: str, points: float) -> None:
        for name in names.split("|"):
            score[name] = score.get(name, 0.0) + points

    for hit in lexicon.background_words().scan(lexicon.tokens_of(text)):
        add(hit.name, (2.0 + hit.length) / (1 + 0.35 * hit.name.count("|")))
    for rank, subject in enumerate(subjects[:3]):
        for place, name in enumerate(lexicon.topics()[subject].backgrounds):
            add(name, max(0.3, 2.6 - 0.35 * place) * (1.0, 0.55, 0.35)[rank])
    for hit in lexicon.background_words().scan(lexicon.tokens_of(stage)):
        add(hit.name, 0.25)
    add("soft", 0.4)
    kinds = {actor.sprite.place for actor in actors}
    seen = {scene.background for scene in before}
    again = 3.2 if len(seen) + left - 1 >= LEAST_DIFFERENT else 8.0
    if "under" not in kinds and actors:
        add("underwater", -3.0)
    for name in list(score):
        grounded = name in lexicon.grounded_backgrounds()
        score[name] += 1.4 if grounded and "ground" in kinds else -1.2 if "ground" in kinds else 0.0
        score[name] += {"ocean": 5.0, "beach": 2.0}.get(name, 0.0 if grounded else -6.0) if "water" in kinds else 0.0
        score[name] += 4.0 if name == "underwater" and "under" in kinds else 0.0
        score[name] -= sum(again for scene in before if scene.background == name)
        score[name] -= 6.0 if before and before[-1].background == name else 0.0
        score[name] += choice.random() * 0.3
    return max(score, key=lambda name: (score[name], name))
