"""Words call for the right pictures, and for none rather than a silly one."""

import pytest

from worker.storyboard import lexicon
from worker.storyboard.backgrounds.catalogue import PAINTERS


def pictures(sentence: str) -> list[str]:
    hits = lexicon.sprite_words().scan(lexicon.tokens_of(sentence), topics=lexicon.topics_of(sentence))
    return [hit.name for hit in hits]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("A rocket reached Saturn.", ["rocket", "ringed-planet"]),
        ("Wolves hunt deer in packs.", []),  # irregular plurals are listed or left out, never guessed
        ("The library keeps many books.", ["books", "books"]),
        ("Two puppies chased the cats.", ["dog", "cat"]),
        ("Compound interest makes money.", ["chart-up", "money-bag"]),
        ("The Roman roads were straight.", []),
        ("A python swallowed an animal whole; the snake slept.", ["snake", "snake"]),
        ("Vaccines train antibodies.", ["syringe", "shield"]),
    ],
)
def test_a_sentence_calls_for_what_it_names(sentence: str, expected: list[str]) -> None:
    found = pictures(sentence)
    assert set(expected) <= set(found)


@pytest.mark.parametrize(
    ("sentence", "silly"),
    [
        ("Birds are flying south.", {"mosquito", "bee"}),
        ("The mountains are high.", {"train", "locomotive", "metro"}),
        ("We swim in the sea.", {"seal"}),
        ("The tree grows tall.", {"christmas-tree"}),
        ("Engineers train a model on data.", {"train"}),
        ("She can ship the order tomorrow.", {"ship"}),
        ("The judges fired him.", {"fire"}),
        ("This is the key idea of the text.", {"key"}),
        ("It is not rocket science.", {"rocket"}),
        ("They watch a show.", {"watch", "alarm-clock"}),
        ("Neurons fire the muscles.", {"fire"}),
        ("The bank of the river is muddy.", {"bank"}),
        ("Python is a programming language.", {"snake"}),
        ("The greenhouse effect warms us.", {"house"}),
        ("At the heart of the galaxy sits a giant.", {"heart", "heart-organ"}),
        ("A movie star arrived.", {"star"}),
        ("Prices rise and the cost bears on families.", {"bear"}),
        ("He spoke with his mouse at hand on the desk.", {"mouse"}),
        ("The heart of the matter is simple.", {"heart", "heart-organ"}),
        ("Time flies when you have fun.", {"mosquito", "bee"}),
    ],
)
def test_no_silly_picture_is_chosen(sentence: str, silly: set[str]) -> None:
    assert not silly & set(pictures(sentence))


def test_every_sprite_of_the_index_is_shipped_and_nothing_else() -> None:
    shipped = {path.stem for path in (lexicon.HERE / "sprites").glob("*.webp")}
    assert shipped == set(lexicon.sprites())


def test_topics_and_backgrounds_name_only_what_exists() -> None:
    for topic in lexicon.topics().values():
        assert set(topic.backgrounds) <= set(PAINTERS), topic.name
        assert set(topic.sprites) <= set(lexicon.sprites()), topic.name
    assert lexicon.grounded_backgrounds() <= set(PAINTERS)


def test_the_title_decides_the_topic_of_a_vague_text() -> None:
    assert lexicon.topics_of("It swings and nobody sits still.", title="Jazz")[0] == "music"
