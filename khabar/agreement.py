"""Agreement between two annotators, by the same counts that score a system."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from khabar.adjudicate import Item, link_item
from khabar.metrics import METRICS, Counts
from khabar.metrics.counting import compare_sides, count_metric
from khabar.metrics.counts import make_table
from khabar.metrics.declared import BY_NAME
from khabar.results import Score, Settings
from khabar.summary import TableSummary, summarise_table
from khabar.types import Annotation, Event, Mention

FEW = 5
ATTRIBUTES = ("attribution", "polarity", "actuality", "event_loaded", "kind", "entity_loaded", "links")


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How often two annotators gave the same value, over the items that both marked."""

    same: int
    items: int

    @property
    def value(self) -> float | None:
        """Give the share; None with fewer than five items, which say nothing."""
        return self.same / self.items if self.items >= FEW else None


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement of one pair of annotators, before anything was adjudicated."""

    pair: tuple[str, str]
    documents: int
    layers: dict[str, Score]
    per_type: dict[str, dict[str, Score]]
    attributes: dict[str, Share]
    links: Score
    per_language: dict[str, dict[str, Score]]


def agree(one: Sequence[Annotation], two: Sequence[Annotation], *, languages: Mapping[str, str]) -> Agreement:
    """Measure the agreement of two annotators on the documents that both have.

    Args:
        one: the first annotator's work, whose spans stand where a gold would.
        two: the second annotator's work.
        languages: language by doc_id.

    Source: F1 as agreement where chance is negligible: Hripcsak and Rothschild (2005); PROTOCOL.md section 6.
    """
    second = {item.doc_id: item for item in two}
    pairs = [(item, second[item.doc_id]) for item in one if item.doc_id in second]
    spoken = sorted({languages[left.doc_id] for left, _ in pairs})
    return Agreement(
        pair=(one[0].author if one else "", two[0].author if two else ""),
        documents=len(pairs),
        layers=_layers(pairs),
        per_type=_per_type(pairs),
        attributes=_attributes(pairs),
        links=_links(pairs),
        per_language={
            language: _layers([pair for pair in pairs if languages[pair[0].doc_id] == language]) for language in spoken
        },
    )


Pairs = Sequence[tuple[Annotation, Annotation]]
COMPARED = ("actors", "fillers", "triggers", "arguments")
METRIC_NAMES = tuple(
    metric.name
    for metric in METRICS
    if metric.layer in COMPARED and metric.match == "exact" and not metric.given_trigger
)


def _layers(pairs: Pairs) -> dict[str, Score]:
    return {name: summary.micro for name, summary in _summaries(pairs).items()}


def _per_type(pairs: Pairs) -> dict[str, dict[str, Score]]:
    return {
        name: {group: _bare(score) for group, score in sorted(summary.groups.items())}
        for name, summary in _summaries(pairs).items()
    }


def _bare(score: Score) -> Score:
    """Leave the intervals out: most types have too few items for one."""
    return msgspec.structs.replace(score, interval=None, precision_interval=None, recall_interval=None)


def _summaries(pairs: Pairs) -> dict[str, TableSummary]:
    gold, pred = [one for one, _ in pairs], [two for _, two in pairs]
    comparison = compare_sides(gold=gold, pred=pred, layers=COMPARED)
    tables = {name: count_metric(comparison, BY_NAME[name]) for name in METRIC_NAMES}
    documents = [str(number) for number in range(len(pairs))]
    return {name: summarise_table(table, documents, Settings()) for name, table in tables.items()}


def _attributes(pairs: Pairs) -> dict[str, Share]:
    same: Counter[str] = Counter()
    items: Counter[str] = Counter()
    for one, two in pairs:
        for left, right in _both(one, two):
            for name, values in _values(left, right).items():
                items[name] += 1
                same[name] += values[0] == values[1]
    return {name: Share(same=same[name], items=items[name]) for name in ATTRIBUTES if name in items}


def _both(one: Annotation, two: Annotation) -> list[tuple[Mention | Event, Mention | Event]]:
    other = {(item.span, item.type): item for item in two.items}
    return [(item, other[item.span, item.type]) for item in one.items if (item.span, item.type) in other]


def _values(left: Mention | Event, right: Mention | Event) -> dict[str, tuple[object, object]]:
    if isinstance(left, Mention) and isinstance(right, Mention):
        return {"kind": (left.kind, right.kind), "entity_loaded": (left.loaded, right.loaded)}
    if isinstance(left, Event) and isinstance(right, Event):
        names = ("attribution", "polarity", "actuality")
        return {
            **{name: (getattr(left, name), getattr(right, name)) for name in names},
            "event_loaded": (left.loaded, right.loaded),
        }
    return {}


def _links(pairs: Pairs) -> Score:
    counts = []
    for one, two in pairs:
        left, right = _link_keys(one), _link_keys(two)
        counts.append(Counts((left & right).total(), right.total(), left.total()))
    table = make_table(("links",), [{"links": count} for count in counts])
    return summarise_table(table, [str(number) for number in range(len(pairs))], Settings()).micro


def _link_keys(annotation: Annotation) -> Counter[Item]:
    spans = {event.id: event.span for event in annotation.events}
    return Counter(link_item(link.type, spans[link.source], spans[link.target]) for link in annotation.links)
