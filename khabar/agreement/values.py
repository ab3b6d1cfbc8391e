"""Agreement on the values of what annotators both marked: types of equal spans, and attributes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from khabar.adjudicate import link_item
from khabar.agreement.records import FEW, Values, enough_units, refusal
from khabar.agreement.spans import pick, rows_with_items
from khabar.metrics import Counts
from khabar.metrics.counts import CountTable, make_table
from khabar.results import Bounds, Settings
from khabar.statistics import Array, cluster, make_resampler
from khabar.summary import summarise_table
from khabar.types import Annotation, Event, Mention

TYPES = ("entity_type", "event_family", "event_type", "role", "link_type")
ATTRIBUTES = ("attribution", "polarity", "actuality", "event_loaded", "kind", "entity_loaded")
VALUES = (*TYPES, *ATTRIBUTES)
MISSING = "the package krippendorff is not installed"
Marks = Mapping[str, Mapping[Hashable, str]]
Unit = Sequence[str]


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """The values that annotators gave to what two or more of them marked, with what each is resampled with."""

    units: Sequence[Unit]
    clusters: Sequence[str]


def mark_values(annotation: Annotation) -> Marks:
    """List the value of everything that an annotation marks: name → what was marked → value.

    An entity's type is a value of its span; an event's type and family are values of its trigger's
    span; a role is one of trigger, event type and filler's span; a link's type of its two triggers, in
    their order; an attribute of span and type. Two types on one span are one value of their own.

    Args:
        annotation: anybody's work.
    """
    found: dict[str, dict[Hashable, set[str]]] = {name: {} for name in VALUES}
    for name, key, value in (*_item_values(annotation), *_relation_values(annotation)):
        found[name].setdefault(key, set()).add(value)
    return {name: {key: " + ".join(sorted(given)) for key, given in marks.items()} for name, marks in found.items()}


def _item_values(annotation: Annotation) -> Iterator[tuple[str, Hashable, str]]:
    for mention in annotation.mentions:
        yield "entity_type", mention.cover, mention.type
        yield "kind", _key(mention), mention.kind
        yield "entity_loaded", _key(mention), _word(mention.loaded)
    for event in annotation.events:
        yield "event_type", event.cover, event.type
        yield "event_family", event.cover, event.family
        for name in ("attribution", "polarity", "actuality"):
            yield name, _key(event), getattr(event, name)
        yield "event_loaded", _key(event), _word(event.loaded)


def _relation_values(annotation: Annotation) -> Iterator[tuple[str, Hashable, str]]:
    covers = {mention.id: mention.cover for mention in annotation.mentions}
    spans = {event.id: event.span for event in annotation.events}
    for event in annotation.events:
        for argument in event.arguments:
            yield "role", (event.cover, event.type, covers.get(argument.mention)), argument.role
    for link in annotation.links:
        item = link_item(link.type, spans[link.source], spans[link.target])
        yield "link_type", (item.start, item.end, item.other), link.type


def _key(item: Mention | Event) -> Hashable:
    return item.cover, item.type


def _word(loaded: bool) -> str:
    return "true" if loaded else "false"


def count_values(pairs: Iterable[tuple[Marks, Marks]]) -> dict[str, CountTable]:
    """Count the equal values of every two annotators, over what both marked.

    Args:
        pairs: what two annotators marked in one document.

    Returns:
        Name → counts, one row a pair; matched are the equal ones.
    """
    rows: dict[str, list[dict[str, Counts]]] = {name: [] for name in VALUES}
    for one, two in pairs:
        for name, units in rows.items():
            both = one[name].keys() & two[name].keys()
            same = sum(one[name][key] == two[name][key] for key in both)
            units.append({"all": Counts(same, len(both), len(both))})
    return {name: make_table(("all",), units) for name, units in rows.items()}


def rate(name: str, work: Mapping[str, Sequence[Marks]], clusters: Mapping[str, str]) -> Rated:
    """Put together what two annotators or more marked.

    Args:
        name: of a type or attribute.
        work: what each annotator marked, by document.
        clusters: what each document is resampled with.
    """
    units: list[list[str]] = []
    labels: list[str] = []
    for doc_id, marks in work.items():
        keys = dict.fromkeys(key for side in marks for key in side[name])
        given = [[side[name][key] for side in marks if key in side[name]] for key in keys]
        units += [unit for unit in given if len(unit) > 1]
        labels += [clusters[doc_id]] * (len(units) - len(labels))
    return Rated(units=units, clusters=labels)


def read_values(
    table: CountTable, rated: Rated, *, doc_ids: Sequence[str], clusters: Sequence[str], settings: Settings
) -> Values:
    """Give observed agreement and Krippendorff's alpha with their intervals.

    Args:
        table: equal values, one row a pair.
        rated: the values themselves.
        doc_ids: the document of each row.
        clusters: what each row is resampled with.
        settings: of resampling.

    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability; PROTOCOL.md section 10.
    """
    score = summarise_table(table, clusters, settings).micro
    reason, rows = refusal(score.gold), rows_with_items(table.array)
    counts = Counter(value for unit in rated.units for value in unit)
    alpha, interval, alpha_reason = _alpha(rated, counts, settings)
    return Values(
        observed=None if reason else score.precision,
        same=score.matched,
        items=score.gold,
        documents=len(set(pick(doc_ids, rows))),
        interval=score.precision_interval if not reason and enough_units(pick(clusters, rows)) else None,
        reason=reason,
        alpha=alpha,
        units=len(rated.units),
        counts=dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
        alpha_interval=interval,
        alpha_reason=alpha_reason,
    )


def _alpha(rated: Rated, counts: Counter[str], settings: Settings) -> tuple[float | None, Bounds | None, str]:
    reason = refusal(len(rated.units)) or _refuse_constant(rated, counts)
    if reason:
        return None, None, reason
    try:
        import krippendorff
    except ImportError:
        return None, None, MISSING
    domain = {value: number for number, value in enumerate(sorted(counts))}
    table = np.zeros((len(rated.units), len(domain)))
    for row, unit in enumerate(rated.units):
        for value in unit:
            table[row, domain[value]] += 1
    alpha = float(krippendorff.alpha(value_counts=table, level_of_measurement="nominal"))
    return alpha, _alpha_interval(table, rated.clusters, settings), ""


def _refuse_constant(rated: Rated, counts: Counter[str]) -> str:
    """Refuse an alpha that would hang on a handful of items: what chance gives is then not known."""
    common = max(counts, key=lambda value: (counts[value], value))
    others = sum(any(value != common for value in unit) for unit in rated.units)
    return "" if others >= FEW else f"too few: {others} of {len(rated.units)} items have another value than {common}"


def _alpha_interval(table: Array, clusters: Sequence[str], settings: Settings) -> Bounds | None:
    """Resample whole clusters; alpha follows from the coincidences of values, which add."""
    if not enough_units(clusters):
        return None
    size = table.shape[1]
    pairable = (table.sum(axis=1) - 1)[:, None, None]
    coincidences = (table[:, :, None] * table[:, None, :] - table[:, :, None] * np.eye(size)) / pairable
    summed = cluster(coincidences.reshape(len(table), -1), clusters)
    resampler = make_resampler(len(summed), resamples=settings.resamples, seed=settings.seed)
    drawn = nominal_alphas(resampler.apply(summed).reshape(-1, size, size))
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return None
    low, high = np.quantile(known, ((1 - settings.level) / 2, (1 + settings.level) / 2))
    return float(low), float(high)


def nominal_alphas(coincidences: Array) -> Array:
    """Compute Krippendorff's nominal alpha of many matrices of coincidences; nan where all values are equal.

    Args:
        coincidences: [resamples, values, values].

    Source: Krippendorff (2011), section B: 1 minus observed over expected coincidences of unequal values.
    """
    values = coincidences.sum(axis=2)
    total = values.sum(axis=1)
    observed = total - np.trace(coincidences, axis1=1, axis2=2)
    expected = total**2 - (values**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        alphas: Array = 1 - (total - 1) * observed / expected
    return np.where(expected > 0, alphas, np.nan)
