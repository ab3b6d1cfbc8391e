"""Quotes in numbered sentences, as language models hand in annotations, placed as offsets."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from khabar.align import find_quote, sentences
from khabar.errors import Issue, KhabarError
from khabar.types import Annotation, Argument, Document, Event, Link, Mention, Span


class QuotedMention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mention by the exact words of a numbered sentence (from 1)."""

    id: str
    sentence: int
    quote: str
    type: str
    before: str = ""
    after: str = ""
    kind: str = "name"
    loaded: bool = False
    entity: str = ""


class QuotedEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event by the exact words of its trigger in a numbered sentence (from 1)."""

    id: str
    sentence: int
    quote: str
    type: str
    before: str = ""
    after: str = ""
    attribution: str = "author"
    polarity: str = "positive"
    actuality: str = "actual"
    loaded: bool = False
    arguments: tuple[tuple[str, str], ...] = ()


class QuotedAnnotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an annotator that quotes hands in for one document."""

    doc_id: str
    mentions: tuple[QuotedMention, ...] = ()
    events: tuple[QuotedEvent, ...] = ()
    links: tuple[tuple[str, str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def items(self) -> tuple[QuotedMention | QuotedEvent, ...]:
        """Give everything that has a quote: mentions, then events."""
        return (*self.mentions, *self.events)


def numbered(text: str) -> str:
    """Write a text with one numbered sentence a line, as quoting annotators read it.

    Args:
        text: the document's text.
    """
    return "".join(f"[{number}] {text[span.start : span.end]}\n" for number, span in enumerate(sentences(text), 1))


def place(quoted: QuotedAnnotation, document: Document, *, author: str) -> tuple[Annotation, list[Issue]]:
    """Turn quotes into offsets; what cannot be placed is left out and reported.

    Args:
        quoted: the quotes of one document.
        document: the document with its text.
        author: who marked them.

    Returns:
        The annotation of everything that could be placed, and an issue for each that could not.
        Arguments and links of an item that could not be placed are left out with it.
    """
    parts = sentences(document.text)
    issues: list[Issue] = []
    spots: dict[int, Span] = {}
    for item in quoted.items:
        try:
            spots[id(item)] = _spot(item, document.text, parts)
        except KhabarError as error:
            issues += [_about(document.doc_id, item, issue) for issue in error.issues]
    mentions = tuple(
        Mention(
            id=m.id,
            start=spots[id(m)].start,
            end=spots[id(m)].end,
            type=m.type,
            kind=m.kind,
            loaded=m.loaded,
            entity=m.entity,
            text=m.quote,
        )
        for m in quoted.mentions
        if id(m) in spots
    )
    unplaced = {item.id for item in quoted.items if id(item) not in spots}
    events = tuple(_event(e, spots[id(e)], unplaced) for e in quoted.events if id(e) in spots)
    links = tuple(Link(*link) for link in quoted.links if not unplaced & set(link[1:]))
    return (
        Annotation(
            doc_id=document.doc_id, author=author, sha256=document.sha256, mentions=mentions, events=events, links=links
        ),
        issues,
    )


def _spot(item: QuotedMention | QuotedEvent, text: str, parts: Sequence[Span]) -> Span:
    if not 1 <= item.sentence <= len(parts):
        raise KhabarError(
            Issue(
                code="quote-missing",
                where="sentence number",
                found=str(item.sentence),
                expected=f"1 to {len(parts)}",
                fix="Count from 1.",
            )
        )
    return find_quote(text, item.quote, before=item.before, after=item.after, within=parts[item.sentence - 1])


def _about(doc_id: str, item: QuotedMention | QuotedEvent, issue: Issue) -> Issue:
    return msgspec.structs.replace(
        issue, doc_id=doc_id, where=f"document {doc_id}, {item.id} in sentence {item.sentence}"
    )


def _event(item: QuotedEvent, span: Span, unplaced: set[str]) -> Event:
    return Event(
        id=item.id,
        start=span.start,
        end=span.end,
        type=item.type,
        attribution=item.attribution,
        polarity=item.polarity,
        actuality=item.actuality,
        loaded=item.loaded,
        arguments=tuple(Argument(role, mention) for role, mention in item.arguments if mention not in unplaced),
        text=item.quote,
    )
