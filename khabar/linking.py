"""What holds across documents: who a name stands for, which triggers tell one event, which versions conflict.

It was added after adjudication, by reading the reports of a storyline side by side; it is kept in
annotations/registry, apart from the annotators' work.
"""

from __future__ import annotations

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


class Referents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom the keys of one document's mentions stand for: an id of the registry, ids joined by +, or NIL."""

    doc_id: str
    keys: dict[str, str]


class Cluster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The triggers that tell one event, in one or more documents; the id is that of the storyline's event if it has one."""

    id: str
    triggers: tuple[Trigger, ...]


class Conflict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two versions of one event, in two documents, that cannot both be true."""

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
    return Linking(
        referents=tuple(jsonl.read_list(folder / "entities.jsonl", Referents)),
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

    A key that the registry does not know stays a key of its document; on a named mention it becomes NIL
    and the key (`NIL/key`), so that two unknown names are not taken for one.

    Args:
        gold: annotations of any documents.
        linking: what holds across documents.
    """
    keys = {item.doc_id: item.keys for item in linking.referents}
    clusters = {trigger: cluster.id for cluster in linking.clusters for trigger in cluster.triggers}
    return [_apply(annotation, keys.get(annotation.doc_id, {}), clusters) for annotation in gold]


def _apply(annotation: Annotation, keys: Mapping[str, str], clusters: Mapping[Trigger, str]) -> Annotation:
    replace = msgspec.structs.replace

    def told(event: Event) -> Event:
        return replace(event, cluster=clusters.get((annotation.doc_id, event.start, event.end), ""))

    return replace(
        annotation,
        mentions=tuple(replace(m, entity=_referent(m, keys)) for m in annotation.mentions),
        events=tuple(told(event) for event in annotation.events),
    )


def _referent(mention: Mention, keys: Mapping[str, str]) -> str:
    found = keys.get(mention.entity, NIL)
    if found != NIL:
        return found
    return f"{NIL}/{mention.entity}" if is_named(mention) else mention.entity


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
    yield from _check_conflicts(linking.conflicts, triggers, storylines)


def _check_referents(referents: Sequence[Referents], gold: Sequence[Annotation], registry: Registry) -> Iterator[Issue]:
    known = {actor.id for actor in registry.actors} | {place.id for place in registry.places}
    by_document = {item.doc_id: item.keys for item in referents}
    if len(by_document) < len(referents):
        yield _issue("id-duplicate", "entities.jsonl", "a document twice", "once", "Merge the lines.")
    for annotation in gold:
        keys = by_document.get(annotation.doc_id, {})
        used = {mention.entity for mention in annotation.mentions}
        for mention in annotation.mentions:
            if is_named(mention) and mention.entity not in keys:
                where = f"{annotation.doc_id}, mention {mention.id} at {mention.start}–{mention.end}"
                yield _issue(
                    "entity-unresolved", where, f"key {mention.entity!r}", "an id of the registry, or NIL", "Add it."
                )
        for key, value in keys.items():
            if key not in used:
                yield _issue("entity-unused", annotation.doc_id, f"key {key!r}", "a key of a mention", "Remove it.")
            for name in value.split("+"):
                if name != NIL and name not in known:
                    yield _issue("registry-dangling", annotation.doc_id, name, "an entry of the registry", "Add it.")


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


def _check_conflicts(
    conflicts: Sequence[Conflict], triggers: set[Trigger], storylines: Mapping[str, str]
) -> Iterator[Issue]:
    for conflict in conflicts:
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
