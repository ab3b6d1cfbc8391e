"""Two annotators' versions and an adjudicator's decisions, made into gold. Agreed items pass untouched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from khabar.errors import Issue, KhabarError
from khabar.ontology import ontology
from khabar.types import Annotation, Argument, Event, Link, Mention, Span

Kind = Literal["mention", "event", "argument", "link", "attribute"]


class Item(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a difference or a decision is about, named by spans and not by ids.

    `start`, `end` are the mention's, the trigger's, or the link's source trigger's. `type` is the
    entity or event type, the role, the link type, or the attribute's name. `other` is the span of
    the argument's filler or of the link's target trigger; `layer` tells whose attribute it is.
    """

    kind: Kind
    start: int
    end: int
    type: str
    other: tuple[int, int] | None = None
    layer: str = ""


class Difference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An item on which the annotators differ: who proposed it, or which value each gave."""

    item: Item
    proposed: dict[str, str]


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the adjudicator decided about one item, and why.

    `value` is "keep" or "drop" for an item, the value for an attribute. `added` marks an item that
    no annotator proposed; `general` marks a decision that belongs in the guidelines' log.
    """

    doc_id: str
    item: Item
    value: str
    reason: str
    adjudicator: str
    proposed_by: tuple[str, ...] = ()
    added: bool = False
    general: bool = False


def differences(one: Annotation, two: Annotation) -> list[Difference]:
    """List everything on which two annotators differ, in the order of the text.

    Args:
        one: the first annotator's version.
        two: the second's, of the same document.
    """
    left, right = _items(one), _items(two)
    found = [Difference(item=item, proposed={one.author: "keep"}) for item in left - right]
    found += [Difference(item=item, proposed={two.author: "keep"}) for item in right - left]
    values_left, values_right = _attributes(one), _attributes(two)
    found += [
        Difference(item=item, proposed={one.author: values_left[item], two.author: values_right[item]})
        for item in values_left.keys() & values_right.keys()
        if values_left[item] != values_right[item]
    ]
    return sorted(found, key=lambda difference: _order(difference.item))


def _order(item: Item) -> tuple[int, int, str, str, tuple[int, int]]:
    return item.start, item.end, item.kind, item.type, item.other or (0, 0)


def _items(annotation: Annotation) -> set[Item]:
    spans: dict[str, Span] = {item.id: item.span for item in annotation.items}
    items = {Item("mention", m.start, m.end, m.type) for m in annotation.mentions}
    for event in annotation.events:
        items.add(Item("event", event.start, event.end, event.type))
        for argument in event.arguments:
            filler = spans[argument.mention]
            items.add(Item("argument", event.start, event.end, argument.role, (filler.start, filler.end)))
    items |= {link_item(link.type, spans[link.source], spans[link.target]) for link in annotation.links}
    return items


def link_item(name: str, source: Span, target: Span) -> Item:
    """Name a link by its triggers; a symmetric one always runs from the later to the earlier.

    Args:
        name: the link type.
        source: the trigger it starts from.
        target: the trigger it goes to.
    """
    if name in ontology().symmetric_links and source < target:
        source, target = target, source
    return Item("link", source.start, source.end, name, (target.start, target.end))


def _attributes(annotation: Annotation) -> dict[Item, str]:
    values: dict[Item, str] = {}
    for mention in annotation.mentions:
        for name in ("kind", "loaded"):
            values[Item("attribute", mention.start, mention.end, name, layer="mention")] = _text(getattr(mention, name))
    for event in annotation.events:
        for name in ("attribution", "polarity", "actuality", "loaded"):
            values[Item("attribute", event.start, event.end, name, layer="event")] = _text(getattr(event, name))
    return values


