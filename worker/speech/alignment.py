"""Which sounds belong to which written word: phonemes of a sentence matched with those of each word alone. Pure.

espeak merges words (`of the` becomes one phoneme word) and weakens vowels in context, so spaces do not tell where a
word begins. Characters do: both phoneme texts are matched with `difflib`, and what differs is shared out in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from worker.speech.timing import Phoneme

_STRESS = "ˈˌ"
_LENGTH = "ːˑʲʰ\u0303\u0325\u0329\u032f"
_PAUSES = frozenset(" ^$.,;:!?-—()\"'…_")


def timed_phonemes(symbols: Sequence[tuple[str, int]], *, rate_hz: int, start_s: float) -> list[Phoneme]:
    """Return gap-free phonemes: a stress mark joins the sound after it, a length mark the one before it.

    Args:
        symbols: Piper symbols, each with its number of samples; they sum to the length of the audio.
        start_s: where the first symbol starts.
    """
    joined: list[list[str | int]] = []
    held = 0
    for symbol, samples in symbols:
        if symbol in _STRESS:
            held += samples
        elif symbol in _LENGTH and joined and joined[-1][0] != " " and not held:
            joined[-1][1] = int(joined[-1][1]) + samples
        else:
            joined.append([" " if symbol in ("^", "$") else symbol, samples + held])
            held = 0
    if held and joined:
        joined[-1][1] = int(joined[-1][1]) + held
    phonemes: list[Phoneme] = []
    at = 0
    for symbol, samples in joined:
        end = at + int(samples)
        phonemes.append(Phoneme(str(symbol), start_s + at / rate_hz, start_s + end / rate_hz))
        at = end
    return phonemes


def word_spans(phonemes: Sequence[Phoneme], words: Sequence[str]) -> list[tuple[float, float]]:
    """Return (start_s, end_s) of every word: in order, never overlapping, pauses left between them.

    Args:
        phonemes: of the whole sentence, in order.
        words: the phonemes of each word spoken alone.
    """
    sounds = [phoneme for phoneme in phonemes if phoneme.symbol not in _PAUSES]
    alone = ["".join(char for char in word if char not in _PAUSES and char not in _STRESS + _LENGTH) for word in words]
    owners = [index for index, word in enumerate(alone) for _ in word]
    if not sounds or not words:
        return [(phonemes[0].start_s, phonemes[0].start_s) if phonemes else (0.0, 0.0) for _ in words]
    owned = _owners("".join(alone), owners, "".join(sound.symbol[0] for sound in sounds), len(words))
    firsts: list[int] = [owned.index(word) if word in owned else -1 for word in range(len(words))]
    lasts = [len(owned) - 1 - owned[::-1].index(word) if word in owned else -1 for word in range(len(words))]
    spans = [
        (sounds[first].start_s, sounds[last].end_s) if first >= 0 else None
        for first, last in zip(firsts, lasts, strict=True)
    ]
    return _filled(spans, start_s=sounds[0].start_s, end_s=sounds[-1].end_s)


def _owners(alone: str, owners: list[int], spoken: str, words: int) -> list[int]:
    """Return for each sound of the sentence the word that it belongs to; never decreasing."""
    owned = [-1] * len(spoken)
    matcher = SequenceMatcher(None, alone, spoken, autojunk=False)
    for tag, from_alone, to_alone, from_spoken, to_spoken in matcher.get_opcodes():
        if tag == "equal" or tag == "replace":
            size = to_spoken - from_spoken
            for offset in range(size):
                owned[from_spoken + offset] = owners[from_alone + offset * (to_alone - from_alone) // size]
    for index in range(len(owned)):  # sounds that no word has alone stay with the word before them
        if owned[index] < 0:
            owned[index] = owned[index - 1] if index else (owners[0] if owners else 0)
    return owned


def _filled(spans: list[tuple[float, float] | None], *, start_s: float, end_s: float) -> list[tuple[float, float]]:
    """Give words without a sound of their own a share of the word before them, so that every word has a time."""
    filled: list[tuple[float, float]] = []
    index = 0
    while index < len(spans):
        until = index + 1
        while until < len(spans) and spans[until] is None:
            until += 1
        start, end = spans[index] or (
            start_s,
            next((span[0] for span in spans if span), end_s),
        )
        share = (end - start) / (until - index)
        filled.extend((start + n * share, start + (n + 1) * share) for n in range(until - index))
        index = until
    return filled
