"""Gold of other corpora: WikiEvents, MUC-4 as GRIT processed it, PLOVER's gold standard records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from khabar import jsonl
from khabar.corpus import GoldSet
from khabar.errors import Issue, KhabarError
from khabar.inputs.jsonlines import make_document, make_gold
from khabar.types import Annotation, Argument, Event, Mention, Span

TokenOffset = tuple[str, int, int]
MARKUP = re.compile(r"\((SRC|TAR|EVT|SRC/TAR|TAR/SRC): ?([^()]*)\)")
ROLES = {"SRC": ("Source",), "TAR": ("Target",), "SRC/TAR": ("Source", "Target"), "TAR/SRC": ("Source", "Target")}


class WikiMention(msgspec.Struct, frozen=True):
    """An entity mention of WikiEvents, in tokens."""

    id: str
    start: int
    end: int
    entity_type: str
    text: str


class WikiTrigger(msgspec.Struct, frozen=True):
    """A trigger of WikiEvents, in tokens."""

    start: int
    end: int
    text: str


class WikiArgument(msgspec.Struct, frozen=True):
    """An argument of WikiEvents."""

    entity_id: str
    role: str


class WikiEvent(msgspec.Struct, frozen=True):
    """An event of WikiEvents."""

    id: str
    event_type: str
    trigger: WikiTrigger
    arguments: tuple[WikiArgument, ...] = ()


class WikiDocument(msgspec.Struct, frozen=True):
    """A document of WikiEvents 1.0; sentences carry their tokens with character offsets."""

    doc_id: str
    tokens: tuple[str, ...]
    text: str
    sentences: tuple[tuple[tuple[TokenOffset, ...], str], ...]
    entity_mentions: tuple[WikiMention, ...] = ()
    event_mentions: tuple[WikiEvent, ...] = ()


def read_wikievents(path: Path, *, by: str = "characters") -> GoldSet:
    """Read WikiEvents; by characters only where its character offsets index its own text.

    Args:
        path: JSON lines of version 1.0.
        by: "characters", or "tokens" (the text is then the tokens joined by blanks).

    Raises:
        KhabarError: offsets-broken, with the count, and as `khabar.jsonl.read_records`.

    Source: Li, Ji and Han (2021), Document-Level Event Argument Extraction by Conditional Generation.
    """
    records = jsonl.read_list(path, WikiDocument)
    placed = [_by_tokens(record) if by == "tokens" else _by_characters(record) for record in records]
    wrong = [(record, spans) for record, spans in zip(records, placed, strict=True)]
    total = sum(len(record.tokens) for record, _ in wrong)
    fits = sum(_fitting(record, text, spans) for (record, (text, spans)) in wrong)
    if fits < total:
        raise KhabarError(
            Issue(
                code="offsets-broken",
                where=str(path),
                found=f"character offsets of {fits:,} of {total:,} tokens that index their own text",
                expected="all of them",
                fix="Read it by tokens: --by tokens.",
            )
        )
    issues = [issue for record in records for issue in _check_wiki(record, path)]
    if issues:
        raise KhabarError(issues)
    documents = [make_document(record.doc_id, text) for record, (text, _) in zip(records, placed, strict=True)]
    annotations = [_annotate_wiki(record, spans) for record, (_, spans) in zip(records, placed, strict=True)]
    tokens = {record.doc_id: _sentences(record, spans) for record, (_, spans) in zip(records, placed, strict=True)}
    return make_gold(path.name, documents, annotations, tokens=tokens)


Placed = tuple[str, list[Span]]


def _by_tokens(record: WikiDocument) -> Placed:
    spans: list[Span] = []
    at = 0
    for token in record.tokens:
        spans.append(Span(at, at + len(token)))
        at += len(token) + 1
    return " ".join(record.tokens), spans


def _by_characters(record: WikiDocument) -> Placed:
    spans = [Span(start, end) for row, _ in record.sentences for _, start, end in row]
    return record.text, spans


def _fitting(record: WikiDocument, text: str, spans: Sequence[Span]) -> int:
    return sum(text[span.start : span.end] == token for token, span in zip(record.tokens, spans, strict=False))


def _sentences(record: WikiDocument, spans: Sequence[Span]) -> tuple[tuple[Span, ...], ...]:
    rows, at = [], 0
    for row, _ in record.sentences:
        rows.append(tuple(spans[at : at + len(row)]))
        at += len(row)
    return tuple(row for row in rows if row)


def _check_wiki(record: WikiDocument, path: Path) -> Iterator[Issue]:
    items: list[WikiMention | WikiTrigger] = [*record.entity_mentions]
    items += [event.trigger for event in record.event_mentions]
    for item in items:
        if not 0 <= item.start < item.end <= len(record.tokens):
            expected = f"0 ≤ start < end ≤ {len(record.tokens)} tokens"
            where = f"{path}, document {record.doc_id}"
            yield Issue(
                code="span-outside", where=where, found=f"{item.start}–{item.end}", expected=expected, fix="Mend it."
            )


def _annotate_wiki(record: WikiDocument, spans: Sequence[Span]) -> Annotation:
    def hull(item: WikiMention | WikiTrigger) -> dict[str, Any]:
        return {"start": spans[item.start].start, "end": spans[item.end - 1].end}

    mentions = {
        (item.start, item.end, item.entity_type): Mention(id=item.id, type=item.entity_type, **hull(item))
        for item in reversed(record.entity_mentions)
    }
    # Some mentions are listed twice: the first of them stands for all.
    names = {item.id: mentions[item.start, item.end, item.entity_type].id for item in record.entity_mentions}
    events = {
        (item.trigger.start, item.trigger.end, item.event_type): Event(
            id=item.id,
            type=item.event_type,
            arguments=tuple(
                dict.fromkeys(Argument(a.role, names[a.entity_id]) for a in item.arguments if a.entity_id in names)
            ),
            **hull(item.trigger),
        )
        for item in reversed(record.event_mentions)
    }
    return Annotation(
        doc_id=record.doc_id, mentions=tuple(reversed(mentions.values())), events=tuple(reversed(events.values()))
    )


class MucDocument(msgspec.Struct, frozen=True):
    """A document of MUC-4 as GRIT processed it: role → entities → (string, offset) of each mention."""

    docid: str
    doctext: str
    extracts: dict[str, tuple[tuple[tuple[str, int], ...], ...]]


def read_muc4(path: Path) -> GoldSet:
    """Read MUC-4's role fillers as mentions typed by their role; every coreferent string is one.

    Args:
        path: JSON lines of GRIT's processing.

    Raises:
        KhabarError: offsets-broken, with the count, and as `khabar.jsonl.read_records`.

    Source: Du, Rush and Cardie (2021), GRIT; MUC-4 (1992).
    """
    records = jsonl.read_list(path, MucDocument)
    fillers = [
        (record, text, at)
        for record in records
        for entities in record.extracts.values()
        for entity in entities
        for text, at in entity
    ]
    fits = sum(record.doctext[at : at + len(text)] == text for record, text, at in fillers)
    if fits < len(fillers):
        raise KhabarError(
            Issue(
                code="offsets-broken",
                where=str(path),
                found=f"{fits:,} of {len(fillers):,} strings that stand at their offset",
                expected="all of them",
                fix="Use GRIT's processed files as they were published.",
            )
        )
    documents = [make_document(record.docid, record.doctext) for record in records]
    return make_gold(path.name, documents, [_annotate_muc(record) for record in records])


def _annotate_muc(record: MucDocument) -> Annotation:
    spans = dict.fromkeys(
        (at, at + len(text), role)
        for role, entities in record.extracts.items()
        for entity in entities
        for text, at in entity
    )
    return Annotation(
        doc_id=record.docid,
        mentions=tuple(
            Mention(id=f"m{number}", start=start, end=end, type=role)
            for number, (start, end, role) in enumerate(spans, 1)
        ),
    )


def read_plover(path: Path) -> GoldSet:
    """Read PLOVER's gold standard records: one event a record, with its sources and targets.

    Their spans are marked inside a second copy of the text; a record whose marked copy, with the
    marks taken out, is not its text is left out and counted in the field `skipped` of the first one.
    An event that is marked in several places has a discontinuous trigger.

    Args:
        path: one JSON array.

    Raises:
        KhabarError: offsets-broken where no record can be read, and as `khabar.jsonl.read_json`.

    Source: Open Event Data Alliance, PLOVER.
    """
    records: list[dict[str, Any]] = jsonl.read_json(path, list[dict[str, Any]])
    read = [found for record in records if (found := _plover_record(record)) is not None]
    if not read:
        what = f"no record of {len(records)} with usable markup"
        fix = "Use the gold standard records as they were published."
        raise KhabarError(Issue(code="offsets-broken", where=str(path), found=what, expected="some", fix=fix))
    fields = {annotation.doc_id: {"lang": "en"} for _, annotation in read}
    fields[read[0][1].doc_id]["skipped"] = str(len(records) - len(read))
    documents = [make_document(annotation.doc_id, text, {"lang": "en"}) for text, annotation in read]
    return make_gold(path.name, documents, [annotation for _, annotation in read], fields=fields)


def _plover_record(record: dict[str, Any]) -> tuple[str, Annotation] | None:
    info = record.get("textInfo")
    markup = info.get("markup") if isinstance(info, dict) else None
    text, name, kind = (record.get(key) for key in ("text", "id", "event"))
    if not (isinstance(markup, str) and isinstance(text, str) and isinstance(name, str) and isinstance(kind, str)):
        return None
    plain, marks = _unmark(markup)
    pieces = tuple(sorted((span.start, span.end) for mark, span in marks if mark == "EVT"))
    if plain != text or not pieces:
        return None
    mentions, arguments = _plover_actors(marks)
    discontinuous: dict[str, Any] = {"pieces": pieces} if len(pieces) > 1 else {}
    event = Event(id="e1", start=pieces[0][0], end=pieces[-1][1], type=kind, arguments=arguments, **discontinuous)
    return text, Annotation(doc_id=name, mentions=mentions, events=(event,))


def _unmark(markup: str) -> tuple[str, list[tuple[str, Span]]]:
    parts: list[str] = []
    marks: list[tuple[str, Span]] = []
    length, last = 0, 0
    for match in MARKUP.finditer(markup):
        before = markup[last : match.start()]
        start = length + len(before)
        length = start + len(match.group(2))
        parts += [before, match.group(2)]
        if match.group(2):
            marks.append((match.group(1), Span(start, length)))
        last = match.end()
    return "".join([*parts, markup[last:]]), marks


def _plover_actors(marks: Sequence[tuple[str, Span]]) -> tuple[tuple[Mention, ...], tuple[Argument, ...]]:
    actors = [(mark, span) for mark, span in marks if mark != "EVT"]
    mentions = tuple(
        Mention(id=f"m{number}", start=span.start, end=span.end, type="ACTOR")
        for number, (_, span) in enumerate(actors, 1)
    )
    arguments = tuple(
        Argument(role, f"m{number}") for number, (mark, _) in enumerate(actors, 1) for role in ROLES[mark]
    )
    return mentions, arguments
