"""What holds across documents: who a name stands for, which triggers tell one event, which versions conflict.

It was added after adjudication, by reading the reports of a storyline side by side; it is kept in
annotations/registry, apart from the annotators' work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from khabar import jsonl
from khabar.errors import Issue, KhabarError
from khabar.ontology import ontology
from khabar.registry import Registry
from khabar.types import Annotation, Document, Event, Mention

NIL = "NIL"
SITES = ("PLACE", "FACILITY")
Trigger = tuple[str, int, int]


class Referents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whom the keys of one document's mentions stand for: an id of the registry, ids joined by +, or NIL.

    Annotators often give one key to a state and to its land: `places` says what PLACE and FACILITY mentions of such
    a key stand for.
    """

    doc_id: str
    keys: dict[str, str]
    places: dict[str, str] = {}


class Cluster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The triggers that tell one event of a storyline, in one or more documents, in whatever version.

    What a source denies and what another asserts are one cluster, so two triggers of a document may be linked by
    CONFLICTS and share it; triggers linked by COREF always do, where one of them is in a cluster. The id is that of
    the storyline's event if it has one.
    """

    id: str
    triggers: tuple[Trigger, ...]


class Conflict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two versions, in two documents, that cannot both be true: of one event, or of two that exclude each other."""

    id: str
    storyline: str
    first: Trigger
    second: Trigger
    why: str


