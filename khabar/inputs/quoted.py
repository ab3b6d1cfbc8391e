"""What a language model says it found: quotes with their context, placed in the text or counted as spurious."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from khabar import jsonl
from khabar.align import find_quote, sentences
from khabar.corpus import GoldSet
from khabar.errors import Issue, KhabarError
from khabar.inputs.realign import fold
from khabar.inputs.records import Predictions, Unplaced
from khabar.types import Annotation, Argument, Document, Event, Mention, Span
from khabar.validate import nearest

_STRIPPED = " \t\r\n\"'“”‘’«»"


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The words of a span, and what tells it apart from the same words elsewhere."""

    quote: str
    before: str = ""
    after: str = ""
    sentence: int | None = None


class QuotedMention(Quote, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mention by its words; `id` is what arguments call it by."""

    type: str
    id: str = ""
    kind: str = "name"


class QuotedArgument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An argument: by the id of a mention, or by a quote (with a type, where no mention has that span)."""

    role: str
    mention: str = ""
    quote: str = ""
    before: str = ""
    after: str = ""
    sentence: int | None = None
    type: str = ""


class QuotedEvent(Quote, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event by the words of its trigger."""

    type: str
    id: str = ""
    attribution: str = "author"
    polarity: str = "positive"
    actuality: str = "actual"
    loaded: bool = False
    arguments: tuple[QuotedArgument, ...] = ()


class QuotedDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that was quoted from one document."""

    doc_id: str
    mentions: tuple[QuotedMention, ...] = ()
    events: tuple[QuotedEvent, ...] = ()


def read_quoted(path: Path, reference: GoldSet, *, ambiguous: str = "refuse") -> Predictions:
    """Read quotes, one JSON object a document and line, and place them.

    Args:
        path: the file.
        reference: the gold set with its texts.
        ambiguous: as in `quoted_predictions`.

    Raises:
        KhabarError: as `khabar.jsonl.read_records` and `quoted_predictions`.
    """
    return quoted_predictions(jsonl.read_list(path, QuotedDocument), reference, ambiguous=ambiguous)


def quoted_predictions(
    documents: Sequence[QuotedDocument], reference: GoldSet, *, ambiguous: str = "refuse"
) -> Predictions:
    """Place quotes in their texts; what has no place is listed, and counted as spurious.

    Args:
        documents: what was quoted.
        reference: the gold set with its texts.
        ambiguous: what to do with a quote that stands more than once and has no context that tells:
            "refuse" it, or take the occurrences "in-order", the first such quote the first.

    Raises:
        KhabarError: document-unknown, document-duplicate, text-missing.

    Source: PROTOCOL.md section 2.
    """
    issues = [issue for document in documents for issue in _check(document, reference)]
    times = Counter(document.doc_id for document in documents)
    issues += [_repeated(doc_id) for doc_id, number in times.items() if number > 1]
    if issues:
        raise KhabarError(issues)
    placers = [_Placer(reference.by_id[document.doc_id], ambiguous) for document in documents]
    annotations = tuple(placer.annotate(document) for placer, document in zip(placers, documents, strict=True))
    unplaced = tuple(item for placer in placers for item in placer.unplaced)
    how = (
        "ambiguous quotes take their occurrences in order"
        if ambiguous == "in-order"
        else "ambiguous quotes are refused"
    )
    return Predictions(annotations=annotations, unplaced=unplaced, notes=(f"read from quotes: {how}",))


def _check(document: QuotedDocument, reference: GoldSet) -> Iterator[Issue]:
    known = reference.by_id.get(document.doc_id)
    where = f"document {document.doc_id}"
    if known is None:
        fix = f"Score it against its own set.{nearest(document.doc_id, reference.by_id)}"
        yield _issue("document-unknown", where, "an unknown id", f"a document of {reference.name}", fix)
    elif not known.text:
        fix = "Give the folder of the articles with --sources."
        yield _issue("text-missing", where, "no text", "a text to find the quotes in", fix)


def _repeated(doc_id: str) -> Issue:
    fix = "Put all quotes of a document into one record."
    return _issue("document-duplicate", f"document {doc_id}", "more than one record", "one", fix)


class _Placer:
    """Places the quotes of one document, and remembers what it could not place."""

    def __init__(self, document: Document, ambiguous: str) -> None:
        self.text = document.text
        self.doc_id = document.doc_id
        self.in_order = ambiguous == "in-order"
        self.sentences = sentences(document.text)
        self.folded, self.places = fold(document.text)
        self.used: Counter[str] = Counter()
        self.unplaced: list[Unplaced] = []
        self.mentions: dict[str, Mention] = {}
        self.extra: list[Mention] = []

    def annotate(self, document: QuotedDocument) -> Annotation:
        for number, item in enumerate(document.mentions, 1):
            span = self._place(item, "mentions", item.type, item.id)
            name = item.id or f"m{number}"
            if span is not None:
                self.mentions[name] = Mention(id=name, start=span.start, end=span.end, type=item.type, kind=item.kind)
        events = [event for number, item in enumerate(document.events, 1) for event in self._event(item, number)]
        return Annotation(doc_id=self.doc_id, mentions=(*self.mentions.values(), *self.extra), events=tuple(events))

    def _event(self, item: QuotedEvent, number: int) -> Iterator[Event]:
        span = self._place(item, "triggers", item.type, item.id)
        if span is None:
            for argument in item.arguments:
                self._refuse("arguments", argument.role, argument.quote or argument.mention, "its event has no place")
            return
        yield Event(
            id=item.id or f"e{number}",
            start=span.start,
            end=span.end,
            type=item.type,
            attribution=item.attribution,
            polarity=item.polarity,
            actuality=item.actuality,
            loaded=item.loaded,
            arguments=tuple(filled for argument in item.arguments for filled in self._argument(argument)),
        )

    def _argument(self, item: QuotedArgument) -> Iterator[Argument]:
        if item.mention in self.mentions:
            yield Argument(item.role, item.mention)
        elif item.mention:
            self._refuse("arguments", item.role, item.mention, "its mention has no place")
        else:
            quote = Quote(quote=item.quote, before=item.before, after=item.after, sentence=item.sentence)
            span = self._place(quote, "arguments", item.role, "")
            filler = self._filler(span, item.type) if span else None
            if filler is not None:
                yield Argument(item.role, filler.id)
            elif span is not None:
                self._refuse("arguments", item.role, item.quote, "no mention has this span, and no type is given")

    def _filler(self, span: Span, name: str) -> Mention | None:
        known = (*self.mentions.values(), *self.extra)
        found = next((m for m in known if m.span == span and name in ("", m.type)), None)
        if found is None and name:
            found = Mention(id=f"a{len(self.extra) + 1}", start=span.start, end=span.end, type=name)
            self.extra.append(found)
        return found

    def _refuse(self, layer: str, name: str, quote: str, reason: str, item_id: str = "") -> None:
        self.unplaced.append(
            Unplaced(doc_id=self.doc_id, layer=layer, type=name, quote=quote[:200], reason=reason, id=item_id)
        )

    def _place(self, item: Quote, layer: str, name: str, item_id: str) -> Span | None:
        if item.sentence is not None and not 1 <= item.sentence <= len(self.sentences):
            self._refuse(layer, name, item.quote, f"there is no sentence {item.sentence}", item_id)
            return None
        within = self.sentences[item.sentence - 1] if item.sentence is not None else Span(0, len(self.text))
        try:
            return find_quote(self.text, item.quote, before=item.before, after=item.after, within=within)
        except KhabarError as error:
            reason = error.code
        found = self._occurrences(item, within)
        if len(found) == 1:
            return found[0]
        if found and self.in_order:
            number = self.used[item.quote]
            self.used[item.quote] += 1
            if number < len(found):
                return found[number]
            reason = "quoted more often than it stands"
        elif found:
            reason = f"stands {len(found)} times, and no context tells which"
        else:
            reason = "does not stand in the text" if reason == "quote-missing" else reason
        self._refuse(layer, name, item.quote, reason, item_id)
        return None

    def _occurrences(self, item: Quote, within: Span) -> list[Span]:
        """Find where the quote stands in the folded text, between its contexts."""
        before, core, after = (fold(part)[0] for part in (item.before, item.quote.strip(_STRIPPED), item.after))
        if not core:
            return []
        needle, found, at = before + core + after, [], -1
        while (at := self.folded.find(needle, at + 1)) >= 0:
            first, last = at + len(before), at + len(before) + len(core) - 1
            span = Span(self.places[first], self.places[last] + 1)
            if within.holds(span):
                found.append(span)
        return found


def _issue(code: str, where: str, found: str, expected: str, fix: str) -> Issue:
    return Issue(code=code, where=where, found=found, expected=expected, fix=fix)
