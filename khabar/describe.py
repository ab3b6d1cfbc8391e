"""What is in a gold set: counts of documents, words, mentions, events, arguments, attributes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from khabar.corpus import GoldSet
from khabar.ontology import ontology


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one gold set. Tokens are khabar's own."""

    name: str
    documents: int
    arabic: int
    storylines: int
    without_events: int
    sentences: int
    tokens: int
    mentions: int
    events: int
    arguments: int
    links: int
    entity_types: dict[str, int]
    event_types: dict[str, int]
    roles: dict[str, int]
    attributes: dict[str, dict[str, int]]
    languages: dict[str, dict[str, int]]
    words: tuple[int, ...]
    genres: dict[str, int]
    theatres: dict[str, int]


def describe(gold: GoldSet) -> Description:
    """Count what a gold set holds.

    Args:
        gold: any gold set.
    """
    labels = ontology()
    mentions = [mention for annotation in gold.annotations for mention in annotation.mentions]
    events = [event for annotation in gold.annotations for event in annotation.events]
    arguments = [argument for event in events for argument in event.arguments]
    sentences = [row for rows in gold.tokens.values() for row in rows]
    attributes = {
        "attribution": _count((event.attribution for event in events), labels.values("attribution")),
        "polarity": _count((event.polarity for event in events), labels.values("polarity")),
        "actuality": _count((event.actuality for event in events), labels.values("actuality")),
        "kind": _count((mention.kind for mention in mentions), labels.values("kind")),
    }
    return Description(
        name=gold.name,
        documents=len(gold.documents),
        arabic=sum(document.lang == "ar" for document in gold.documents),
        # The storyline of a wire article is the article itself, none of the registry.
        storylines=len({document.storyline for document in gold.documents if document.origin != "wire"}),
        without_events=sum(not annotation.events for annotation in gold.annotations),
        sentences=len(sentences),
        tokens=sum(len(row) for row in sentences),
        mentions=len(mentions),
        events=len(events),
        arguments=len(arguments),
        links=sum(len(annotation.links) for annotation in gold.annotations),
        entity_types=_count((mention.type for mention in mentions), labels.entity_types),
        event_types=_count((event.type for event in events), labels.event_types),
        roles=_count((argument.role for argument in arguments), labels.role_names),
        attributes=attributes,
        languages={language: _of_language(gold, language) for language in ("en", "ar")},
        words=tuple(len(document.text.split()) for document in gold.documents if document.text),
        genres=dict(sorted(Counter(document.genre for document in gold.documents).items())),
        theatres=dict(sorted(Counter(document.theatre for document in gold.documents).items())),
    )


def _of_language(gold: GoldSet, language: str) -> dict[str, int]:
    pairs = [
        (document, annotation)
        for document, annotation in zip(gold.documents, gold.annotations, strict=True)
        if document.lang == language
    ]
    return {
        "documents": len(pairs),
        "tokens": sum(len(row) for document, _ in pairs for row in gold.tokens[document.doc_id]),
        "mentions": sum(len(annotation.mentions) for _, annotation in pairs),
        "events": sum(len(annotation.events) for _, annotation in pairs),
        "arguments": sum(len(event.arguments) for _, annotation in pairs for event in annotation.events),
    }


def _count(values: Iterable[str], names: Iterable[str]) -> dict[str, int]:
    counts = Counter(values)
    return {name: counts[name] for name in names}
