"""Count declared metrics over gold and prediction, unit by unit and group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from khabar.metrics.assignment import BOTH, BOUNDARY, EXACT, TYPE, Pairs, assign, assign_ratio
from khabar.metrics.columns import Column, Rows, Sides, make_sides
from khabar.metrics.counts import COLUMNS, CountTable
from khabar.metrics.declared import (
    METRICS,
    SPAN_LAYERS,
    WHOLE,
    Inventory,
    Metric,
    declared_groups,
    khabar_inventory,
)
from khabar.metrics.exact import Mask, count_matches, match_rows, pack_keys
from khabar.types import Annotation

EVENT_KEY = ("unit", "label", "cover")


class LayerRows(msgspec.Struct, frozen=True):
    """The rows of one layer on both sides, and how its spans are paired."""

    gold: Rows
    pred: Rows
    pairs: Pairs | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Gold and prediction as columns, layer by layer, with everything that several metrics share."""

    sides: Sides
    inventory: Inventory
    layers: Mapping[str, LayerRows]
    given: Mapping[str, tuple[Rows, Rows]]


def compare_sides(
    *, gold: Sequence[Annotation], pred: Sequence[Annotation], layers: Sequence[str], inventory: Inventory | None = None
) -> Comparison:
    """Lay gold and prediction beside each other.

    Args:
        gold: one annotation a unit.
        pred: as many, in the same order.
        layers: which layers are looked at.
        inventory: layer → declared types; khabar's by default.
    """
    known = inventory or khabar_inventory()
    sides = make_sides(gold=gold, pred=pred)
    return Comparison(
        sides=sides,
        inventory=known,
        layers={layer: _layer_rows(sides, layer, known) for layer in layers if layer != "attributes"},
        given=_given(sides),
    )


def _layer_rows(sides: Sides, layer: str, inventory: Inventory) -> LayerRows:
    table = {"triggers": "events", "arguments": "arguments"}.get(layer, "mentions")
    gold, pred = sides.gold[table], sides.pred[table]
    if layer in ("actors", "fillers"):
        codes = [sides.words.labels.code(name) for name in inventory[layer]]
        gold, pred = (rows.select(np.isin(rows.columns["label"], codes)) for rows in (gold, pred))
    pairs = assign(gold=gold, pred=pred, words=sides.words) if layer in SPAN_LAYERS else None
    return LayerRows(gold, pred, pairs)


def _given(sides: Sides) -> dict[str, tuple[Rows, Rows]]:
    """Keep the events whose trigger and type are right, and the arguments of such events."""
    gold, pred = sides.gold["events"], sides.pred["events"]
    left, right = match_rows(gold=gold, pred=pred, names=EVENT_KEY)
    events = gold.select(left), pred.select(right)
    arguments = tuple(
        rows.select(_of_events(rows, some))
        for rows, some in zip((sides.gold["arguments"], sides.pred["arguments"]), events, strict=True)
    )
    return {"events": events, "arguments": (arguments[0], arguments[1])}


def _of_events(arguments: Rows, events: Rows) -> Mask:
    renamed = Rows(
        {"unit": events.columns["unit"], "event": events.columns["label"], "trigger": events.columns["cover"]}
    )
    left, right = pack_keys(gold=arguments, pred=renamed, names=("unit", "event", "trigger"))
    return np.isin(left, right)


def count_metrics(comparison: Comparison, layers: Sequence[str]) -> dict[str, CountTable]:
    """Count every metric of some layers.

    Args:
        comparison: gold beside prediction.
        layers: which layers; each must have been laid out.

    Returns:
        Metric → counts by unit and group.
    """
    return {metric.name: count_metric(comparison, metric) for metric in METRICS if metric.layer in layers}


