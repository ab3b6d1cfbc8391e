"""How a document reads, from the lengths of its words and sentences alone, so that it can be said of wire too."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from khabar.corpus import GoldSet
from khabar.types import Span

LONG = 7


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """A document's mean sentence in words, mean word in letters, and LIX.

    LIX is words a sentence plus the percentage of words longer than six letters (Björnsson 1968); it is used
    here because it needs no syllables and so can be counted in Arabic and English alike. Of Arabic it
    is comparable with Arabic only.
    """

    sentence: float
    word: float
    lix: float


def style(sentences: Sequence[Sequence[Span]]) -> Style:
    """Measure one document.

    Args:
        sentences: its tokens. Of wire no more is known of a token than its length, so single characters are taken
            for punctuation: "a", "I" and single digits are lost as words, in all documents alike.
    """
    rows = [[len(token) for token in row if len(token) > 1] for row in sentences]
    rows = [row for row in rows if row]
    lengths = [length for row in rows for length in row]
    if not lengths:
        return Style(sentence=0.0, word=0.0, lix=0.0)
    mean = len(lengths) / len(rows)
    long = sum(length >= LONG for length in lengths) / len(lengths)
    return Style(sentence=mean, word=sum(lengths) / len(lengths), lix=mean + 100 * long)


MEASURES = ("sentence", "word", "lix")


def inside(ours: Sequence[Style], others: Sequence[Style]) -> dict[str, float]:
    """Give the share of documents whose figure lies between the smallest and the largest of others, by measure.

    Args:
        ours: documents; at least one.
        others: whose range it is; at least one.
    """
    found = {}
    for name in MEASURES:
        values = [getattr(item, name) for item in others]
        low, high = min(values), max(values)
        found[name] = sum(low <= getattr(item, name) <= high for item in ours) / len(ours)
    return found


def styles(gold: GoldSet, lang: str) -> dict[str, Style]:
    """Measure the documents of one language, by document.

    Args:
        gold: any gold set.
        lang: en or ar.
    """
    return {
        document.doc_id: style(gold.tokens[document.doc_id]) for document in gold.documents if document.lang == lang
    }
