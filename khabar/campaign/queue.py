"""The queue of an adjudicator: only what annotators differ on, put together by what hangs together, best first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

import msgspec

from khabar.adjudicate import Difference, Item, attributes_of, differences, items_of
from khabar.types import Annotation, Span

Pattern = tuple[str, ...]


class Knot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Differences that must be decided together, because they stand on the same or overlapping spans."""

    doc_id: str
    differences: tuple[Difference, ...]

    @property
    def id(self) -> str:
        """Name the knot by what is in it: the same differences are the same knot."""
        data = msgspec.json.encode((self.doc_id, self.differences), order="sorted")
        return sha256(data).hexdigest()[:16]

    @property
    def items(self) -> tuple[Item, ...]:
        """Give what is to be decided."""
        return tuple(difference.item for difference in self.differences)

    @property
    def patterns(self) -> Counter[Pattern]:
        """Count the kinds of difference in the knot."""
        return Counter(_pattern(difference) for difference in self.differences)


def _pattern(difference: Difference) -> Pattern:
    item = difference.item
    values = sorted(set(difference.proposed.values())) if item.kind == "attribute" else []
    return (item.kind, item.type, *values)


def make_queue(versions: Mapping[str, Sequence[Annotation]], decided: Mapping[str, Iterable[Item]]) -> list[Knot]:
    """Make the queue of a campaign.

    The next knot is always the one whose kinds of difference are commonest in all that is undecided and
    least covered by the knots before it: what recurs is asked early, once of each kind, so that a few
    decisions tell most about the guidelines. This is the greedy algorithm for weighted coverage with
    returns that diminish harmonically.

    Args:
        versions: the annotators' versions by document.
        decided: what has a decision, by document.

    Returns:
        Knots with an undecided difference, most informative first.

    Source: Nemhauser, Wolsey and Fisher (1978), An analysis of approximations for maximizing submodular
        set functions.
    """
    knots = [
        knot
        for doc_id, each in versions.items()
        for knot in knots_of(doc_id, each)
        if set(knot.items) - set(decided.get(doc_id, ()))
    ]
    common = sum((knot.patterns for knot in knots), Counter[Pattern]())
    covered: Counter[Pattern] = Counter()
    ordered: list[Knot] = []
    while knots:
        best = min(knots, key=lambda knot: (-_worth(knot, common, covered), knot.doc_id, knot.id))
        knots.remove(best)
        covered.update(best.patterns)
        ordered.append(best)
    return ordered


def _worth(knot: Knot, common: Counter[Pattern], covered: Counter[Pattern]) -> float:
    return sum(common[pattern] / (1 + covered[pattern]) for pattern in knot.patterns)


def knots_of(doc_id: str, versions: Sequence[Annotation]) -> list[Knot]:
    """Put the differences of one document together into knots, in the order of the text.

    Args:
        doc_id: the document.
        versions: the annotators' versions of it.
    """
    found = differences(*versions)
    groups = list(range(len(found)))
    for one in range(len(found)):
        for two in range(one):
            if groups[one] != groups[two] and _joined(found[one], found[two], found):
                groups = [groups[two] if group == groups[one] else group for group in groups]
    parts: dict[int, list[Difference]] = {}
    for group, difference in zip(groups, found, strict=True):
        parts.setdefault(group, []).append(difference)
    return [Knot(doc_id=doc_id, differences=tuple(part)) for part in parts.values()]


def _joined(one: Difference, two: Difference, found: Sequence[Difference]) -> bool:
    return _rivals(one, two) or any(
        layer == other and (span == neighbour or (span.overlaps(neighbour) and layer in ("mention", "event")))
        for layer, span in _stands_on(one.item, found)
        for other, neighbour in _stands_on(two.item, found)
    )


def _rivals(one: Difference, two: Difference) -> bool:
    """Tell whether two people gave one filler the same role at different triggers, which is one question."""
    same = (one.item.kind, one.item.type, one.item.other) == ("argument", two.item.type, two.item.other)
    return same and two.item.kind == "argument" and not one.proposed.keys() & two.proposed.keys()


def _stands_on(item: Item, found: Sequence[Difference]) -> Iterator[tuple[str, Span]]:
    """Yield the spans that tie an item to others: its own; and that of an end which is itself at issue."""
    layer = item.layer or {"argument": "event", "link": "link"}.get(item.kind, item.kind)
    own = Span(item.start, item.end)
    if item.kind != "link":
        yield layer, own
    ends = [] if item.other is None else [("mention" if item.kind == "argument" else "event", Span(*item.other))]
    for end in [*ends, *([("event", own)] if item.kind == "link" else [])]:
        if _at_issue(*end, found):
            yield end


def _at_issue(kind: str, span: Span, found: Sequence[Difference]) -> bool:
    return any(d.item.kind == kind and Span(d.item.start, d.item.end).overlaps(span) for d in found)


def version_in(knot: Knot, version: Annotation) -> Annotation:
    """Cut out of a version what a knot is about: what it marks there, and the agreed ends that this needs.

    Args:
        knot: the knot.
        version: an annotator's version of its document.
    """
    spans = {item.id: item.span for item in version.items}
    touched = {(layer, span) for item in knot.items for layer, span in _all_ends(item)}
    events = tuple(event for event in version.events if _touches("event", event.span, touched))
    needed = {argument.mention for event in events for argument in event.arguments}
    mentions = tuple(m for m in version.mentions if m.id in needed or _touches("mention", m.span, touched))
    kept = {event.id for event in events}
    links = tuple(
        link
        for link in version.links
        if {link.source, link.target} <= kept
        and any(
            i.kind == "link"
            and {Span(i.start, i.end), Span(*(i.other or (0, 0)))} == {spans[link.source], spans[link.target]}
            for i in knot.items
        )
    )
    return msgspec.structs.replace(version, mentions=mentions, events=events, links=links)


def _all_ends(item: Item) -> Iterator[tuple[str, Span]]:
    own = Span(item.start, item.end)
    if item.kind in ("mention", "event", "attribute"):
        yield item.layer or item.kind, own
    else:
        yield "event", own
        if item.other is not None:
            yield "mention" if item.kind == "argument" else "event", Span(*item.other)


def _touches(layer: str, span: Span, touched: Iterable[tuple[str, Span]]) -> bool:
    return any(layer == other and span.overlaps(place) for other, place in touched)


def everything_in(annotation: Annotation) -> dict[Item, str]:
    """Give all items of an annotation as "keep", and its attributes with their values.

    Args:
        annotation: anybody's work.
    """
    return {**dict.fromkeys(items_of(annotation), "keep"), **attributes_of(annotation)}
