import pytest

from khabar.style import Style, inside, style
from khabar.types import Span


def test_lix_by_hand() -> None:
    # Two sentences of 2 and 1 words with 3, 7 and 2 letters; the single character is punctuation.
    # 3/2 words a sentence, 12/3 letters a word, 1 of 3 words longer than six letters: 1.5 + 100/3.
    measured = style([[Span(0, 3), Span(4, 11), Span(11, 12)], [Span(13, 15)]])
    assert measured.sentence == 1.5
    assert measured.word == 4
    assert measured.lix == pytest.approx(1.5 + 100 / 3)


def test_sentences_of_punctuation_alone_are_none() -> None:
    assert style([[Span(0, 1)], [Span(2, 6)]]) == style([[Span(2, 6)]])
    assert style([[Span(0, 1)]]) == Style(sentence=0.0, word=0.0, lix=0.0)


def test_the_share_within_a_range_counts_its_ends() -> None:
    def made(value: float) -> Style:
        return Style(sentence=value, word=value, lix=2 * value)

    found = inside([made(1), made(2), made(3), made(9)], [made(2), made(3)])
    assert found == {"sentence": 0.5, "word": 0.5, "lix": 0.5}
