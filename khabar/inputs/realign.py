"""Other people's tokens found again in a text, where they were cut otherwise than khabar's."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from khabar.types import Span

_PIECE_MARKS = ("##", "▁", "Ġ", "@@")
_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}
_QUOTES = {"``": '"', "''": '"', "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'"}
TATWEEL = "\u0640"


def fold(text: str) -> tuple[str, list[int]]:
    """Fold a text to what tokenisers leave alone, with each character's place in the text.

    White space, Arabic diacritics, tatweel and formatting characters are dropped; characters are
    composed compatibly (NFKC), quotation marks made straight, dashes short.

    Args:
        text: any text.

    Returns:
        The folded text and, for each of its characters, the index of the one that it comes from.
    """
    letters: list[str] = []
    places: list[int] = []
    for at, char in enumerate(text):
        for part in _QUOTES.get(char, unicodedata.normalize("NFKC", char)):
            if part.isspace() or part == TATWEEL or unicodedata.category(part) in ("Mn", "Cf"):
                continue
            letters.append("-" if unicodedata.category(part) == "Pd" else part)
            places.append(at)
    return "".join(letters), places


def _fold_word(word: str) -> str:
    for mark in _PIECE_MARKS[:3]:
        word = word.removeprefix(mark) if word != mark else ""
    word = word.removesuffix("@@")
    return fold(_BRACKETS.get(word, _QUOTES.get(word, word)))[0]


def align_words(text: str, words: Sequence[str]) -> tuple[list[Span | None], int | None]:
    """Find words in a text, one after another, with nothing but white space between them.

    Args:
        text: the document's text.
        words: in the order of the text; marks of word pieces (##, ▁, Ġ, @@) and bracket names
            (-LRB-) are understood.

    Returns:
        A span for each word (None for a word that is nothing but marks), and the number of the first
        word that does not stand where it should, or None.
    """
    folded, places = fold(text)
    spans: list[Span | None] = []
    at = 0
    for number, word in enumerate(words):
        letters = _fold_word(word)
        if not letters:
            spans.append(None)
            continue
        if not folded.startswith(letters, at):
            return spans, number
        last = places[at + len(letters) - 1]
        spans.append(Span(places[at], _with_marks(text, last + 1)))
        at += len(letters)
    return spans, None


def _with_marks(text: str, end: int) -> int:
    """Move an end behind the diacritics of the last letter: they belong to it."""
    while end < len(text) and (unicodedata.category(text[end]) == "Mn" or text[end] == TATWEEL):
        end += 1
    return end
