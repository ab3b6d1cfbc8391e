"""F1 between annotators: the counts that score a system, row by row of the pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from khabar.adjudicate import Item, link_item
from khabar.agreement.records import Agreed, Contrast, enough_units, refusal
from khabar.metrics import METRICS, Counts
from khabar.metrics.counting import compare_sides, count_metric
from khabar.metrics.counts import CountArray, CountTable, make_table
from khabar.metrics.declared import BY_NAME
from khabar.metrics.diagnosis import Finding, find_all
from khabar.ontology import ontology
from khabar.results import Score, Settings
from khabar.statistics import cluster, difference_interval, make_resampler
from khabar.summary import summarise_table
from khabar.types import Annotation, Span

COMPARED = ("actors", "fillers", "triggers", "arguments")
STRICT = tuple(
    metric.name
    for metric in METRICS
    if metric.layer in COMPARED and metric.match == "exact" and not metric.given_trigger
)
OVERLAPPING = tuple(metric.name for metric in METRICS if metric.layer in COMPARED and metric.match == "overlap")
LINKS = ("links", "links.identified", "links.given")
FIGURES = tuple(name for name in BY_NAME if name in (*STRICT, *OVERLAPPING)) + LINKS
Sides = Sequence[tuple[Annotation, Annotation]]
Tables = dict[str, CountTable]


def count_pairs(pairs: Sides) -> tuple[Tables, list[Finding]]:
    """Count every metric over pairs of annotations, and tell what became of each item.

    Args:
        pairs: two annotations of one document each.

    Returns:
        Metric → counts, one row a pair; and findings whose units number the pairs.

    Source: PROTOCOL.md section 10.
    """
    gold, pred = [one for one, _ in pairs], [two for _, two in pairs]
    comparison = compare_sides(gold=gold, pred=pred, layers=COMPARED)
    tables = {name: count_metric(comparison, BY_NAME[name]) for name in FIGURES if name not in LINKS}
    return {**tables, **_link_tables(pairs)}, find_all(comparison)


def _link_tables(pairs: Sides) -> Tables:
    rows = [_count_links(one, two) for one, two in pairs]
    names = ontology().link_names
    met = {name for row in rows for name in row["links"]}
    groups = {"links": (*names, *sorted(met - set(names)))}
    return {name: make_table(groups.get(name, ("all",)), [row[name] for row in rows]) for name in LINKS}


def _count_links(one: Annotation, two: Annotation) -> dict[str, dict[str, Counts]]:
    left, right = _links(one), _links(two)
    shared = _triggers(one) & _triggers(two)
    names = {item.type for item in (*left, *right)}
    by_type = {name: _match(*(_keep(side, _has_type(name)) for side in (left, right))) for name in names}
    given = _match(*(_keep(side, lambda item: _ends(item) <= shared) for side in (left, right)))
    ends = _match(*(Counter(_ends(item) for item in side.elements()) for side in (left, right)))
    return {"links": by_type, "links.identified": {"all": ends}, "links.given": {"all": given}}


def _keep(links: Counter[Item], wanted: Callable[[Item], bool]) -> Counter[Item]:
    return Counter({item: number for item, number in links.items() if wanted(item)})


def _has_type(name: str) -> Callable[[Item], bool]:
    return lambda item: item.type == name


def _match(left: Counter[Any], right: Counter[Any]) -> Counts:
    return Counts((left & right).total(), right.total(), left.total())


def _links(annotation: Annotation) -> Counter[Item]:
    spans = {event.id: event.span for event in annotation.events}
    return Counter(link_item(link.type, spans[link.source], spans[link.target]) for link in annotation.links)


def _ends(item: Item) -> frozenset[Span]:
    return frozenset((Span(item.start, item.end), Span(*(item.other or (0, 0)))))


def _triggers(annotation: Annotation) -> frozenset[Span]:
    return frozenset(event.span for event in annotation.events)


def read_agreed(table: CountTable, doc_ids: Sequence[str], clusters: Sequence[str], settings: Settings) -> Agreed:
    """Read F1 off the counts of some pairs, all types together.

    Args:
        table: one row a pair.
        doc_ids: the document of each row.
        clusters: what each row is resampled with.
        settings: of resampling.
    """
    whole = CountTable(("all",), table.array.sum(axis=1, keepdims=True))
    return _agreed(summarise_table(whole, clusters, settings).micro, whole.array, doc_ids, clusters)


def read_types(
    table: CountTable, doc_ids: Sequence[str], clusters: Sequence[str], settings: Settings
) -> dict[str, Agreed]:
    """Read F1 of each type that anybody marked.

    Args:
        table: one row a pair.
        doc_ids: the document of each row.
        clusters: what each row is resampled with.
        settings: of resampling.
    """
    groups = summarise_table(table, clusters, settings).groups
    place = {name: number for number, name in enumerate(table.groups)}
    return {
        name: _agreed(score, table.array[:, place[name] : place[name] + 1], doc_ids, clusters)
        for name, score in sorted(groups.items())
    }


def rows_with_items(array: CountArray) -> list[int]:
    """List the rows in which anything is counted.

    Args:
        array: of counts, one row a pair.
    """
    return [int(row) for row in np.flatnonzero(array.any(axis=(1, 2)))]


def _agreed(score: Score, array: CountArray, doc_ids: Sequence[str], clusters: Sequence[str]) -> Agreed:
    reason, rows = refusal((score.gold + score.predicted) / 2), rows_with_items(array)
    return Agreed(
        value=None if reason else score.f1,
        interval=score.interval if not reason and enough_units(pick(clusters, rows)) else None,
        matched=score.matched,
        one=score.gold,
        two=score.predicted,
        documents=len(set(pick(doc_ids, rows))),
        reason=reason,
    )


def contrast(
    table: CountTable,
    labels: Sequence[str],
    *,
    of: str,
    minus: str,
    doc_ids: Sequence[str],
    clusters: Sequence[str],
    settings: Settings,
) -> Contrast:
    """Compare the F1 of two groups of pairs.

    Args:
        table: one row a pair.
        labels: the group of each row.
        of: the group whose F1 comes first.
        minus: the group whose F1 is subtracted.
        doc_ids: the document of each row.
        clusters: what each row is resampled with; both groups are resampled together.
        settings: of resampling.
    """
    figures = [_of_group(table, labels, name, doc_ids, clusters, settings) for name in (of, minus)]
    reason = next((f"{name}: {f.reason}" for name, f in zip((of, minus), figures, strict=True) if f.reason), "")
    first, second = figures[0].value, figures[1].value
    known = all(f.interval for f in figures)
    return Contrast(
        of=of,
        minus=minus,
        first=figures[0],
        second=figures[1],
        difference=first - second if first is not None and second is not None else None,
        interval=_interval(table, labels, (of, minus), clusters, settings) if known else None,
        reason=reason,
    )


def _of_group(
    table: CountTable, labels: Sequence[str], name: str, doc_ids: Sequence[str], clusters: Sequence[str], own: Settings
) -> Agreed:
    rows = [number for number, label in enumerate(labels) if label == name]
    chosen = CountTable(table.groups, table.array[rows])
    return read_agreed(chosen, pick(doc_ids, rows), pick(clusters, rows), own)


def _interval(
    table: CountTable, labels: Sequence[str], names: tuple[str, str], clusters: Sequence[str], settings: Settings
) -> tuple[float, float] | None:
    counts = table.array.sum(axis=1)[:, :3].astype(np.float64)
    masks = [np.array([label == name for label in labels], dtype=np.float64)[:, None] for name in names]
    both = [row for row, label in enumerate(labels) if label in names]
    one, two = (cluster((counts * mask)[both], pick(clusters, both)) for mask in masks)
    resampler = make_resampler(len(one), resamples=settings.resamples, seed=settings.seed)
    return difference_interval(one, two, resampler, level=settings.level)


def pick(values: Sequence[str], rows: Iterable[int]) -> list[str]:
    """Take the values of some rows.

    Args:
        values: one a row.
        rows: their numbers.
    """
    return [values[row] for row in rows]