def _text(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def adjudicate(one: Annotation, two: Annotation, decisions: Iterable[Decision]) -> Annotation:
    """Make the gold of one document.

    Args:
        one: the first annotator's version.
        two: the second's.
        decisions: of this document; one for each difference, and any additions.

    Returns:
        The gold, with ids in the order of the text. Actor and place keys come from the first
        annotator where that one marked the mention, else from the second, mapped by the mentions that
        both marked.

    Raises:
        KhabarError: decision-missing, decision-stale, decision-invalid: among them a kept argument or
            link whose mention or event is not in the gold.
    """
    given = list(decisions)
    decided = {decision.item: decision for decision in given}
    open_items = {difference.item for difference in differences(one, two)}
    agreed = _items(one) & _items(two)
    everything = (*_items(one), *_items(two), *decided)
    marked = {(str(item.kind), Span(item.start, item.end)) for item in everything if item.kind in ("mention", "event")}
    _require_sound(one.doc_id, open_items, given, agreed, marked)
    kept = {item for item in agreed if item not in decided or decided[item].value == "keep"}
    kept |= {item for item, decision in decided.items() if decision.value == "keep" and item.kind != "attribute"}
    values = {**_attributes(two), **_attributes(one)}
    values.update({item: decision.value for item, decision in decided.items() if item.kind == "attribute"})
    gold = _build(one, kept, values, _entity_keys(one, two))
    _require_ends(one.doc_id, decided, gold)
    return gold


def _require_sound(
    doc_id: str, open_items: set[Item], decisions: Sequence[Decision], agreed: set[Item], marked: set[tuple[str, Span]]
) -> None:
    decided = {decision.item: decision for decision in decisions}
    issues = [
        _issue("decision-missing", doc_id, item, "no decision", "one", "Decide it in annotations/adjudication.")
        for item in sorted(open_items - decided.keys(), key=_order)
    ]
    if len(decided) < len(decisions):
        twice = [item for item, count in Counter(decision.item for decision in decisions).items() if count > 1]
        issues += [_issue("decision-invalid", doc_id, item, "two decisions", "one", "Keep one.") for item in twice]
    for decision in decisions:
        issues += _check_decision(decision, open_items, agreed, marked)
    if issues:
        raise KhabarError(issues)


def _check_decision(
    decision: Decision, open_items: set[Item], agreed: set[Item], marked: set[tuple[str, Span]]
) -> Iterator[Issue]:
    item = decision.item
    if item.kind == "attribute":
        allowed: Sequence[str] = _attribute_values(item)
        known = (item.layer, Span(item.start, item.end)) in marked
    else:
        allowed = ("keep", "drop")
        known = item in open_items or decision.added or (item in agreed and decision.value == "drop")
    if decision.value not in allowed:
        expected = " or ".join(allowed) or "an attribute of the ontology"
        yield _issue("decision-invalid", decision.doc_id, item, repr(decision.value), expected, "Correct the value.")
    if not known:
        expected = "a difference that exists, or `added`"
        yield _issue("decision-stale", decision.doc_id, item, "a decision", expected, "Remove it, or mark it as added.")


def _attribute_values(item: Item) -> Sequence[str]:
    names = {"mention": ("kind", "loaded"), "event": ("attribution", "polarity", "actuality", "loaded")}
    return ontology().values(item.type) if item.type in names.get(item.layer, ()) else ()


def _require_ends(doc_id: str, decided: Mapping[Item, Decision], gold: Annotation) -> None:
    mentions = {(mention.start, mention.end) for mention in gold.mentions}
    events = {(event.start, event.end) for event in gold.events}
    issues = [
        _issue("decision-invalid", doc_id, item, "keep", "drop, since an end of it is not in the gold", "Change one.")
        for item, decision in decided.items()
        if decision.value == "keep" and item.kind in ("argument", "link")
        if (item.start, item.end) not in events or item.other not in (mentions if item.kind == "argument" else events)
    ]
    if issues:
        raise KhabarError(issues)


def _issue(code: str, doc_id: str, item: Item, found: str, expected: str, fix: str) -> Issue:
    where = f"document {doc_id}, {item.kind} {item.type} at {item.start}–{item.end}"
    return Issue(code=code, doc_id=doc_id, where=where, found=found, expected=expected, fix=fix)


def _entity_keys(one: Annotation, two: Annotation) -> dict[Span, str]:
    first = {mention.span: mention.entity for mention in one.mentions if mention.entity}
    votes: dict[str, Counter[str]] = {}
    for mention in two.mentions:
        if mention.entity and mention.span in first:
            votes.setdefault(mention.entity, Counter())[first[mention.span]] += 1
    names = {key: sorted(count.items(), key=lambda pair: (-pair[1], pair[0]))[0][0] for key, count in votes.items()}
    second = {m.span: names.get(m.entity, f"b:{m.entity}") for m in two.mentions if m.entity}
    return {**second, **first}


def _build(one: Annotation, kept: set[Item], values: Mapping[Item, str], keys: Mapping[Span, str]) -> Annotation:
    ordered = sorted(kept, key=lambda item: (item.start, -item.end, item.type))
    mention_items = [item for item in ordered if item.kind == "mention"]
    event_items = [item for item in ordered if item.kind == "event"]
    mentions = tuple(_mention(f"m{n}", item, values, keys) for n, item in enumerate(mention_items, 1))
    fillers = {(mention.start, mention.end): mention.id for mention in mentions}
    arguments: dict[tuple[int, int], list[Argument]] = {}
    for item in ordered:
        if item.kind == "argument" and item.other in fillers:
            arguments.setdefault((item.start, item.end), []).append(Argument(item.type, fillers[item.other]))
    events = tuple(_event(f"e{n}", item, values, arguments) for n, item in enumerate(event_items, 1))
    triggers = {(event.start, event.end): event.id for event in events}
    links = sorted(
        Link(item.type, triggers[item.start, item.end], triggers[item.other])
        for item in ordered
        if item.kind == "link" and (item.start, item.end) in triggers and item.other in triggers
    )
    return Annotation(
        doc_id=one.doc_id, author="gold", sha256=one.sha256, mentions=mentions, events=events, links=tuple(links)
    )


def _mention(name: str, item: Item, values: Mapping[Item, str], keys: Mapping[Span, str]) -> Mention:
    def value(attribute: str, default: str) -> str:
        return values.get(Item("attribute", item.start, item.end, attribute, layer="mention"), default)

    return Mention(
        id=name,
        start=item.start,
        end=item.end,
        type=item.type,
        kind=value("kind", "name"),
        loaded=value("loaded", "no") == "yes",
        entity=keys.get(Span(item.start, item.end), ""),
    )


def _event(
    name: str, item: Item, values: Mapping[Item, str], arguments: Mapping[tuple[int, int], Sequence[Argument]]
) -> Event:
    def value(attribute: str, default: str) -> str:
        return values.get(Item("attribute", item.start, item.end, attribute, layer="event"), default)

    order = sorted(arguments.get((item.start, item.end), ()), key=lambda a: (a.role, int(a.mention[1:])))
    return Event(
        id=name,
        start=item.start,
        end=item.end,
        type=item.type,
        attribution=value("attribution", "author"),
        polarity=value("polarity", "positive"),
        actuality=value("actuality", "actual"),
        loaded=value("loaded", "no") == "yes",
        arguments=tuple(order),
    )
