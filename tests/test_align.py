import itertools
import unicodedata

import pytest
from builders import TEXT
from hypothesis import given
from hypothesis import strategies as st

from khabar.align import find_quote, read_iob2, sentences, to_iob2, tokenize
from khabar.errors import KhabarError
from khabar.types import Span

# What real reports hold: Latin and Arabic words, diacritics, combining marks, emoji with joiners, odd spaces.
PIECES = st.sampled_from(
    [
        *"abzQ7.,;!?؟،-()«»“”'’ \n\u00a0",
        "Derbekh",
        "12,000",
        "3.5",
        "U.S.",
        "وقصفت",
        "الجيش",
        "قُصِفَت",
        "لِلجَيش",
        "é",
        "e\u0301",
        "👩‍🚒",
        "🇸🇾",
        "👍🏽",
        "ـ",
        "\u200f",
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=40).map("".join), st.text(max_size=60))


@given(TEXTS)
def test_tokens_hold_every_character_but_white_space_once(text: str) -> None:
    tokens = tokenize(text)
    assert all(one.end <= two.start for one, two in itertools.pairwise(tokens))
    covered = {at for token in tokens for at in range(token.start, token.end)}
    assert all((at in covered) or char.isspace() for at, char in enumerate(text))
    assert not any(text[at].isspace() for at in covered)


@given(TEXTS)
def test_a_combining_mark_never_begins_a_token_within_a_word(text: str) -> None:
    starts = {token.start for token in tokenize(text)}
    for at in starts:
        if at and unicodedata.category(text[at])[0] == "M":
            assert text[at - 1].isspace()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("al-Sukhna's 12,000 men.", ["al", "-", "Sukhna", "'", "s", "12,000", "men", "."]),
        ("وقصفت المدفعيّةُ «دربخ»", ["وقصفت", "المدفعيّةُ", "«", "دربخ", "»"]),
        ("e\u0301cole", ["e\u0301cole"]),
        ("at 5, then 6", ["at", "5", ",", "then", "6"]),
        ("", []),
        (" \n\u00a0", []),
    ],
)
def test_tokenize(text: str, tokens: list[str]) -> None:
    assert [text[token.start : token.end] for token in tokenize(text)] == tokens


@given(TEXTS)
def test_sentences_hold_every_token_whole(text: str) -> None:
    parts = sentences(text)
    assert all(one.end <= two.start for one, two in itertools.pairwise(parts))
    for token in tokenize(text):
        if "\n" not in text[token.start : token.end]:
            assert sum(part.holds(token) for part in parts) == 1


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! ثلاثة؟ أربعة.", 4),
        ("The U.S. army and Gen. Smith left. Then came rain.", 2),
        ("He said: “We left.” They stayed.", 2),
        ("Title\n\nBody.", 2),
        ("It cost 3.5 million.", 1),
    ],
)
def test_sentence_ends(text: str, count: int) -> None:
    assert len(sentences(text)) == count


def test_find_quote_tells_two_places_apart_by_context() -> None:
    text = "The strike hit a post. A second strike followed."
    assert find_quote(text, "strike", before="second ") == Span(32, 38)
    assert find_quote(text, "strike", within=Span(0, 22)) == Span(4, 10)


@pytest.mark.parametrize(
    ("quote", "code"), [("strikes", "quote-missing"), ("s", "quote-ambiguous"), ("", "quote-missing")]
)
def test_find_quote_refuses_what_it_cannot_place(quote: str, code: str) -> None:
    with pytest.raises(KhabarError) as caught:
        find_quote(TEXT, quote)
    assert caught.value.code == code


@given(TEXTS, st.data())
def test_every_span_can_be_quoted_with_its_whole_context(text: str, data: st.DataObject) -> None:
    if not text:
        return
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    assert find_quote(text, text[start:end], before=text[:start], after=text[end:]) == Span(start, end)


def typed_spans(data: st.DataObject, tokens: list[Span]) -> list[tuple[Span, str]]:
    cuts = data.draw(st.lists(st.integers(0, len(tokens)), max_size=8, unique=True).map(sorted))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    return [
        (Span(tokens[a].start, tokens[b - 1].end), data.draw(st.sampled_from(["PLACE", "PERSON"]))) for a, b in pairs
    ]


@given(TEXTS, st.data())
def test_disjoint_token_spans_survive_iob2(text: str, data: st.DataObject) -> None:
    tokens = tokenize(text)
    spans = typed_spans(data, tokens)
    tags, lost = to_iob2(spans, tokens)
    assert sorted(read_iob2(tags, tokens)[0]) == sorted(spans)
    assert read_iob2(tags, tokens)[1] == []
    assert (lost.kept, lost.widened, lost.nested, lost.shared_token) == (len(spans), 0, 0, 0)


@given(TEXTS, st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=6))
def test_every_span_is_kept_or_counted_as_lost(text: str, raw: list[tuple[int, int]]) -> None:
    tokens = tokenize(text)
    spans = [(Span(start, start + size), "PLACE") for start, size in raw]
    limit = Span(tokens[0].start, tokens[-1].end) if tokens else Span(0, 0)
    tags, lost = to_iob2(spans, tokens)
    touching = sum(span.overlaps(limit) for span, _ in spans)
    assert lost.kept + lost.nested + lost.shared_token + lost.no_token + lost.split == touching
    assert len(read_iob2(tags, tokens)[0]) == lost.kept


def test_what_flattening_loses() -> None:
    text = "وقصفت مدفعية قوات المجلس"
    tokens = tokenize(text)
    inner, outer = Span(18, 24), Span(13, 24)
    tags, lost = to_iob2([(Span(1, 5), "X"), (inner, "Y"), (outer, "Z")], tokens)
    assert tags == ["B-X", "O", "B-Z", "I-Z"]
    assert (lost.kept, lost.widened, lost.nested) == (2, 1, 1)


def test_a_span_over_two_sentences_is_counted_as_split() -> None:
    tokens = tokenize(TEXT)
    first, second = tokens[:6], tokens[6:]
    span = (Span(27, 44), "PLACE")
    assert to_iob2([span], first)[1].split == 1
    assert to_iob2([span], second)[0] == ["O"] * len(second)


def test_orphans_open_nothing_and_are_listed() -> None:
    tokens = tokenize("a b c d")
    spans, orphans = read_iob2(["I-X", "B-X", "I-Y", "I-X"], tokens)
    assert spans == [(Span(2, 3), "X")]
    assert orphans == [0, 2, 3]
