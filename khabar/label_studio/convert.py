"""Annotations to Label Studio's result items and back, strictly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from khabar.errors import Issue
from khabar.ontology import Ontology, ontology
from khabar.types import Annotation, Argument, Document, Event, Link, Mention

Json = dict[str, Any]
# (field of the record, control in Label Studio, default that is left out)
_ENTITY_FIELDS = (("kind", "kind", "name"), ("loaded", "entity_loaded", "no"))
_EVENT_FIELDS = (
    ("attribution", "attribution", "author"),
    ("polarity", "polarity", "positive"),
    ("actuality", "actuality", "actual"),
    ("loaded", "event_loaded", "no"),
)


def to_task(document: Document) -> Json:
    """Write a document as a task, keyed by its id and hash.

    Args:
        document: a document with its text.
    """
    return {
        "data": {
            "text": document.text,
            "doc_id": document.doc_id,
            "sha256": document.sha256,
            "lang": document.lang,
        }
    }


def to_result(annotation: Annotation, text: str) -> list[Json]:
    """Write an annotation as the `result` of a Label Studio annotation.

    Args:
        annotation: valid, of the document whose text is given.
        text: the document's text.

    Returns:
        Regions with their attributes (defaults left out), then relations.
    """
    items: list[Json] = []
    for mention in annotation.mentions:
        items += _region(mention, "entity", text, _ENTITY_FIELDS)
        if mention.entity:
            items.append(_item(mention, "referent", "textarea", {"text": [mention.entity]}))
    for event in annotation.events:
        items += _region(event, "event", text, _EVENT_FIELDS)
    return items + _relations(annotation)


def to_prediction(annotation: Annotation, text: str, *, model_version: str, score: float | None = None) -> Json:
    """Write an annotation as a prediction, which Label Studio shows before a person has marked anything.

    Args:
        annotation: valid, of the document whose text is given.
        text: the document's text.
        model_version: which model it is of.
        score: how sure the model is, from 0 to 1, where it can tell.

    Returns:
        A prediction of a task. Its regions' ids tell the models of a task apart, and no annotator's are like them.
    """
    mark = hashlib.sha256(model_version.encode()).hexdigest()[:10]
    result = to_result(annotation, text)
    for item in result:
        item.update({key: f"{mark}-{item[key]}" for key in ("id", "from_id", "to_id") if key in item})
    return {"model_version": model_version, "result": result, **({} if score is None else {"score": score})}


def _item(item: Mention | Event, control: str, kind: str, value: Json) -> Json:
    return {
        "id": item.id,
        "from_name": control,
        "to_name": "text",
        "type": kind,
        "value": {"start": item.start, "end": item.end, **value},
    }


def _region(item: Mention | Event, control: str, text: str, fields: Sequence[tuple[str, str, str]]) -> list[Json]:
    quote = text[item.start : item.end]
    items = [_item(item, control, "labels", {"text": quote, "labels": [item.type]})]
    for field, name, default in fields:
        value = getattr(item, field)
        value = {True: "yes", False: "no"}.get(value, value)
        if value != default:
            items.append(_item(item, name, "choices", {"text": quote, "choices": [value]}))
    return items


def _relations(annotation: Annotation) -> list[Json]:
    # Label Studio keeps one relation a pair of regions: roles of one pair share it.
    pairs: dict[tuple[str, str], list[str]] = {}
    for event in annotation.events:
        for argument in event.arguments:
            pairs.setdefault((event.id, argument.mention), []).append(argument.role)
    for link in annotation.links:
        pairs.setdefault((link.source, link.target), []).append(link.type)
    return [
        {"type": "relation", "from_id": source, "to_id": target, "direction": "right", "labels": names}
        for (source, target), names in pairs.items()
    ]


def from_result(
    result: Iterable[Json], document: Document, *, author: str, labels: Ontology | None = None
) -> tuple[Annotation, list[Issue]]:
    """Read the `result` of a Label Studio annotation.

    Args:
        result: the items as exported. Where `text` was removed (wire), it is not compared.
        document: the document they belong to.
        author: who made them.
        labels: the ontology; the shipped one by default.

    Returns:
        The annotation of all that can be read, and an issue for all that cannot. The caller
        checks the annotation itself with `khabar.validate.check_annotation`.
    """
    reader = _Reader(document, labels or ontology())
    relations: list[Json] = []
    for item in result:
        if item.get("type") == "relation":
            relations.append(item)
        else:
            reader.region(item)
    reader.strays()
    arguments, links = reader.relations(relations)
    annotation = Annotation(
        doc_id=document.doc_id,
        author=author,
        sha256=document.sha256,
        mentions=reader.mentions(),
        events=reader.events(arguments),
        links=tuple(links),
    )
    return annotation, reader.issues


class _Reader:
    """Collects the items of one result by region id."""

    def __init__(self, document: Document, known: Ontology) -> None:
        self.document = document
        self.known = known
        self.issues: list[Issue] = []
        self.labelled: dict[str, Json] = {}
        self.seen: set[str] = set()
        self.attributes: dict[str, dict[str, str]] = {}

    def issue(self, code: str, where: str, found: str, expected: str, fix: str) -> None:
        where = f"document {self.document.doc_id}, {where}"
        self.issues.append(
            Issue(code=code, doc_id=self.document.doc_id, where=where, found=found, expected=expected, fix=fix)
        )

    def region(self, item: Json) -> None:
        region, kind = item.get("id"), item.get("type")
        if kind == "labels":
            self.seen.add(str(region))
        value = item.get("value")
        key = {"labels": "labels", "choices": "choices", "textarea": "text"}.get(str(kind))
        if not isinstance(region, str) or not isinstance(value, Mapping) or key is None:
            self.issue(
                "region-shape",
                f"region {region}",
                f"type {kind!r}",
                "labels, choices or textarea with an id and a value",
                "Export again; report it if it stays.",
            )
            return
        values = value.get(key)
        if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], str):
            self.issue(
                "region-shape",
                f"region {region}",
                f"{key} {values!r}",
                "exactly one value",
                "Choose one in Label Studio.",
            )
            return
        if kind == "labels":
            self._labels(region, item, value)
        else:
            self._attribute(region, str(item.get("from_name")), values[0])

    def _attribute(self, region: str, name: str, value: str) -> None:
        own = self.attributes.setdefault(region, {})
        if name in own:
            self.issue("region-shape", f"region {region}", f"{name} twice", "once", "Choose it again in Label Studio.")
        own[name] = value

    def _labels(self, region: str, item: Json, value: Mapping[str, Any]) -> None:
        start, end = value.get("start"), value.get("end")
        if not isinstance(start, int) or not isinstance(end, int):
            self.issue(
                "region-shape",
                f"region {region}",
                f"start {start!r}, end {end!r}",
                "two whole numbers",
                "Export again.",
            )
        elif item.get("from_name") not in ("entity", "event"):
            self.issue(
                "region-shape",
                f"region {region}",
                f"control {item.get('from_name')!r}",
                "entity or event",
                "The project has another configuration.",
            )
        elif region in self.labelled:
            self.issue(
                "id-duplicate",
                f"region {region}",
                "two labels under one id",
                "one",
                "Remove one of them in Label Studio.",
            )
        else:
            self.labelled[region] = item

    def strays(self) -> None:
        for region, values in self.attributes.items():
            if region not in self.seen:
                self.issue(
                    "region-shape",
                    f"region {region}",
                    f"{', '.join(values)} of a region without a label",
                    "a labelled region",
                    "Label it in Label Studio, or remove it.",
                )
            for name in sorted(values.keys() - self._controls(region)):
                self.issue(
                    "region-shape",
                    f"region {region}",
                    f"{name} of a region that has no such attribute",
                    "attributes of its own kind",
                    "Remove it in Label Studio, or bring back the project's configuration.",
                )
            for name in ("entity_loaded", "event_loaded"):
                if values.get(name, "no") not in ("yes", "no"):
                    self.issue(
                        "label-unknown",
                        f"region {region}",
                        f"{name} {values[name]!r}",
                        "yes or no",
                        "The project has another configuration.",
                    )

    def _controls(self, region: str) -> set[str]:
        if region not in self.labelled:
            return set(self.attributes.get(region, {}))
        if self.labelled[region]["from_name"] == "entity":
            return {"referent", *(control for _, control, _ in _ENTITY_FIELDS)}
        return {control for _, control, _ in _EVENT_FIELDS}

    def _text(self, value: Mapping[str, Any]) -> str | None:
        # What Label Studio calls text is the rendered selection: white space may be folded in it.
        text = value.get("text")
        if not isinstance(text, str) or not self.document.text:
            return None
        there = self.document.text[value["start"] : value["end"]]
        return there if " ".join(text.replace("\\n", "\n").split()) == " ".join(there.split()) else text

    def mentions(self) -> tuple[Mention, ...]:
        found = []
        for region, item in self.labelled.items():
            if item["from_name"] == "entity":
                extra = self.attributes.get(region, {})
                value = item["value"]
                found.append(
                    Mention(
                        id=region,
                        start=value["start"],
                        end=value["end"],
                        type=value["labels"][0],
                        kind=extra.get("kind", "name"),
                        loaded=extra.get("entity_loaded") == "yes",
                        entity=extra.get("referent", ""),
                        text=self._text(value),
                    )
                )
        return tuple(found)

    def events(self, arguments: Mapping[str, list[Argument]]) -> tuple[Event, ...]:
        found = []
        for region, item in self.labelled.items():
            if item["from_name"] == "event":
                extra = self.attributes.get(region, {})
                value = item["value"]
                found.append(
                    Event(
                        id=region,
                        start=value["start"],
                        end=value["end"],
                        type=value["labels"][0],
                        attribution=extra.get("attribution", "author"),
                        polarity=extra.get("polarity", "positive"),
                        actuality=extra.get("actuality", "actual"),
                        loaded=extra.get("event_loaded") == "yes",
                        arguments=tuple(arguments.get(region, ())),
                        text=self._text(value),
                    )
                )
        return tuple(found)

    def relations(self, items: Sequence[Json]) -> tuple[dict[str, list[Argument]], list[Link]]:
        arguments: dict[str, list[Argument]] = {}
        links: list[Link] = []
        for item in items:
            source, target = str(item.get("from_id")), str(item.get("to_id"))
            if item.get("direction") == "left":
                source, target = target, source
            where = f"relation {source} → {target}"
            if source not in self.labelled or target not in self.labelled:
                self.issue(
                    "link-dangling",
                    where,
                    "an end that is no labelled region",
                    "two regions",
                    "Remove the relation in Label Studio.",
                )
                continue
            names = item.get("labels") or []
            if not names:
                self.issue(
                    "relation-unlabelled", where, "no label", "a role or a link", "Choose its label in Label Studio."
                )
            for name in names:
                self._relation(where, source, target, str(name), arguments, links)
        return arguments, links

    def _relation(
        self, where: str, source: str, target: str, name: str, arguments: dict[str, list[Argument]], links: list[Link]
    ) -> None:
        kinds = (self.labelled[source]["from_name"], self.labelled[target]["from_name"])
        if name in self.known.role_names and kinds == ("event", "entity"):
            arguments.setdefault(source, []).append(Argument(name, target))
        elif name in self.known.link_names and kinds == ("event", "event"):
            links.append(Link(name, source, target))
        elif name not in (*self.known.role_names, *self.known.link_names):
            self.issue(
                "label-unknown",
                where,
                f"relation {name!r}",
                "a role or link of the ontology",
                "The project has another configuration.",
            )
        else:
            self.issue(
                "relation-forbidden",
                where,
                f"{name} from {kinds[0]} to {kinds[1]}",
                "roles from event to entity, links from event to event",
                "Draw it from the event's trigger.",
            )
