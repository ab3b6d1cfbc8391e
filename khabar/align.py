"""Characters and tokens: tokenisation, sentences, quotes to offsets, spans to IOB2 and back."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from khabar.errors import Issue, KhabarError
from khabar.types import Span

Typed = tuple[Span, str]
_JOINERS = "\u200c\u200d\u0640"
_STOPS = ".!?؟…"
_CLOSERS = "\"'’”»)]"
_ABBREVIATIONS = frozenset(
    ("gen", "col", "maj", "capt", "lt", "sgt", "dr", "mr", "mrs", "ms", "prof", "st", "var", "vs")
)


@lru_cache(maxsize=4096)
def _kind(char: str) -> str:
    if char.isspace():
        return "space"
    category = unicodedata.category(char)
    if char in _JOINERS or category[0] == "M" or category == "Sk":
        return "mark"
    return "word" if category[0] in "LN" else "sign"


def _joins_number(text: str, at: int) -> bool:
    return text[at] in ".,٫٬" and text[at - 1].isdigit() and at + 1 < len(text) and text[at + 1].isdigit()


def tokenize(text: str) -> list[Span]:
    """Cut a text into tokens: words with their marks, numbers with their separators, single signs.

    Args:
        text: any text.

    Returns:
        Spans in code points, in order, never touching white space; every other character is in one.
    """
    tokens: list[Span] = []
    start, state = 0, "space"
    for at, char in enumerate(text):
        kind = _kind(char)
        if kind == "mark" and state != "space":
            continue
        if kind == "mark":
            kind = "sign"
        if state == "word" and (kind == "word" or _joins_number(text, at)):
            continue
        if state != "space":
            tokens.append(Span(start, at))
        start, state = at, kind
    if state != "space":
        tokens.append(Span(start, len(text)))
    return tokens


def _ends_sentence(text: str, stop: int, start: int) -> bool:
    rest = text[stop + 1 : stop + 60].lstrip(_CLOSERS)
    if not rest[:1].isspace():
        return False
    following = rest.lstrip(" \u00a0\"'“«([")[:1]
    if following.islower() or (following.isdigit() and text[stop] == "." and text[stop - 1 : stop].isdigit()):
        return False
    if text[stop] != ".":
        return True
    word = re.search(r"[\w.]*$", text[max(start, stop - 20) : stop])
    before = word.group() if word else ""
    if before.casefold() == "no":
        return not following.isdigit()
    return not (before.casefold() in _ABBREVIATIONS or re.fullmatch(r"(?:[A-Za-z]\.)*[A-Z]", before))


def sentences(text: str) -> list[Span]:
    """Cut a text into sentences; a line break always ends one.

    Args:
        text: any text.

    Returns:
        Spans without surrounding white space, in order; together they hold every token.
    """
    found: list[Span] = []
    for line in re.finditer(r"[^\n]+", text):
        start = line.start()
        for stop in range(line.start(), line.end()):
            if text[stop] in _STOPS and _ends_sentence(text, stop, start):
                end = stop + 1
                while end < line.end() and text[end] in _CLOSERS:
                    end += 1
                found.append(Span(start, end))
                start = end
        found.append(Span(start, line.end()))
    return [span for raw in found if (span := _trim(text, raw)) is not None]


def _trim(text: str, span: Span) -> Span | None:
    part = text[span.start : span.end]
    if not part.strip():
        return None
    return Span(span.start + len(part) - len(part.lstrip()), span.end - (len(part) - len(part.rstrip())))


def find_quote(text: str, quote: str, *, before: str = "", after: str = "", within: Span | None = None) -> Span:
    """Find the one place where a quote stands between its contexts.

    Args:
        text: the document's text.
        quote: the exact string.
        before: characters directly in front of it.
        after: characters directly behind it.
        within: a stretch to which the quote (not its context) is limited.

    Raises:
        KhabarError: quote-missing, quote-ambiguous.
    """
    limit = within or Span(0, len(text))
    needle = before + quote + after
    low = max(0, limit.start - len(before))
    high = min(len(text), limit.end + len(after))
    places = [at for at in _occurrences(text, needle, low, high) if quote]
    if len(places) == 1:
        start = places[0] + len(before)
        return Span(start, start + len(quote))
    raise KhabarError(
        Issue(
            code="quote-ambiguous" if places else "quote-missing",
            where=f"characters {limit.start}–{limit.end}",
            found=f"{needle!r} {len(places)} times",
            expected="exactly once",
            fix="Copy the quote exactly; tell it apart by `before` or `after`.",
        )
    )


def _occurrences(text: str, needle: str, low: int, high: int) -> Iterator[int]:
    at = text.find(needle, low, high)
    while at >= 0:
        yield at
        at = text.find(needle, at + 1, high)


class Losses(msgspec.Struct, frozen=True):
    """What writing spans as IOB2 lost: counts of spans by kind of loss."""

    kept: int = 0
    widened: int = 0
    nested: int = 0
    shared_token: int = 0
    no_token: int = 0
    split: int = 0

    def __add__(self, other: Losses) -> Losses:
        return Losses(
            *(a + b for a, b in zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True))
        )


class _Cut(msgspec.Struct, frozen=True):
    first: int
    last: int
    span: Span
    type: str


def _token_range(span: Span, tokens: Sequence[Span]) -> tuple[int, int] | None:
    first = bisect_right(tokens, span.start, key=lambda token: token.end)
    last = bisect_left(tokens, span.end, key=lambda token: token.start) - 1
    return (first, last) if first <= last else None


def to_iob2(spans: Iterable[Typed], tokens: Sequence[Span]) -> tuple[list[str], Losses]:
    """Write typed spans as IOB2 tags over tokens; where spans nest, the outermost is kept.

    Args:
        spans: (span, type) pairs, in characters.
        tokens: the tokens of one sequence.

    Returns:
        One tag a token, and what was lost. Spans that lie wholly outside the tokens are not counted;
        one that sticks out at either end is `split` and left out.
    """
    tags = ["O"] * len(tokens)
    lost: Counter[str] = Counter()
    limit = Span(tokens[0].start, tokens[-1].end) if tokens else Span(0, 0)
    taken: list[_Cut] = []
    for span, name in sorted(spans, key=lambda pair: (-len(pair[0]), pair[0], pair[1])):
        if not span.overlaps(limit):
            continue
        reason, cut = _place(span, name, tokens, limit, taken)
        lost[reason] += 1
        if cut is None:
            continue
        lost["widened"] += (tokens[cut.first].start, tokens[cut.last].end) != (span.start, span.end)
        taken.append(cut)
        tags[cut.first : cut.last + 1] = [f"B-{name}"] + [f"I-{name}"] * (cut.last - cut.first)
    return tags, Losses(**lost)


def _place(
    span: Span, name: str, tokens: Sequence[Span], limit: Span, taken: Sequence[_Cut]
) -> tuple[str, _Cut | None]:
    if not limit.holds(span):
        return "split", None
    place = _token_range(span, tokens)
    if place is None:
        return "no_token", None
    cut = _Cut(place[0], place[1], span, name)
    for other in taken:
        if cut.first <= other.last and other.first <= cut.last:
            return ("nested" if other.span.holds(span) else "shared_token"), None
    return "kept", cut


def read_iob2(tags: Sequence[str], tokens: Sequence[Span]) -> tuple[list[Typed], list[int]]:
    """Read IOB2 tags as strict IOB2 does: an I- tag with nothing to continue opens no span.

    Args:
        tags: one a token: O, B-TYPE or I-TYPE.
        tokens: as many token spans.

    Returns:
        The typed spans in characters, and the positions of the I- tags that continue nothing.
    """
    found: list[Typed] = []
    orphans: list[int] = []
    open_type = ""
    for index, tag in enumerate(tags):
        name = tag[2:]
        if tag.startswith("B-"):
            found.append((tokens[index], name))
            open_type = name
        elif tag.startswith("I-") and name == open_type:
            found[-1] = (Span(found[-1][0].start, tokens[index].end), name)
        else:
            if tag.startswith("I-"):
                orphans.append(index)
            open_type = ""
    return found, orphans