def count_metric(comparison: Comparison, metric: Metric) -> CountTable:
    """Count one metric.

    Args:
        comparison: gold beside prediction.
        metric: as declared.
    """
    gold, pred = rows_of(comparison, metric)
    if metric.match == "exact":
        return count_exact(comparison, metric, gold=gold, pred=pred)
    groups, cells, table = _count_sides(comparison, metric, gold, pred)
    pairs = _pairs(comparison, metric, gold, pred)
    for place, kinds in _credited(metric).items():
        chosen = pairs.gold[np.isin(pairs.kind, kinds)]
        table[:, place] = np.bincount(cells[0][chosen], minlength=len(table))
    return CountTable(groups, table.reshape(comparison.sides.units, len(groups), len(COLUMNS)))


def count_exact(comparison: Comparison, metric: Metric, *, gold: Rows, pred: Rows) -> CountTable:
    """Count the exact matches of some rows.

    Args:
        comparison: gold beside prediction.
        metric: one that matches exactly.
        gold: rows of its table.
        pred: rows of its table.
    """
    groups, cells, table = _count_sides(comparison, metric, gold, pred)
    names = tuple(name for name in ("unit", metric.group, *metric.key) if name)
    table[:, 0] = count_matches(gold=gold, pred=pred, names=names, cells=cells, size=len(table))
    return CountTable(groups, table.reshape(comparison.sides.units, len(groups), len(COLUMNS)))


def _count_sides(
    comparison: Comparison, metric: Metric, gold: Rows, pred: Rows
) -> tuple[tuple[str, ...], tuple[Column, Column], Column]:
    groups, cells = _cells(comparison, metric, gold, pred)
    table = np.zeros((comparison.sides.units * len(groups), len(COLUMNS)), dtype=np.int64)
    table[:, 1] = np.bincount(cells[1], minlength=len(table))
    table[:, 2] = np.bincount(cells[0], minlength=len(table))
    return groups, cells, table


def rows_of(comparison: Comparison, metric: Metric) -> tuple[Rows, Rows]:
    """Give the rows of gold and prediction that a metric looks at.

    Args:
        comparison: gold beside prediction.
        metric: as declared.
    """
    if metric.given_trigger:
        return comparison.given[metric.table]
    layer = comparison.layers[metric.layer]
    return layer.gold, layer.pred


def _cells(
    comparison: Comparison, metric: Metric, gold: Rows, pred: Rows
) -> tuple[tuple[str, ...], tuple[Column, Column]]:
    """Number the cell (unit, group) that each row is counted in; groups that nobody declared come last."""
    if not metric.group:
        return (WHOLE,), (gold.columns["unit"], pred.columns["unit"])
    labels = comparison.sides.words.labels.values()
    codes = [rows.columns[metric.group] for rows in (gold, pred)]
    met = {labels[code] for code in np.unique(np.concatenate(codes))}
    declared = declared_groups(metric, comparison.inventory)
    groups = (*declared, *sorted(met - set(declared)))
    place = {name: number for number, name in enumerate(groups)}
    numbers = np.array([place.get(name, -1) for name in labels], dtype=np.int64)
    cells = [rows.columns["unit"] * len(groups) + numbers[code] for rows, code in zip((gold, pred), codes, strict=True)]
    return groups, (cells[0], cells[1])


def _pairs(comparison: Comparison, metric: Metric, gold: Rows, pred: Rows) -> Pairs:
    if metric.match == "ratio":
        return assign_ratio(gold=gold, pred=pred, words=comparison.sides.words, threshold=metric.threshold)
    pairs = comparison.layers[metric.layer].pairs
    if pairs is None:
        raise ValueError(f"layer {metric.layer} has no spans to pair")
    return pairs


def _credited(metric: Metric) -> dict[int, tuple[int, ...]]:
    """Say which column of the counts each kind of pair is counted in."""
    if metric.match == "partial":
        return {0: (EXACT,), 3: (BOUNDARY,), 4: (TYPE, BOTH)}
    return {0: (EXACT, BOUNDARY)}
