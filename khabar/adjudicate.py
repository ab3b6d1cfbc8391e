"""Annotators' versions and an adjudicator's decisions, made into gold. Agreed items pass untouched."""

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
    no annotator proposed; `general` marks a decision that belongs in the guidelines' log. `question` names
    the question of Label Studio that it answers, if it was made there.
    """

    doc_id: str
    item: Item
    value: str
    reason: str
    adjudicator: str
    proposed_by: tuple[str, ...] = ()
    added: bool = False
    general: bool = False
    question: str = ""


def differences(*versions: Annotation) -> list[Difference]:
    """List everything on which annotators differ, in the order of the text.

    Args:
        versions: each annotator's version of one document; a single one differs from nobody.
    """
    sides = [(version.author, items_of(version)) for version in versions]
    everything = set().union(*(items for _, items in sides))
    agreed = set(everything).intersection(*(items for _, items in sides))
    found = [
        Difference(item=item, proposed={author: "keep" for author, items in sides if item in items})
        for item in everything - agreed
    ]
    values = [(version.author, attributes_of(version)) for version in versions]
    for item in set().union(*(given for _, given in values)):
        proposed = {author: given[item] for author, given in values if item in given}
        if len(set(proposed.values())) > 1:
            found.append(Difference(item=item, proposed=proposed))
    return sorted(found, key=lambda difference: _order(difference.item))


def _order(item: Item) -> tuple[int, int, str, str, tuple[int, int]]:
    return item.start, item.end, item.kind, item.type, item.other or (0, 0)


def items_of(annotation: Annotation) -> set[Item]:
    """Name everything that an annotation holds, attributes apart.

    Args:
        annotation: anybody's work.
    """
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


def attributes_of(annotation: Annotation) -> dict[Item, str]:
    """Give the value of every attribute of an annotation, by what it is an attribute of.

    Args:
        annotation: anybody's work.
    """
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


def adjudicate(versions: Sequence[Annotation], decisions: Iterable[Decision]) -> Annotation:
    """Make the gold of one document.

    Args:
        versions: the annotators' versions, in the order of the register; at least one.
        decisions: of this document; one for each difference, and any additions.

    Returns:
        The gold, with ids in the order of the text. Actor and place keys come from the first
        annotator who marked the mention, those of later ones mapped by the mentions that the first
        marked too.

    Raises:
        KhabarError: decision-missing, decision-stale, decision-invalid: among them a kept argument or
            link whose mention or event is not in the gold.
    """
    first, given = versions[0], list(decisions)
    decided = {decision.item: decision for decision in given}
    open_items = {difference.item for difference in differences(*versions)}
    proposals = [items_of(version) for version in versions]
    agreed = set(proposals[0]).intersection(*proposals)
    marked = {
        (str(item.kind), Span(item.start, item.end))
        for item in set().union(*proposals, decided)
        if item.kind in ("mention", "event")
    }
    _require_sound(first.doc_id, open_items, given, agreed, marked, {version.author for version in versions})
    kept = {item for item in agreed if item not in decided or decided[item].value == "keep"}
    kept |= {item for item, decision in decided.items() if decision.value == "keep" and item.kind != "attribute"}
    values = {item: value for version in reversed(versions) for item, value in attributes_of(version).items()}
    values.update({item: decision.value for item, decision in decided.items() if item.kind == "attribute"})
    gold = _build(first, kept, values, _entity_keys(versions))
    _require_ends(first.doc_id, decided, gold)
    return gold


def _require_sound(
    doc_id: str,
    open_items: set[Item],
    decisions: Sequence[Decision],
    agreed: set[Item],
    marked: set[tuple[str, Span]],
    authors: set[str],
) -> None:
    decided = {decision.item: decision for decision in decisions}
    issues = [
        _issue(
            "decision-missing", doc_id, item, "no decision", "one", "Add a line to the decisions.jsonl of its campaign."
        )
        for item in sorted(open_items - decided.keys(), key=_order)
    ]
    if len(decided) < len(decisions):
        twice = [item for item, count in Counter(decision.item for decision in decisions).items() if count > 1]
        issues += [_issue("decision-invalid", doc_id, item, "two decisions", "one", "Keep one.") for item in twice]
    for decision in decisions:
        issues += _check_decision(decision, open_items, agreed, marked, authors)
    if issues:
        raise KhabarError(issues)


def _check_decision(
    decision: Decision, open_items: set[Item], agreed: set[Item], marked: set[tuple[str, Span]], authors: set[str]
) -> Iterator[Issue]:
    item = decision.item
    if item.kind == "attribute":
        allowed: Sequence[str] = _attribute_values(item)
        known = (item.layer, Span(item.start, item.end)) in marked
    else:
        allowed = ("keep", "drop")
        # Agreed items may be dropped; but not by a decision from before everybody marked the item.
        against_all = decision.value == "drop" and (not decision.proposed_by or authors <= {*decision.proposed_by})
        known = item in open_items or decision.added or (item in agreed and against_all)
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


def _entity_keys(versions: Sequence[Annotation]) -> dict[Span, str]:
    first = {mention.span: mention.entity for mention in versions[0].mentions if mention.entity}
    keys: dict[Span, str] = dict(first)
    for letter, version in zip("bcdefghijklmnopqrstuvwxyz", versions[1:], strict=False):
        for span, key in _mapped_keys(version, first, letter).items():
            keys.setdefault(span, key)
    return keys


def _mapped_keys(version: Annotation, first: Mapping[Span, str], letter: str) -> dict[Span, str]:
    votes: dict[str, Counter[str]] = {}
    for mention in version.mentions:
        if mention.entity and mention.span in first:
            votes.setdefault(mention.entity, Counter())[first[mention.span]] += 1
    names = {key: sorted(count.items(), key=lambda pair: (-pair[1], pair[0]))[0][0] for key, count in votes.items()}
    return {m.span: names.get(m.entity, f"{letter}:{m.entity}") for m in version.mentions if m.entity}


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
