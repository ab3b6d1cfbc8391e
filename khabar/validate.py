"""Checks of documents and annotations. They yield issues; nothing here prints, exits or repairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeVar

from khabar.errors import Issue
from khabar.ontology import Ontology, ontology
from khabar.types import Annotation, Document, Event, Mention, text_hash

Record = TypeVar("Record")


def nearest(word: str, choices: Iterable[str]) -> str:
    """Suggest the choice that looks most like a word, as ` Did you mean X?`, or nothing.

    Args:
        word: what was found.
        choices: what is known.
    """
    from difflib import get_close_matches

    folded = {choice.casefold(): choice for choice in choices}
    match = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f" Did you mean {folded[match[0]]}?" if match else ""


def check_documents(documents: Sequence[Document]) -> Iterator[Issue]:
    """Check texts: no document twice, hashes right, no carriage return.

    Args:
        documents: wire documents without text are checked for duplicates only.
    """
    for doc_id, count in Counter(document.doc_id for document in documents).items():
        if count > 1:
            yield Issue(
                code="document-duplicate",
                doc_id=doc_id,
                where=f"document {doc_id}",
                found=f"it {count} times",
                expected="once",
                fix="Remove all but one.",
            )
    for document in documents:
        if document.text or document.origin != "wire":
            yield from _check_text(document)


def _check_text(document: Document) -> Iterator[Issue]:
    where = f"document {document.doc_id}"
    if "\r" in document.text:
        yield Issue(
            code="document-newline",
            doc_id=document.doc_id,
            where=where,
            found=f"a carriage return at character {document.text.index(chr(13))}",
            expected="line feeds only",
            fix="Normalise line ends to \\n before anything is annotated.",
        )
    if document.sha256 != text_hash(document.text):
        yield Issue(
            code="document-hash",
            doc_id=document.doc_id,
            where=where,
            found=f"sha256 {text_hash(document.text)[:12]}… of the text",
            expected=f"{document.sha256[:12]}…",
            fix="Bring back the text that was annotated; a changed text is a new document.",
        )


def check_set(
    annotations: Sequence[Annotation], documents: Mapping[str, Document], *, complete: bool = True
) -> Iterator[Issue]:
    """Check that annotations and documents belong together: none twice, unknown or missing.

    Args:
        annotations: one author's.
        documents: by doc_id.
        complete: whether a document without annotation is an issue.
    """
    counts = Counter(annotation.doc_id for annotation in annotations)
    for doc_id, count in counts.items():
        if count > 1:
            yield _set_issue("document-duplicate", doc_id, f"{count} annotations", "one", "Remove all but one.")
        if doc_id not in documents:
            hint = nearest(doc_id, documents)
            yield _set_issue(
                "document-unknown",
                doc_id,
                "an id that is not in the set",
                "a known doc_id",
                f"Score it against its own set.{hint}",
            )
    for doc_id in documents:
        if complete and doc_id not in counts:
            yield _set_issue("document-missing", doc_id, "no annotation", "one", "Add it, even if it is empty.")


def _set_issue(code: str, doc_id: str, found: str, expected: str, fix: str) -> Issue:
    return Issue(code=code, doc_id=doc_id, where=f"document {doc_id}", found=found, expected=expected, fix=fix)


def check_annotation(
    annotation: Annotation,
    document: Document | None = None,
    *,
    constraints: bool = True,
    length: int | None = None,
    labels: Ontology | None = None,
    foreign: bool = False,
) -> Iterator[Issue]:
    """Check one annotation: spans, texts, ids, labels, pointers and the ontology's constraints.

    Args:
        annotation: anybody's work.
        document: its document; without text the span texts cannot be checked.
        constraints: whether role and crossing constraints count (they do for people's work;
            a system's breach of them is a wrong answer, not a broken file).
        length: of the text, where the text itself is not here.
        labels: the ontology; the shipped one by default.
        foreign: whether it is about other people's data, whose labels and constraints are not khabar's.
    """
    known = labels or ontology()
    if document is not None and annotation.sha256 not in ("", document.sha256):
        yield _set_issue(
            "document-hash",
            annotation.doc_id,
            f"an annotation of text {annotation.sha256[:12]}…",
            f"{document.sha256[:12]}…",
            "Annotate the text as it is now.",
        )
        return
    yield from _check_ids(annotation)
    for item in annotation.items:
        yield from _check_span(annotation.doc_id, item, document, length)
    if not foreign:
        yield from _check_labels(annotation, known)
    yield from _check_pointers(annotation)
    yield from _check_repeats(annotation)
    if constraints and not foreign:
        yield from _check_one_label(annotation)
        yield from _check_crossing(annotation)
        yield from _check_roles(annotation, known)


def _at(doc_id: str, item: Mention | Event) -> str:
    kind = "mention" if isinstance(item, Mention) else "event"
    return f"document {doc_id}, {kind} {item.id} ({item.start}–{item.end})"


def _check_ids(annotation: Annotation) -> Iterator[Issue]:
    ids = Counter(item.id for item in annotation.items)
    for name, count in ids.items():
        if count > 1:
            yield Issue(
                code="id-duplicate",
                doc_id=annotation.doc_id,
                where=f"document {annotation.doc_id}, id {name}",
                found=f"it {count} times",
                expected="ids that are unique in a document",
                fix="Rename all but one and the arguments that mean them.",
            )


def _check_span(doc_id: str, item: Mention | Event, document: Document | None, length: int | None) -> Iterator[Issue]:
    where = _at(doc_id, item)
    text = document.text if document else ""
    limit = len(text) or length
    if item.start < 0 or item.start >= item.end:
        yield Issue(
            code="span-empty",
            doc_id=doc_id,
            where=where,
            found=f"start {item.start}, end {item.end}",
            expected="0 ≤ start < end",
            fix="Mark at least one character.",
        )
    elif limit is not None and item.end > limit:
        yield Issue(
            code="span-outside",
            doc_id=doc_id,
            where=where,
            found=f"end {item.end}",
            expected=f"at most {limit}, the length of the text in code points",
            fix="Offsets count Unicode code points, not bytes or UTF-16 units.",
        )
    elif item.pieces and not _is_hull(item):
        yield Issue(
            code="span-pieces",
            doc_id=doc_id,
            where=where,
            found=f"pieces {list(item.pieces)}",
            expected="non-empty stretches in order, the first from start, the last to end",
            fix="Give start and end as the hull of the pieces, or leave pieces out.",
        )
    elif text and not item.pieces and item.text not in (None, text[item.start : item.end]):
        yield Issue(
            code="span-text",
            doc_id=doc_id,
            where=where,
            found=f"{item.text!r} in the record",
            expected=f"{text[item.start : item.end]!r}, which stands in the text",
            fix="Correct the offsets or the text.",
        )


def _is_hull(item: Mention | Event) -> bool:
    bounds = [bound for piece in item.cover for bound in piece]
    rising = all(one < two for one, two in zip(bounds[::2], bounds[1::2], strict=True))
    apart = all(one <= two for one, two in zip(bounds[1:-1:2], bounds[2::2], strict=True))
    return rising and apart and (bounds[0], bounds[-1]) == (item.start, item.end)


def _check_labels(annotation: Annotation, known: Ontology) -> Iterator[Issue]:
    for item in annotation.mentions:
        yield from _check_value(annotation.doc_id, _at(annotation.doc_id, item), "type", item.type, known.entity_types)
        yield from _check_value(
            annotation.doc_id, _at(annotation.doc_id, item), "kind", item.kind, known.values("kind")
        )
    for event in annotation.events:
        where = _at(annotation.doc_id, event)
        yield from _check_value(annotation.doc_id, where, "type", event.type, known.event_types)
        for name in ("attribution", "polarity", "actuality"):
            yield from _check_value(annotation.doc_id, where, name, getattr(event, name), known.values(name))
        for argument in event.arguments:
            yield from _check_value(annotation.doc_id, where, "role", argument.role, known.role_names)
    for link in annotation.links:
        where = f"document {annotation.doc_id}, link {link.source}→{link.target}"
        yield from _check_value(annotation.doc_id, where, "link type", link.type, known.link_names)


def _check_value(doc_id: str, where: str, name: str, value: str, allowed: Sequence[str]) -> Iterator[Issue]:
    if value not in allowed:
        yield Issue(
            code="label-unknown",
            doc_id=doc_id,
            where=where,
            found=f"{name} {value!r}",
            expected=f"one of {', '.join(allowed)}",
            fix=f"Use a label of the ontology.{nearest(value, allowed)}",
        )


def _check_pointers(annotation: Annotation) -> Iterator[Issue]:
    mentions = {mention.id for mention in annotation.mentions}
    events = {event.id for event in annotation.events}
    for event in annotation.events:
        for argument in event.arguments:
            if argument.mention not in mentions:
                yield Issue(
                    code="argument-dangling",
                    doc_id=annotation.doc_id,
                    where=_at(annotation.doc_id, event),
                    found=f"{argument.role} → {argument.mention!r}",
                    expected="the id of a mention in this document",
                    fix="Add the mention or remove the argument.",
                )
    for link in annotation.links:
        for end in (link.source, link.target):
            if end not in events:
                yield Issue(
                    code="link-dangling",
                    doc_id=annotation.doc_id,
                    where=f"document {annotation.doc_id}, link {link.type}",
                    found=repr(end),
                    expected="the id of an event in this document",
                    fix="Add the event or remove the link.",
                )


def _check_repeats(annotation: Annotation) -> Iterator[Issue]:
    for items in _layers(annotation):
        for item in _repeated([(item.cover, item.type) for item in items], items):
            yield _repeat(
                "span-duplicate",
                annotation.doc_id,
                _at(annotation.doc_id, item),
                f"{item.type} a second time on the same span",
            )
    for event in annotation.events:
        for argument in _repeated(event.arguments, event.arguments):
            found = f"{argument.role} → {argument.mention} a second time"
            yield _repeat("argument-duplicate", annotation.doc_id, _at(annotation.doc_id, event), found)
    for link in _repeated(annotation.links, annotation.links):
        where = f"document {annotation.doc_id}, link {link.source}→{link.target}"
        yield _repeat("link-duplicate", annotation.doc_id, where, f"{link.type} a second time")
    for link in annotation.links:
        if link.source == link.target:
            where = f"document {annotation.doc_id}, link {link.type}"
            yield _repeat("link-self", annotation.doc_id, where, f"{link.source} at both ends", "two events")


def _layers(annotation: Annotation) -> tuple[Sequence[Mention | Event], ...]:
    return annotation.mentions, annotation.events


def _repeated(keys: Sequence[Hashable], items: Sequence[Record]) -> list[Record]:
    first = {key: number for number, key in reversed(list(enumerate(keys)))}
    return [item for number, (key, item) in enumerate(zip(keys, items, strict=True)) if first[key] != number]


def _repeat(code: str, doc_id: str, where: str, found: str, expected: str = "once") -> Issue:
    return Issue(code=code, doc_id=doc_id, where=where, found=found, expected=expected, fix="Remove the repetition.")


def _check_one_label(annotation: Annotation) -> Iterator[Issue]:
    for items in _layers(annotation):
        types = dict.fromkeys((item.span, item.type) for item in items)
        first = {(item.span, item.type): item for item in reversed(items)}
        distinct = [first[key] for key in types]
        for item in _repeated([item.span for item in distinct], distinct):
            found = f"{item.type} on a span that has another type already"
            yield _repeat("span-duplicate", annotation.doc_id, _at(annotation.doc_id, item), found, "one type a span")


def _check_crossing(annotation: Annotation) -> Iterator[Issue]:
    for one, two in combinations(sorted(annotation.mentions, key=lambda item: item.span), 2):
        if one.span.crosses(two.span):
            yield Issue(
                code="span-crossing",
                doc_id=annotation.doc_id,
                where=_at(annotation.doc_id, one),
                found=f"an overlap with {two.id} ({two.start}–{two.end})",
                expected="disjoint or nested spans",
                fix="Move one boundary.",
            )


def _check_roles(annotation: Annotation, known: Ontology) -> Iterator[Issue]:
    mentions = {mention.id: mention for mention in annotation.mentions}
    for event in annotation.events:
        for argument in event.arguments:
            filler = mentions.get(argument.mention)
            allowed = known.allowed_roles.get(event.type)
            fillers = known.allowed_fillers.get(argument.role)
            if filler is None or allowed is None or fillers is None:
                continue
            if argument.role not in allowed:
                yield Issue(
                    code="role-not-allowed",
                    doc_id=annotation.doc_id,
                    where=_at(annotation.doc_id, event),
                    found=f"{argument.role} on {event.type}",
                    expected=", ".join(sorted(allowed)),
                    fix="Choose another role, or another type for the event.",
                )
            if filler.type not in fillers:
                yield Issue(
                    code="filler-not-allowed",
                    doc_id=annotation.doc_id,
                    where=_at(annotation.doc_id, event),
                    found=f"{argument.role} filled by {filler.type} ({filler.id})",
                    expected=", ".join(sorted(fillers)),
                    fix="Choose another role, or another type for the mention.",
                )