class Linking(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that holds across documents."""

    referents: tuple[Referents, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


def read_linking(folder: Path) -> Linking:
    """Read what holds across documents.

    Args:
        folder: annotations/registry.

    Raises:
        KhabarError: as `khabar.jsonl.read_records`.
    """
    referents = tuple(jsonl.read_list(folder / "entities.jsonl", Referents))
    return msgspec.structs.replace(read_links(folder), referents=referents)


def read_links(folder: Path) -> Linking:
    """Read clusters and conflicts alone, as a second run has them.

    Args:
        folder: annotations/registry, or annotations/audit/linking.

    Raises:
        KhabarError: as `khabar.jsonl.read_records`.
    """
    return Linking(
        clusters=tuple(jsonl.read_list(folder / "clusters.jsonl", Cluster)),
        conflicts=tuple(jsonl.read_list(folder / "conflicts.jsonl", Conflict)),
    )


def is_named(mention: Mention) -> bool:
    """Tell whether a mention names an actor or a place, so that it must resolve.

    Args:
        mention: any mention.
    """
    return mention.kind == "name" and (mention.type in ontology().actors or mention.type in SITES)


def apply_linking(gold: Iterable[Annotation], linking: Linking) -> list[Annotation]:
    """Write ids of the registry and clusters into gold.

    What the registry does not know is named by its document and the annotator's key (`halzar-1-a/boy`), with NIL
    before it if the mention is a name (`NIL/halzar-1-a/smith`), so that nothing is taken for the same across
    documents that was not resolved.

    Args:
        gold: annotations of any documents.
        linking: what holds across documents.
    """
    referents = {item.doc_id: item for item in linking.referents}
    clusters = {trigger: cluster.id for cluster in linking.clusters for trigger in cluster.triggers}
    nobody = Referents(doc_id="", keys={})
    return [_apply(annotation, referents.get(annotation.doc_id, nobody), clusters) for annotation in gold]


def _apply(annotation: Annotation, referents: Referents, clusters: Mapping[Trigger, str]) -> Annotation:
    replace = msgspec.structs.replace

    def told(event: Event) -> Event:
        return replace(event, cluster=clusters.get((annotation.doc_id, event.start, event.end), ""))

    return replace(
        annotation,
        mentions=tuple(replace(m, entity=_written(m, annotation.doc_id, referents)) for m in annotation.mentions),
        events=tuple(told(event) for event in annotation.events),
    )


def _written(mention: Mention, doc_id: str, referents: Referents) -> str:
    found = _referent(mention, referents)
    if found != NIL:
        return found
    local = f"{doc_id}/{mention.entity}" if mention.entity else ""
    return f"{NIL}/{local}" if is_named(mention) else local


def _referent(mention: Mention, referents: Referents) -> str:
    place = referents.places.get(mention.entity) if mention.type in SITES else None
    return place or referents.keys.get(mention.entity, NIL)


def check_linking(
    linking: Linking, gold: Sequence[Annotation], documents: Sequence[Document], registry: Registry
) -> Iterator[Issue]:
    """Check that every named mention is resolved, and that ids, triggers and storylines exist.

    Args:
        linking: what holds across documents.
        gold: the adjudicated gold, with the annotators' keys.
        documents: the gold's documents.
        registry: actors, places, storylines.
    """
    yield from _check_referents(linking.referents, gold, registry)
    storylines = {document.doc_id: document.storyline for document in documents}
    triggers = {(item.doc_id, event.start, event.end) for item in gold for event in item.events}
    yield from _check_clusters(linking.clusters, triggers, storylines)
    yield from _check_coreferent(linking.clusters, gold)
    yield from _check_conflicts(linking.conflicts, triggers, storylines)


def _check_referents(referents: Sequence[Referents], gold: Sequence[Annotation], registry: Registry) -> Iterator[Issue]:
    by_document = {item.doc_id: item for item in referents}
    if len(by_document) < len(referents):
        yield _issue("id-duplicate", "entities.jsonl", "a document twice", "once", "Merge the lines.")
    actors, places = {actor.id for actor in registry.actors}, {place.id for place in registry.places}
    for annotation in gold:
        item = by_document.get(annotation.doc_id, Referents(doc_id=annotation.doc_id, keys={}))
        used = {mention.entity for mention in annotation.mentions}
        for mention in annotation.mentions:
            if is_named(mention):
                yield from _check_named(mention, item, actors if mention.type in SITES else places)
        for key, value in (*item.keys.items(), *item.places.items()):
            if key not in used:
                yield _issue("entity-unused", annotation.doc_id, f"key {key!r}", "a key of a mention", "Remove it.")
            for name in value.split("+"):
                if name != NIL and name not in actors | places:
                    yield _issue("registry-dangling", annotation.doc_id, name, "an entry of the registry", "Add it.")


def _check_named(mention: Mention, item: Referents, unfit: set[str]) -> Iterator[Issue]:
    where = f"{item.doc_id}, mention {mention.id} at {mention.start}–{mention.end}"
    if mention.entity not in item.keys:
        found = f"key {mention.entity!r}"
        yield _issue("entity-unresolved", where, found, "an id of the registry, or NIL", "Add it.")
        return
    found = _referent(mention, item)
    if set(found.split("+")) & unfit:
        expected = "a place of the registry" if mention.type in SITES else "an actor of the registry"
        yield _issue("entity-kind", where, found, expected, "Name the place in `places`, the actor in `keys`.")


def _check_clusters(
    clusters: Sequence[Cluster], triggers: set[Trigger], storylines: Mapping[str, str]
) -> Iterator[Issue]:
    ids = [cluster.id for cluster in clusters]
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        yield _issue("id-duplicate", f"cluster {name}", "the id twice", "once", "Merge the two.")
    told = [trigger for cluster in clusters for trigger in cluster.triggers]
    for trigger in sorted({trigger for trigger in told if told.count(trigger) > 1}):
        yield _issue("id-duplicate", f"trigger {trigger}", "in two clusters", "in one", "Choose one.")
    for cluster in clusters:
        for trigger in cluster.triggers:
            yield from _check_trigger(f"cluster {cluster.id}", trigger, triggers)
        homes = {storylines.get(trigger[0], "") for trigger in cluster.triggers}
        if len(homes) > 1:
            yield _issue("cluster-wide", f"cluster {cluster.id}", f"triggers of {homes}", "one storyline", "Split it.")


def _check_coreferent(clusters: Sequence[Cluster], gold: Sequence[Annotation]) -> Iterator[Issue]:
    home = {trigger: cluster.id for cluster in clusters for trigger in cluster.triggers}
    for annotation in gold:
        spans = {event.id: (annotation.doc_id, event.start, event.end) for event in annotation.events}
        for link in annotation.links:
            one, two = home.get(spans[link.source]), home.get(spans[link.target])
            if link.type == "COREF" and one != two:
                where = f"{annotation.doc_id}, COREF {spans[link.source][1:]} to {spans[link.target][1:]}"
                yield _issue("cluster-coref", where, f"{one} and {two}", "one cluster, or none", "Join them.")


def _check_conflicts(
    conflicts: Sequence[Conflict], triggers: set[Trigger], storylines: Mapping[str, str]
) -> Iterator[Issue]:
    ids = Counter(conflict.id for conflict in conflicts)
    pairs = Counter(frozenset((conflict.first, conflict.second)) for conflict in conflicts)
    for conflict in conflicts:
        if ids[conflict.id] > 1 or pairs[frozenset((conflict.first, conflict.second))] > 1:
            yield _issue("id-duplicate", f"conflict {conflict.id}", "the id or the pair twice", "once", "Remove one.")
        for trigger in (conflict.first, conflict.second):
            yield from _check_trigger(f"conflict {conflict.id}", trigger, triggers)
        homes = {storylines.get(trigger[0], "") for trigger in (conflict.first, conflict.second)}
        if homes != {conflict.storyline} or conflict.first[0] == conflict.second[0]:
            found = f"{conflict.first[0]} and {conflict.second[0]}"
            expected = f"two documents of {conflict.storyline}"
            yield _issue("conflict-misplaced", f"conflict {conflict.id}", found, expected, "Correct it.")


def _check_trigger(where: str, trigger: Trigger, triggers: set[Trigger]) -> Iterator[Issue]:
    if trigger not in triggers:
        yield _issue(
            "trigger-unknown", where, f"{trigger}", "the span of a trigger of the gold", "Correct or remove it."
        )


def _issue(code: str, where: str, found: str, expected: str, fix: str) -> Issue:
    return Issue(code=code, where=f"registry, {where}", found=found, expected=expected, fix=fix)


def require_linking(
    linking: Linking, gold: Sequence[Annotation], documents: Sequence[Document], registry: Registry
) -> None:
    """Raise every issue of `check_linking`.

    Args:
        linking: what holds across documents.
        gold: the adjudicated gold.
        documents: the gold's documents.
        registry: actors, places, storylines.

    Raises:
        KhabarError: all of them.
    """
    issues = list(check_linking(linking, gold, documents, registry))
    if issues:
        raise KhabarError(issues)
